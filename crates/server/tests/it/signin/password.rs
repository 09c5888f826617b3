//! By password: break-glass, and guessing.

use std::time::Duration;

use http::{Request, header};

use super::{Browser, SESSION, administrator, form};
use crate::world::World;

#[tokio::test]
async fn the_local_administrator_signs_in_and_out() {
    let world = World::new().await;
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    assert!(!browser.is_in().await);
    browser.sign_in_with("wrong").await.expect(403);
    let entered = browser.sign_in_with(&password).await.expect(303);
    assert_eq!(entered.header(header::LOCATION), "/");
    assert!(browser.is_in().await);

    let before = browser.copy();
    browser.post("/sign-out", &[("csrf", "x")]).await.expect(403);
    assert!(browser.is_in().await);
    let csrf = browser.csrf().await;
    let left = browser.post("/sign-out", &[("csrf", &csrf)]).await.expect(303);
    assert_eq!(left.header(header::LOCATION), "/sign-in?signed_out=here");
    assert!(!browser.cookies.contains_key(SESSION));
    let mut before = before;
    assert!(!before.is_in().await, "the secret is of no use any more");
}

#[tokio::test]
async fn forms_of_other_sites_sign_nobody_in() {
    let world = World::new().await;
    let password = administrator(&world).await;
    let fields = form(&[("name", "admin"), ("password", &password)]);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("x-nothing", "at all"),
    ] {
        let mut browser = Browser::new(&world);
        let request = Request::post("/sign-in").header(name, value);
        browser.send(request, fields.clone()).await.expect(403);
        assert!(!browser.cookies.contains_key(SESSION), "{name}: {value}");
    }
    let mut browser = Browser::new(&world);
    let request = Request::post("/sign-in").header("origin", "https://usher.example");
    browser.send(request, fields).await.expect(303);
}

#[tokio::test]
async fn who_guesses_waits() {
    let world = World::new().await;
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    for _ in 0..3 {
        browser.sign_in_with("wrong").await.expect(403);
    }
    let refused = browser.sign_in_with(&password).await.expect(429);
    assert_eq!(refused.header(header::RETRY_AFTER), "2");
    world.clock.advance(Duration::from_secs(2));
    browser.sign_in_with(&password).await.expect(303);
}

#[tokio::test]
async fn unknown_names_are_answered_like_wrong_passwords() {
    let world = World::new().await;
    administrator(&world).await;
    let mut answers = Vec::new();
    for name in ["admin", "nobody"] {
        let fields = [("name", name), ("password", "wrong"), ("next", "/")];
        let answer = Browser::new(&world).post("/sign-in", &fields).await.expect(403);
        let page = String::from_utf8(answer.body).unwrap();
        answers.push(page.replace(name, "…"));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_the_old_one() {
    let world = World::new().await;
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    browser.sign_in_with(&password).await.expect(303);
    let new = administrator(&world).await;
    assert!(!browser.is_in().await);
    browser.sign_in_with(&password).await.expect(403);
    browser.sign_in_with(&new).await.expect(303);
}

#[tokio::test]
async fn passwords_can_be_turned_off() {
    let world = World::with("[sign_in]\npassword = false\n").await;
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    browser.sign_in_with(&password).await.expect(403);
    let page = browser.get("/sign-in").await.expect(200);
    assert!(
        !String::from_utf8(page.body)
            .unwrap()
            .contains("type=\"password\"")
    );
}
