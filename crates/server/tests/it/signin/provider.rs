//! By a provider, and by answers that a provider never gave.

use std::time::Duration;

use http::header;
use serde_json::json;
use usher_fakes::oidc::Signing;

use super::{ATTEMPT, Browser, SESSION, START, person, with_provider};
use crate::world::Answer;

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[tokio::test]
async fn a_sign_in_leads_on_to_where_it_was_for() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    let asked = browser.get("/orders?state=live").await.expect(303);
    assert_eq!(
        asked.header(header::LOCATION),
        "/sign-in?next=%2Forders%3Fstate%3Dlive"
    );
    let page = browser.get("/sign-in?next=/orders").await.expect(200);
    assert!(
        text(&page).contains("Sign in with <bdi>Contoso</bdi>"),
        "{}",
        text(&page)
    );

    let url = browser.begin("/orders?state=live").await;
    for part in [
        "response_type=code",
        "code_challenge_method=S256",
        "state=",
        "nonce=",
        "scope=openid+profile+email",
    ] {
        assert!(url.contains(part), "{url}");
    }
    let back = browser.visit(&url).await;
    let entered = browser.get(&back).await.expect(303);
    assert_eq!(entered.header(header::LOCATION), "/orders?state=live");
    assert!(browser.is_in().await);
    assert!(!browser.cookies.contains_key(ATTEMPT));
    let again = browser.get("/sign-in?next=/holds").await.expect(303);
    assert_eq!(again.header(header::LOCATION), "/holds");
}

#[tokio::test]
async fn cookies_are_for_this_host_and_for_no_script() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    let url = browser.begin("/").await;
    let back = browser.visit(&url).await;
    let entered = browser.get(&back).await.expect(303);
    let cookies: Vec<_> = entered.headers.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    let session = cookies[0].to_str().unwrap();
    assert!(session.starts_with("__Host-usher="), "{session}");
    assert!(
        session.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{session}"
    );
    assert_eq!(
        cookies[1],
        "__Host-usher-sign-in=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"
    );
    assert_eq!(entered.header(header::CACHE_CONTROL), "no-store");
}

