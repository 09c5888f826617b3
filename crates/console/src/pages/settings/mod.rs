//! `/settings`: the organisation and its rules, e-mail, webhooks, tokens of the API, and who is signed in.

mod notifications;
mod rules;
mod sessions;
mod tokens;
mod webhook;
mod webhooks;

use axum::Router;

use crate::html::Tab;
use crate::visit::{Site, Visit};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .merge(rules::router())
        .merge(notifications::router())
        .merge(webhooks::router())
        .merge(webhook::router())
        .merge(tokens::router())
        .merge(sessions::router())
}

/// The settings that a viewer may see, with the page that is shown.
fn tabs(visit: &Visit, current: &str) -> Vec<Tab> {
    const ALL: [(&str, &str); 5] = [
        ("/settings", "Organisation and rules"),
        ("/settings/notifications", "E-mail"),
        ("/settings/webhooks", "Webhooks"),
        ("/settings/tokens", "API tokens"),
        ("/settings/sessions", "Who is signed in"),
    ];
    let shown = ALL.into_iter().filter(|(href, _)| visit.may("GET", href));
    shown
        .map(|(href, label)| Tab {
            href: href.to_owned(),
            label,
            count: None,
            current: href == current,
        })
        .collect()
}
