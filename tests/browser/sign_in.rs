//! Signing in at oidc-provider, and everything that must not work.

use serde_json::{Value, json};

use super::{ACCOUNTS, Console, Manner, PROVIDER};

#[tokio::test]
async fn the_role_comes_from_the_claim_and_nobody_without_one_gets_in() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    for ((account, name, _), role) in
        ACCOUNTS
            .into_iter()
            .zip(["Viewer", "Requester", "Customer IT", "Support", "Administrator"])
    {
        let shown = console.sign_in(account, Manner::WithoutScript);
        assert_eq!(shown["path"], "/", "{account}");
        for expected in [name, role] {
            assert!(
                text(&shown).contains(expected),
                "{account}: {expected} in {}",
                text(&shown)
            );
        }
    }
    let path = json!({ "path": "/settings" });
    let refused = console.browser.step("rita", "tab.visit", &path);
    assert_eq!(refused["status"], 403, "{}", text(&refused));

    let several = json!({ "name": "Mia", "email": "mia@contoso.com", "roles": ["Other.Role", "Usher.It", "Usher.Viewer"] });
    console.provider.account("mia", &several);
    assert!(text(&console.sign_in("mia", Manner::WithoutScript)).contains("Customer IT"));

    for (account, claims) in [
        (
            "olaf",
            json!({ "name": "Olaf", "email": "olaf@contoso.com", "roles": ["Other.Role"] }),
        ),
        ("otto", json!({ "name": "Otto", "email": "otto@contoso.com" })),
    ] {
        console.provider.account(account, &claims);
        let shown = console.sign_in(account, Manner::WithoutScript);
        assert!(text(&shown).contains("role"), "{account}: {}", text(&shown));
        console.expect_stranger(account);
    }
}

#[tokio::test]
async fn a_token_that_is_not_for_this_sign_in_is_refused() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    for (what, forged) in [
        ("another audience", json!({ "aud": "somebody-else" })),
        (
            "two audiences and no authorized party",
            json!({ "aud": ["usher", "somebody-else"], "azp": "somebody-else" }),
        ),
        ("another issuer", json!({ "iss": "http://127.0.0.1:9" })),
        (
            "an end in the past",
            json!({ "iat": 1_700_000_000, "exp": 1_700_000_600 }),
        ),
        ("another nonce", json!({ "nonce": "of another sign-in" })),
        ("no nonce", json!({ "nonce": null })),
    ] {
        console.provider.forge(&forged);
        let shown = console.sign_in("sven", Manner::WithoutScript);
        assert!(
            text(&shown).to_lowercase().contains("sign in"),
            "{what}: {}",
            text(&shown)
        );
        console.expect_stranger("sven");
    }
    console.provider.forge(&Value::Null);

    console.sign_in("sven", Manner::WithoutScript);
    console.provider.replay(true);
    console.sign_in("rita", Manner::WithoutScript);
    console.expect_stranger("rita");
    console.provider.replay(false);
    assert!(text(&console.sign_in("rita", Manner::WithoutScript)).contains("Rita Sommer"));
}

#[tokio::test]
async fn an_answer_of_the_provider_is_good_once_and_for_the_browser_that_asked() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    let caught = |console: &mut Console, account: &str| {
        console.browser.open(account, Manner::WithoutScript);
        let with = json!({ "label": PROVIDER, "account": account });
        let address = console.browser.step(account, "sign_in.caught", &with);
        address.as_str().expect("the provider answered").to_owned()
    };

    let svens = caught(&mut console, "sven");
    console.browser.open("thief", Manner::WithoutScript);
    console
        .browser
        .step("thief", "tab.visit", &json!({ "path": svens }));
    console.expect_stranger("thief");

    let ritas = caught(&mut console, "rita");
    let with_stolen_code = exchanged(&ritas, "code", &svens);
    console
        .browser
        .step("rita", "tab.visit", &json!({ "path": with_stolen_code }));
    console.expect_stranger("rita");

    let ivos = caught(&mut console, "ivo");
    let shown = console.browser.step("ivo", "tab.visit", &json!({ "path": ivos }));
    assert!(text(&shown).contains("Ivo Brand"), "{}", text(&shown));
    console.browser.step("ivo", "sign_in.out", &Value::Null);
    console.browser.step("ivo", "tab.visit", &json!({ "path": ivos }));
    console.expect_stranger("ivo");
}

#[tokio::test]
async fn after_signing_out_nothing_that_was_kept_is_worth_anything() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    let before = console.sign_in("sven", Manner::Clicking);
    assert!(text(&before).contains("Sven Support"));
    let cookies = console.browser.step("sven", "tab.cookies", &Value::Null);
    let session = cookies.as_array().into_iter().flatten();
    let session: Vec<&Value> = session
        .filter(|cookie| cookie["name"].as_str().is_some_and(|name| name.contains("usher")))
        .collect();
    assert!(!session.is_empty(), "{cookies:#}");
    for cookie in &session {
        assert_eq!(cookie["httpOnly"], true, "{cookie:#}");
        assert_eq!(cookie["sameSite"], "Lax", "{cookie:#}");
    }

    console.browser.open("kept", Manner::WithoutScript);
    console
        .browser
        .step("kept", "tab.take", &json!({ "cookies": session }));
    let shown = console
        .browser
        .step("kept", "tab.visit", &json!({ "path": "/orders" }));
    assert!(
        text(&shown).contains("Sven Support"),
        "the cookies are the session"
    );

    let out = console.browser.step("sven", "sign_in.out", &Value::Null);
    assert!(!text(&out).contains("Sven Support"), "{}", text(&out));
    let back = console.browser.step("sven", "tab.back", &Value::Null);
    assert!(
        !text(&back).contains("Sven Support"),
        "the browser kept the page: {}",
        text(&back)
    );
    console.expect_stranger("sven");
    console.expect_stranger("kept");
}

impl Console {
    /// Fails the test if whoever uses this tab is signed in.
    #[track_caller]
    fn expect_stranger(&mut self, tab: &str) {
        let shown = self.browser.step(tab, "tab.visit", &json!({ "path": "/orders" }));
        assert_eq!(shown["path"], "/sign-in", "{tab} is inside: {}", text(&shown));
    }
}

fn text(shown: &Value) -> &str {
    shown["text"].as_str().unwrap_or_default()
}

/// The address with the value of one parameter taken from another address.
fn exchanged(address: &str, parameter: &str, other: &str) -> String {
    let value = |address: &str| {
        let (_, query) = address.split_once('?').expect("the answer has a query");
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs
            .find(|(name, _)| *name == parameter)
            .expect("the answer has the parameter");
        value.to_owned()
    };
    address.replace(&value(address), &value(other))
}
