//! What strangers try by way of the console.

use serde_json::{Value, json};

use super::lived_in::live_in;
use super::pages::pages;
use super::{Console, Manner, NEIGHBOUR, STRANGER};
use crate::harness::Client;

/// Follows every name. Each part would make an element with the attribute `data-intruder` where it is not escaped: in text,
/// in an attribute with either quote, in a text area, a title, a script and a comment.
const MARK: &str = concat!(
    " <b data-intruder>\"'><img src=x data-intruder onerror=alert(1)>",
    "</textarea></title></script><svg data-intruder onload=alert(2)>\u{202e}",
);

/// What pages take from their addresses.
const PARAMETERS: [&str; 16] = [
    "q", "next", "done", "cursor", "at", "after", "before", "kind", "actor", "person", "room", "source",
    "state", "all", "message", "error",
];

#[tokio::test]
async fn no_text_of_an_identity_provider_or_a_person_becomes_part_of_a_page() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    let ids = live_in(&console.stage, MARK).await;
    let claims =
        json!({ "name": format!("Alma{MARK}"), "email": "alma@contoso.com", "roles": ["Usher.Admin"] });
    console.provider.account("admin", &claims);
    console.sign_in("admin", Manner::Clicking);
    let paths: Vec<String> = pages(&ids).into_iter().map(|(_, path)| path).collect();

    let browser = &mut console.browser;
    let found = browser.step("admin", "attacks.visit", &json!({ "paths": paths }));
    assert_eq!(found, json!([]), "stored: {found:#}");

    let addresses = json!({ "paths": paths, "parameters": PARAMETERS, "text": MARK });
    let found = browser.step("admin", "attacks.reflect", &addresses);
    assert_eq!(found, json!([]), "reflected from the address: {found:#}");

    let forms = json!({ "paths": paths, "text": MARK, "leave": ["/archive", "/revoke", "/sign-out", "/sessions/end"] });
    let done = browser.step("admin", "attacks.fill", &forms);
    assert_eq!(
        done["found"],
        json!([]),
        "reflected from a form: {:#}",
        done["found"]
    );
    assert!(
        done["sent"].as_array().map_or(0, Vec::len) > 10,
        "{:#}",
        done["sent"]
    );

    let found = browser.step(
        "admin",
        "attacks.visit",
        &json!({ "paths": ["/", "/orders", "/rooms", "/audit"] }),
    );
    assert_eq!(found, json!([]), "stored by a form: {found:#}");

    browser.open("nobody", Manner::Clicking);
    let door = json!({ "paths": ["/sign-in", "/no/such/page"], "parameters": PARAMETERS, "text": MARK });
    let found = browser.step("nobody", "attacks.reflect", &door);
    assert_eq!(found, json!([]), "reflected to a stranger: {found:#}");
}

#[tokio::test]
async fn a_page_of_another_origin_can_neither_act_nor_look() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    console.sign_in("sven", Manner::Clicking);
    let fields = json!({ "room": "Board", "person": "ben@contoso.com", "csrf": "guessed", "name": "admin", "password": "x" });
    for from in [NEIGHBOUR, STRANGER] {
        for path in ["/orders", "/restores", "/sign-out"] {
            for media_type in [
                "application/x-www-form-urlencoded",
                "multipart/form-data",
                "text/plain",
            ] {
                let form = json!({ "from": from, "path": path, "fields": fields, "type": media_type });
                let shown = console.browser.step("sven", "attacks.forge", &form);
                let to_sign_in = shown["status"] == 303 && shown["location"] == "/sign-in";
                assert!(
                    shown["status"] == 403 || to_sign_in,
                    "{from} {path} {media_type}: {shown:#}"
                );
            }
        }
        let frame = json!({ "from": from, "path": "/orders" });
        console.browser.watched("sven", "attacks.frame", &frame);
        let shown = console.browser.step("sven", "tab.look", &Value::Null);
        assert_eq!(shown["heading"], "Prize");
    }
    let still = console
        .browser
        .step("sven", "tab.visit", &json!({ "path": "/orders" }));
    assert!(
        still["text"]
            .as_str()
            .unwrap_or_default()
            .contains("Sven Support"),
        "signed out by a stranger"
    );
}

#[tokio::test]
async fn a_logo_can_only_be_looked_at() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    let admin = console.stage.world.api(&console.stage.server);
    let order = json!({
        "customer": "Contoso AG", "room_name": "Board", "administrator": "ada@contoso.com", "all_content": false,
        "model": "closed", "source": "idp", "group": "Board", "named_by": "name", "expected": 5,
        "requester": "rita@contoso.com",
    });
    let order = admin.post("/orders", &order).await.expect(201).id();
    console.sign_in("sven", Manner::Clicking);
    let mut kept = 0;
    for picture in SVGS {
        let path = format!("/orders/{order}/logo");
        let answer = put_picture(&admin, &path, picture).await;
        if answer == 422 {
            continue;
        }
        assert_eq!(answer, 204, "{picture}");
        kept += 1;
        let shown = console
            .browser
            .step("sven", "attacks.open", &json!({ "path": path }));
        assert_eq!(shown["status"], 200, "{picture}");
        assert_eq!(shown["sniffing"], "nosniff");
        let policy = shown["policy"].as_str().unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{picture}: {policy}");
    }
    assert!(kept > 0, "no picture was kept, so nothing was looked at");
    assert!(kept < SVGS.len(), "every picture was kept");
}

/// Pictures that would do or fetch something.
const SVGS: &[&str] = &[
    "<svg xmlns='http://www.w3.org/2000/svg'><circle r='4'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><circle r='4'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><circle r='4'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><circle r='4' onclick='alert(1)'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg' xmlns:x='http://www.w3.org/1999/xhtml'><x:script>alert(1)</x:script></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><foreignObject><body xmlns='http://www.w3.org/1999/xhtml'><img src='x' onerror='alert(1)'/></body></foreignObject></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='http://prizes.example/picture.png'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><a href='javascript:alert(1)'><circle r='4'/></a></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><style>@import url(http://prizes.example/a.css);</style></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><circle r='4' style='fill:url(http://prizes.example/#a)'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><animate attributeName='href' values='javascript:alert(1)'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><set attributeName='onload' to='alert(1)'/></svg>",
    "<svg xmlns='http://www.w3.org/2000/svg'><use href='data:image/svg+xml,&lt;svg onload=alert(1)&gt;#a'/></svg>",
    "<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg xmlns='http://www.w3.org/2000/svg'><text>&x;</text></svg>",
    "<?xml-stylesheet href='http://prizes.example/a.css'?><svg xmlns='http://www.w3.org/2000/svg'><circle r='4'/></svg>",
    "<html><svg xmlns='http://www.w3.org/2000/svg'></svg><script>alert(1)</script></html>",
    "<svg><script>alert(1)</script></svg>",
];

/// Keeps a picture as the logo; the status.
async fn put_picture(admin: &Client, path: &str, picture: &str) -> u16 {
    let headers = [("content-type", "application/octet-stream")];
    let body = Some(picture.as_bytes().to_vec());
    admin
        .send_raw(reqwest::Method::PUT, path, &headers, body)
        .await
        .status
}
