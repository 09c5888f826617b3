//! Every page shows itself, to whom it should.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, header};
use usher_console::PAGES;
use usher_core::Role;

use crate::canned::{CSRF, Canned, get, send};

/// Pages that can be shown on the canned answers, each with a role that sees most of it.
pub(crate) const SHOWN: &[(&str, Role)] = &[
    ("/", Role::Admin),
    ("/", Role::Requester),
    ("/orders", Role::Support),
    ("/orders?all=yes", Role::Viewer),
    ("/orders/new", Role::It),
    (
        "/orders/new?room_name=Board&group=x&administrator=a@contoso.com",
        Role::Requester,
    ),
    ("/orders/018f3a00-0000-7000-8000-000000000001", Role::Requester),
    ("/orders/018f3a00-0000-7000-8000-000000000001/edit", Role::It),
    ("/orders/018f3a00-0000-7000-8000-000000000002", Role::Support),
    ("/orders/018f3a00-0000-7000-8000-000000000003", Role::Support),
    ("/orders/018f3a00-0000-7000-8000-000000000004", Role::Support),
    ("/orders/018f3a00-0000-7000-8000-000000000004", Role::Viewer),
    ("/orders/018f3a00-0000-7000-8000-000000000005", Role::It),
    ("/orders/018f3a00-0000-7000-8000-000000000006", Role::Support),
    ("/orders/018f3a00-0000-7000-8000-000000000007", Role::Support),
    ("/orders/018f3a00-0000-7000-8000-000000000008", Role::Requester),
    ("/orders/018f3a00-0000-7000-8000-000000000009", Role::Viewer),
    ("/holds", Role::Viewer),
    ("/holds/018f3a00-0000-7000-8000-000000000501", Role::It),
    ("/holds/018f3a00-0000-7000-8000-000000000502", Role::Viewer),
    ("/restores", Role::Support),
    ("/restores?all=yes", Role::Viewer),
    ("/restores/018f3a00-0000-7000-8000-000000000701", Role::Support),
    ("/restores/018f3a00-0000-7000-8000-000000000702", Role::Support),
    ("/restores/018f3a00-0000-7000-8000-000000000703", Role::It),
    ("/rooms", Role::Admin),
    ("/rooms?q=zz&state=unattended", Role::Support),
    ("/rooms/018f3a00-0000-7000-8000-000000000001", Role::Admin),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001?at=2026-06-05T10:00",
        Role::Viewer,
    ),
    ("/rooms/018f3a00-0000-7000-8000-000000000001?q=ada", Role::Support),
    ("/rooms/018f3a00-0000-7000-8000-000000000001/former", Role::Viewer),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/waiting",
        Role::Viewer,
    ),
    ("/rooms/018f3a00-0000-7000-8000-000000000001/strays", Role::Viewer),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/history",
        Role::Viewer,
    ),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/history?who=former&kind=people",
        Role::Viewer,
    ),
    ("/rooms/018f3a00-0000-7000-8000-000000000001/groups", Role::Admin),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/groups/018f3a00-0000-7000-8000-000000000301",
        Role::Admin,
    ),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/groups/018f3a00-0000-7000-8000-000000000302",
        Role::Admin,
    ),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/groups/018f3a00-0000-7000-8000-000000000301/retire",
        Role::Support,
    ),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/groups/018f3a00-0000-7000-8000-000000000301/replace?group=Other&source=entra",
        Role::Support,
    ),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/members/018f3a00-0000-7000-8000-000000000201",
        Role::Admin,
    ),
    (
        "/rooms/018f3a00-0000-7000-8000-000000000001/members/018f3a00-0000-7000-8000-000000000203",
        Role::Admin,
    ),
    ("/persons", Role::Admin),
    ("/persons?q=ada", Role::Viewer),
    ("/persons/018f3a00-0000-7000-8000-000000000101", Role::Admin),
    (
        "/persons/018f3a00-0000-7000-8000-000000000101?room=018f3a00-0000-7000-8000-000000000001",
        Role::Viewer,
    ),
    ("/sources", Role::Admin),
    ("/sources/entra", Role::Admin),
    ("/sources/old", Role::Viewer),
    ("/sources/entra/check", Role::It),
    ("/sources/entra/runs", Role::Viewer),
    ("/sources/entra/drift", Role::Viewer),
    ("/sources/entra/requests", Role::Viewer),
    ("/sources/entra/access", Role::Admin),
    ("/sources/entra/setup", Role::Admin),
    ("/sources/okta/setup", Role::Viewer),
    ("/sources/old/setup", Role::Viewer),
    ("/audit", Role::Admin),
    (
        "/audit?room=Board&kind=membership.started&since=2026-06-01T10:00",
        Role::Viewer,
    ),
    ("/settings", Role::Admin),
    ("/settings/notifications", Role::Admin),
    ("/settings/webhooks", Role::Admin),
    (
        "/settings/webhooks/018f3a00-0000-7000-8000-000000000280",
        Role::Admin,
    ),
    ("/settings/tokens", Role::Admin),
    ("/settings/sessions", Role::Admin),
];