#[tokio::test]
async fn tokens_that_are_not_to_be_believed_let_nobody_in() {
    let (world, provider) = with_provider("").await;
    let with = |more: serde_json::Value| {
        let mut claims = person("admins");
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let cases = [
        (
            "another audience",
            with(json!({ "aud": "other" })),
            Signing::Right,
        ),
        (
            "one more audience",
            with(json!({ "aud": ["usher", "other"] })),
            Signing::Right,
        ),
        ("no audience", with(json!({ "aud": null })), Signing::Right),
        (
            "another issuer",
            with(json!({ "iss": "https://evil.example" })),
            Signing::Right,
        ),
        ("another client", with(json!({ "azp": "other" })), Signing::Right),
        (
            "expired",
            with(json!({ "iat": START - 900, "exp": START - 61 })),
            Signing::Right,
        ),
        (
            "of the future",
            with(json!({ "iat": START + 120 })),
            Signing::Right,
        ),
        (
            "a replayed nonce",
            with(json!({ "nonce": "of another sign-in" })),
            Signing::Right,
        ),
        ("no nonce", with(json!({ "nonce": null })), Signing::Right),
        ("another key", with(json!({})), Signing::OtherKey),
        ("no signature", with(json!({})), Signing::None),
        ("the client's secret", with(json!({})), Signing::Secret),
    ];
    for (case, claims, signing) in cases {
        provider.says(claims);
        provider.signs(signing);
        let mut browser = Browser::new(&world);
        let refused = browser.sign_in().await;
        assert_eq!(refused.status, 403, "{case}: {}", text(&refused));
        assert!(text(&refused).contains("not accepted"), "{case}");
        assert!(!browser.cookies.contains_key(SESSION), "{case}");
    }
    provider.says(with(json!({ "iat": START - 900, "exp": START - 30 })));
    provider.signs(Signing::Right);
    Browser::new(&world).sign_in().await.expect(303);
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_fetched() {
    let (world, provider) = with_provider("").await;
    Browser::new(&world).sign_in().await.expect(303);
    provider.signs(Signing::NewKey);
    world.clock.advance(Duration::from_secs(31));
    Browser::new(&world).sign_in().await.expect(303);
}

#[tokio::test]
async fn what_comes_back_comes_back_once_and_to_this_browser_alone() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    let url = browser.begin("/").await;
    let back = browser.visit(&url).await;

    // Somebody who got hold of the code, without and with a sign-in of their own.
    let mut thief = Browser::new(&world);
    thief.get(&back).await.expect(400);
    thief.begin("/").await;
    thief.get(&back).await.expect(400);
    let code = back
        .split(['?', '&'])
        .find(|part| part.starts_with("code="))
        .unwrap();
    let url = thief.begin("/").await;
    let state = url
        .split(['?', '&'])
        .find(|part| part.starts_with("state="))
        .unwrap();
    // The verifier is not the one that the code was made for.
    thief
        .get(&format!("/sign-in/idp/callback?{code}&{state}"))
        .await
        .expect(403);
    assert!(!thief.cookies.contains_key(SESSION));

    // Whoever copied cookies and address comes too late.
    let mut browser = Browser::new(&world);
    let url = browser.begin("/").await;
    let back = browser.visit(&url).await;
    let mut copy = browser.copy();
    browser.get(&back).await.expect(303);
    copy.get(&back).await.expect(400);
    assert!(!copy.cookies.contains_key(SESSION));
}

#[tokio::test]
async fn a_foreign_answer_does_not_use_up_a_sign_in() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    let url = browser.begin("/").await;
    let back = browser.visit(&url).await;
    for foreign in [
        "",
        "?state=x&code=y",
        "?state=&code=",
        "?error=access_denied&state=x",
    ] {
        browser
            .get(&format!("/sign-in/idp/callback{foreign}"))
            .await
            .expect(400);
    }
    browser
        .get(&format!("{}&iss=x", back.split("&iss").next().unwrap()))
        .await
        .expect(400);
    browser.get(&back).await.expect(303);
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn a_sign_in_that_took_too_long_begins_anew() {
    let (world, _provider) = with_provider("").await;
    let mut browser = Browser::new(&world);
    let url = browser.begin("/").await;
    let back = browser.visit(&url).await;
    world.clock.advance(Duration::from_secs(15 * 60 + 1));
    browser.get(&back).await.expect(400);
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn who_has_no_role_is_told_what_is_missing() {
    let (world, provider) = with_provider("").await;
    for (claims, told) in [
        (
            json!({ "name": "Eve", "roles": ["cooks", "<b>"] }),
            "says: cooks, &#60;b&#62;",
        ),
        (json!({ "name": "Eve" }), "said nothing about"),
        (
            json!({ "name": "Eve", "_claim_names": { "roles": "x" } }),
            "so many groups",
        ),
    ] {
        provider.says(claims);
        let mut browser = Browser::new(&world);
        let refused = browser.sign_in().await.expect(403);
        assert!(text(&refused).contains("knows you as Eve"), "{}", text(&refused));
        assert!(text(&refused).contains(told), "{told}\n{}", text(&refused));
        assert!(!browser.cookies.contains_key(SESSION));
    }
    // A requester's orders are found by address.
    provider.says(
        json!({ "name": "Eve", "roles": ["requesters"], "email": "e@x.example", "email_verified": false }),
    );
    Browser::new(&world).sign_in().await.expect(403);
}

#[tokio::test]
async fn claims_may_come_from_the_user_info_endpoint() {
    let (world, provider) = with_provider("user_info = true").await;
    provider.says(json!({}));
    provider
        .user_info_says(json!({ "sub": "ada", "name": "Ada", "email": "ada@contoso.com", "roles": "it" }));
    let mut browser = Browser::new(&world);
    browser.sign_in().await.expect(303);
    assert!(browser.is_in().await);
    provider.user_info_says(json!({ "sub": "bob", "roles": "admins" }));
    Browser::new(&world).sign_in().await.expect(403);
}

#[tokio::test]
async fn saying_no_there_is_no_here() {
    let (world, provider) = with_provider("").await;
    provider.denies(true);
    let mut browser = Browser::new(&world);
    let refused = browser.sign_in().await.expect(403);
    assert!(
        text(&refused).contains("did not let you in"),
        "{}",
        text(&refused)
    );
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let (world, _provider) = with_provider("").await;
    for evil in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/sign-out",
    ] {
        let mut browser = Browser::new(&world);
        let url = browser.begin(evil).await;
        let back = browser.visit(&url).await;
        let entered = browser.get(&back).await.expect(303);
        assert_eq!(entered.header(header::LOCATION), "/", "{evil}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_is_said_so() {
    let (world, provider) = with_provider("").await;
    drop(provider);
    let mut browser = Browser::new(&world);
    let refused = crate::world::eventually("the provider to be gone", Duration::from_secs(60), async || {
        let answer = browser.get("/sign-in/idp").await;
        (answer.status == 502).then_some(answer)
    });
    assert!(text(&refused.await).contains("cannot be asked right now"));
    Browser::new(&world).get("/sign-in/other").await.expect(404);
}
