//! Sessions: their ends, and who ends them.

use std::time::Duration;

use http::{Request, header};
use serde_json::json;
use usher_core::Role;
use usher_server::Usher;

use super::{Browser, SESSION, administrator, person, with_provider};
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_when_its_time_is_over() {
    let world = World::new().await;
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    browser.sign_in_with(&password).await.expect(303);
    world.clock.advance(8 * HOUR);
    assert!(!browser.is_in().await, "nobody was here");
    assert!(!browser.cookies.contains_key(SESSION), "the cookie is taken back");

    browser.sign_in_with(&password).await.expect(303);
    for _ in 0..11 {
        world.clock.advance(HOUR);
        assert!(browser.is_in().await);
    }
    world.clock.advance(HOUR);
    assert!(!browser.is_in().await, "the session was long enough");
}

#[tokio::test]
async fn another_node_and_the_next_process_know_a_session() {
    let world = World::new().await;
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    browser.sign_in_with(&password).await.expect(303);
    let cookies = browser.cookies.clone();
    let world = world.restarted(&Usher::new()).await;
    let mut browser = Browser::new(&world);
    browser.cookies = cookies;
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn a_sign_in_takes_the_place_of_what_the_browser_had() {
    let world = World::new().await;
    let password = administrator(&world).await;
    let mut browser = Browser::new(&world);
    // Planted by somebody else: never taken on.
    browser
        .cookies
        .insert(SESSION.to_owned(), "chosen-by-an-attacker".to_owned());
    assert!(!browser.is_in().await);
    browser
        .cookies
        .insert(SESSION.to_owned(), "chosen-by-an-attacker".to_owned());
    browser.sign_in_with(&password).await.expect(303);
    assert_ne!(browser.cookies[SESSION], "chosen-by-an-attacker");

    let mut before = browser.copy();
    browser.sign_in_with(&password).await.expect(303);
    assert_ne!(browser.cookies[SESSION], before.cookies[SESSION]);
    assert!(
        !before.is_in().await,
        "a sign-in begins with a new secret, and the old one is over"
    );
    assert!(browser.is_in().await);
    // On https the name without the prefix says nothing.
    let secret = browser.cookies.remove(SESSION).unwrap();
    browser.cookies.insert("usher".to_owned(), secret);
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_of_this_person() {
    let (world, provider) = with_provider("").await;
    let (mut desk, mut phone, mut other) = (Browser::new(&world), Browser::new(&world), Browser::new(&world));
    desk.sign_in().await.expect(303);
    phone.sign_in().await.expect(303);
    let mut bob = person("it");
    bob["sub"] = json!("bob");
    provider.says(bob);
    other.sign_in().await.expect(303);

    let csrf = desk.csrf().await;
    let left = desk
        .post("/sign-out", &[("csrf", &csrf), ("everywhere", "yes")])
        .await
        .expect(303);
    assert_eq!(left.header(header::LOCATION), "/sign-in?signed_out=everywhere");
    assert!(!desk.is_in().await && !phone.is_in().await);
    assert!(other.is_in().await);
}

#[tokio::test]
async fn a_provider_that_is_taken_out_of_the_configuration_has_nobody_signed_in() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    browser.sign_in().await.expect(303);
    let cookies = browser.cookies.clone();
    let mut config = (*world.state.config).clone();
    config.sign_in.providers.clear();
    let rules = config.check(Usher::new().registry()).unwrap();
    let state = usher_server::state(
        world.engine.clone(),
        config.into(),
        &rules,
        "https://usher.example",
    );
    let mut world = world;
    world.router = usher_server::router(state.await.unwrap());
    let mut browser = Browser::new(&world);
    browser.cookies = cookies;
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn the_api_lists_and_ends_sessions() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    browser.sign_in().await.expect(303);
    let admin = world.role_token(Role::Admin).await.token;
    let call = async |method: &str, path: &str, token: &str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        world.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    let listed = call("GET", "/sessions", &admin).await.expect(200).json();
    let session = &listed["items"][0];
    assert_eq!(session["name"], "Ada Lovelace", "{listed}");
    assert_eq!(
        (&session["role"], &session["provider"]),
        (&json!("admin"), &json!("idp"))
    );
    assert!(!listed.to_string().contains(&browser.cookies[SESSION]));

    // Others see and end their own alone; a token has none.
    let it = world.role_token(Role::It).await.token;
    let own = call("GET", "/sessions", &it).await.expect(200).json();
    assert_eq!(own["items"], json!([]));
    let revoke = format!("/sessions/{}/revoke", session["id"].as_str().unwrap());
    call("POST", &revoke, &it).await.expect(404);
    assert!(browser.is_in().await);
    call("POST", &revoke, &admin).await.expect(200);
    assert!(!browser.is_in().await);
    let listed = call("GET", "/sessions", &admin).await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
}