const ROLES: [Role; 5] = [
    Role::Viewer,
    Role::Requester,
    Role::It,
    Role::Support,
    Role::Admin,
];

#[tokio::test]
async fn every_page_shows_itself() {
    let canned = Arc::new(Canned::new());
    for (path, role) in SHOWN {
        let shown = get(&canned, *role, path).await;
        assert!(
            shown.status.is_success(),
            "{path}: {} {}",
            shown.status,
            shown.text
        );
        assert!(shown.text.contains("<h1"), "{path} has no heading");
        assert_eq!(shown.text.matches("<h1").count(), 1, "{path}");
        assert_eq!(shown.text.matches("<main ").count(), 1, "{path}");
    }
}

#[tokio::test]
async fn ids_are_on_a_page_once() {
    let canned = Arc::new(Canned::new());
    for (path, role) in SHOWN {
        let shown = get(&canned, *role, path).await;
        let mut seen = std::collections::BTreeSet::new();
        for id in shown
            .text
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(seen.insert(id.to_owned()), "{path}: the id '{id}' is there twice");
        }
        for label in shown
            .text
            .split("<label for=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(
                seen.contains(label),
                "{path}: the label of '{label}' has no field"
            );
        }
    }
}

#[tokio::test]
async fn each_role_gets_what_the_table_says() {
    let canned = Arc::new(Canned::new());
    for (method, path, roles) in PAGES {
        if *path == "/live" {
            continue;
        }
        let concrete = concrete(path);
        for role in ROLES {
            let request = Request::builder()
                .method(*method)
                .uri(&concrete)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .body(Body::from(format!("csrf={CSRF}")))
                .expect("a request");
            let shown = send(&canned, Some(role), request).await;
            let refused = shown.status == 403;
            assert_eq!(
                refused,
                !roles.contains(&role),
                "{method} {path} as {role}: {}",
                shown.text
            );
            assert!(
                shown.status != 405,
                "{method} {path} is in the table and nowhere else"
            );
        }
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_where_one_signs_in() {
    let canned = Arc::new(Canned::new());
    let ask = |path: &str| Request::get(path).body(Body::empty()).expect("a request");
    let shown = send(&canned, None, ask("/orders?all=yes")).await;
    assert_eq!(shown.status, 303);
    assert_eq!(shown.headers["location"], "/sign-in?next=%2Forders%3Fall%3Dyes");
    let shown = send(&canned, None, ask("//evil.example/")).await;
    assert_eq!(
        (shown.status.as_u16(), shown.headers.get("location")),
        (404, None)
    );
    assert!(canned.calls().is_empty());
}

#[tokio::test]
async fn no_form_is_taken_from_elsewhere() {
    let canned = Arc::new(Canned::new());
    for (method, path, roles) in PAGES.iter().filter(|(method, _, _)| *method != "GET") {
        let concrete = concrete(path);
        let request = |csrf: &str, site: &str| {
            Request::builder()
                .method(*method)
                .uri(&concrete)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("sec-fetch-site", site)
                .body(Body::from(format!("csrf={csrf}")))
                .expect("a request")
        };
        for (csrf, site) in [
            ("", "same-origin"),
            ("another", "same-origin"),
            (CSRF, "cross-site"),
        ] {
            let shown = send(&canned, Some(roles[0]), request(csrf, site)).await;
            assert_eq!(shown.status, 403, "{method} {path} with '{csrf}' from {site}");
            assert!(shown.text.contains("not from your session"), "{}", shown.text);
        }
    }
    assert!(canned.calls().is_empty(), "a foreign form reached the API");
}

/// A path of the table with an id in each place for one.
fn concrete(path: &str) -> String {
    let id = "018f3a00-0000-7000-8000-000000000001";
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { id } else { part });
    parts.collect::<Vec<_>>().join("/")
}
