//! Whatever an identity provider or a person types in comes out as text, on every page and in every field.

use std::sync::Arc;

use serde_json::Value;
use usher_core::{Role, Timestamp};
use uuid::Uuid;

use crate::canned::{Canned, get};
use crate::pages::SHOWN;

/// Markup, quotes of both kinds, a turn of the direction of writing and a control character.
const MARKUP: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}\u{7}";
/// An address that a browser would run.
const ADDRESS: &str = "javascript:alert(3)";
/// Fields whose words decide what a page looks like; nobody types them in.
const WORDS: &[&str] = &[
    "state", "kind", "mode", "outcome", "decision", "standing", "type", "cause",
];

#[tokio::test]
async fn markup_in_any_field_is_text_on_any_page() {
    for payload in [MARKUP, ADDRESS, &"long ".repeat(2_000), "\u{0}\u{1b}[31m"] {
        let canned = Canned::new().map(|_, answer| poison(answer, "", payload));
        let canned = Arc::new(canned);
        for (path, role) in SHOWN {
            let shown = get(&canned, *role, path).await;
            assert!(
                shown.status.is_success(),
                "{path}: {} {}",
                shown.status,
                shown.text
            );
            for tag in tags(&shown.text) {
                let tag = tag.to_lowercase();
                let runs = tag.starts_with("<script>")
                    || tag.starts_with("<img src=x")
                    || attributes(&tag).any(|name| name.starts_with("on") || name == "style");
                assert!(!runs, "{path}: {tag}");
                for address in ["href=\"", "src=\"", "action=\""] {
                    let local = tag
                        .split(address)
                        .skip(1)
                        .all(|rest| !rest.trim_start().starts_with("javascript:"));
                    assert!(local, "{path}: {tag}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_in_an_address_never_becomes_markup() {
    let canned = Arc::new(Canned::new());
    for (path, role) in SHOWN {
        let sign = if path.contains('?') { '&' } else { '?' };
        let query = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
        let names = [
            "done",
            "q",
            "cursor",
            "at",
            "kind",
            "room",
            "person",
            "all",
            "group",
            "room_name",
            "actor",
        ];
        let wanted: String = names.map(|name| format!("&{name}={query}")).concat();
        let shown = get(&canned, *role, &format!("{path}{sign}{}", &wanted[1..])).await;
        assert!(!shown.text.contains("<script>alert"), "{path}");
    }
}

#[tokio::test]
async fn the_policy_allows_nothing_inline_and_no_page_holds_any() {
    let canned = Arc::new(Canned::new());
    for (path, role) in SHOWN {
        let shown = get(&canned, *role, path).await;
        let policy = shown.headers["content-security-policy"].to_str().expect("text");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        for tag in tags(&shown.text) {
            let inline = attributes(tag).any(|name| name.starts_with("on") || name == "style");
            assert!(!inline && tag != "<script>" && tag != "<style>", "{path}: {tag}");
        }
    }
    let shown = get(&canned, Role::Admin, "/nowhere").await;
    assert!(shown.status == 404 && shown.headers.contains_key("content-security-policy"));
}

/// Replaces every text that somebody could have typed in.
fn poison(value: &mut Value, key: &str, payload: &str) {
    match value {
        Value::String(text) => {
            let fixed =
                WORDS.contains(&key) || text.parse::<Uuid>().is_ok() || text.parse::<Timestamp>().is_ok();
            if !fixed {
                payload.clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, key, payload)),
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(key, item)| poison(item, key, payload)),
        _ => {}
    }
}

/// The tags of a page, from bracket to bracket, as a browser reads them: quotes may hold brackets.
fn tags(text: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let mut quote = None;
        let end = rest.char_indices().find(|&(_, c)| match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                false
            }
            (Some(open), c) => {
                if c == open {
                    quote = None;
                }
                false
            }
            (None, c) => c == '>',
        });
        let end = end.map_or(rest.len(), |(at, _)| at + 1);
        tags.push(&rest[..end]);
        rest = &rest[end..];
    }
    tags
}

/// The names of a tag's attributes.
fn attributes(tag: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let split = tag.split(move |c: char| {
        if c == '"' {
            quoted = !quoted;
        }
        !quoted && c.is_whitespace()
    });
    split
        .skip(1)
        .map(|attribute| attribute.split('=').next().unwrap_or_default().trim())
}
