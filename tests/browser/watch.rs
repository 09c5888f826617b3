//! The watch over a browser sees what it is there for.

use serde_json::json;

use super::{Console, Manner};

#[tokio::test]
async fn what_a_stranger_would_do_on_a_page_is_seen() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    let browser = &mut console.browser;
    browser.open("anybody", Manner::Clicking);
    browser.step("anybody", "tab.visit", &json!({ "path": "/sign-in" }));
    for (how, expected) in [
        ("inline script", "script-src"),
        ("foreign picture", "left the origin"),
        ("dialog", "dialog opened"),
        ("failure", "a script failed"),
    ] {
        let seen = browser.watched("anybody", "tab.misbehave", &json!({ "how": how }));
        assert!(seen.iter().any(|seen| seen.contains(expected)), "{how}: {seen:?}");
    }
}
