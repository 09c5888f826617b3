//! Every page of the console, looked at in light, in dark and on a phone.

use serde_json::json;
use usher_console::PAGES;

use super::lived_in::{Ids, live_in};
use super::{Console, Manner};

/// What is asked for by pages, and is none.
const NO_PAGES: &[&str] = &[
    "/live",
    "/orders/{order}/logo",
    "/rooms/{room}/members.csv",
    "/audit.csv",
];

/// Pages that are looked at in more than one state: a name for the picture, the path, and which id is put into it.
const STATES: &[(&str, &str, &str)] = &[
    ("order-submitted", "/orders/{order}", "order-submitted"),
    ("order-ready", "/orders/{order}", "order-ready"),
    ("order-rejected", "/orders/{order}", "order-rejected"),
    ("room-before-people", "/rooms/{room}", "room-ready"),
];

#[tokio::test]
async fn every_page_is_usable_by_everybody_in_light_in_dark_and_on_a_phone() {
    let Some(mut console) = Console::new().await else {
        return;
    };
    let ids = live_in(&console.stage, "").await;
    console.sign_in("admin", Manner::Clicking);
    let mut faults = Vec::new();
    let mut looked_at = 0;
    for (picture, path) in pages(&ids) {
        let seen = console.browser.step(
            "admin",
            "survey.page",
            &json!({ "path": path, "picture": picture }),
        );
        assert_eq!(seen["status"], 200, "{path}: {}", seen["text"]);
        let found = seen["faults"].as_array().into_iter().flatten();
        faults.extend(found.map(|fault| format!("{path}: {}", fault.as_str().unwrap_or_default())));
        looked_at += 1;
    }
    assert!(looked_at > 20, "only {looked_at} pages");
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// All pages, with a name for the picture of each.
pub(super) fn pages(ids: &Ids) -> Vec<(String, String)> {
    let shown = PAGES
        .iter()
        .filter(|(method, path, _)| *method == "GET" && !NO_PAGES.contains(path))
        .map(|(_, path, _)| (picture(path), filled(path, ids)));
    let states = STATES.iter().map(|(picture, path, id)| {
        let at = path.find('{').expect("the path names an id");
        ((*picture).to_owned(), format!("{}{}", &path[..at], ids[id]))
    });
    shown.chain(states).collect()
}

/// `/orders/{order}/edit` as `order-edit`, `/rooms` as `rooms`.
fn picture(path: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(id) => {
                words.pop();
                words.push(id);
            }
            None => words.push(part),
        }
    }
    match words.as_slice() {
        [] => "overview".to_owned(),
        words => words.join("-"),
    }
}

fn filled(path: &str, ids: &Ids) -> String {
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        // Only an order that nobody accepted yet may be changed.
        Some("order") if path.ends_with("/edit") => ids["order-submitted"].clone(),
        Some(name) => ids
            .get(name)
            .unwrap_or_else(|| panic!("{path} needs {name}: let `live_in` keep one"))
            .clone(),
        None => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
