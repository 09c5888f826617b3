//! Which role may see and do what: one table, and the one place that enforces it.

use axum::extract::{MatchedPath, OriginalUri, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::Method;
use usher_core::Role;

use crate::{Failure, Viewer};

use Role::{Admin, It, Requester, Support, Viewer as Reader};

const ALL: &[Role] = &[Requester, Reader, It, Support, Admin];
const READ: &[Role] = &[Reader, It, Support, Admin];
const ORDER: &[Role] = &[Requester, It, Support, Admin];
const BOTH_SIDES: &[Role] = &[It, Support, Admin];
const VENDOR: &[Role] = &[Support, Admin];
const ADMIN: &[Role] = &[Admin];

/// Method and path of each page, and who may use it. What is not in here is answered 404.
pub const PAGES: &[(&str, &str, &[Role])] = &[
    ("GET", "/", ALL),
    ("GET", "/live", ALL),
    // Orders
    ("GET", "/orders", ALL),
    ("GET", "/orders/new", ORDER),
    ("POST", "/orders", ORDER),
    ("GET", "/orders/{order}", ALL),
    ("GET", "/orders/{order}/edit", ORDER),
    ("POST", "/orders/{order}/edit", ORDER),
    ("GET", "/orders/{order}/logo", ALL),
    ("POST", "/orders/{order}/logo", ORDER),
    ("POST", "/orders/{order}/submit", ORDER),
    ("POST", "/orders/{order}/withdraw", ORDER),
    ("POST", "/orders/{order}/reject", VENDOR),
    ("POST", "/orders/{order}/accept", VENDOR),
    ("POST", "/orders/{order}/room-ready", VENDOR),
    ("POST", "/orders/{order}/confirm", VENDOR),
    ("POST", "/orders/{order}/administrator", ORDER),
    ("POST", "/orders/{order}/raise-administrator", VENDOR),
    ("POST", "/orders/{order}/end-bootstrap", VENDOR),
    ("POST", "/orders/{order}/go-live", VENDOR),
    // Rooms
    ("GET", "/rooms", READ),
    ("GET", "/rooms/{room}", READ),
    ("GET", "/rooms/{room}/members.csv", READ),
    ("GET", "/rooms/{room}/former", READ),
    ("GET", "/rooms/{room}/waiting", READ),
    ("GET", "/rooms/{room}/strays", READ),
    ("GET", "/rooms/{room}/history", READ),
    ("POST", "/rooms/{room}/archive", VENDOR),
    ("POST", "/rooms/{room}/reopen", VENDOR),
    ("POST", "/rooms/{room}/members", VENDOR),
    ("GET", "/rooms/{room}/members/{membership}", READ),
    ("POST", "/rooms/{room}/members/{membership}/level", VENDOR),
    ("POST", "/rooms/{room}/members/{membership}/end", VENDOR),
    ("POST", "/rooms/{room}/members/{membership}/make-manual", VENDOR),
    ("POST", "/rooms/{room}/members/{membership}/until", VENDOR),
    ("GET", "/rooms/{room}/groups", READ),
    ("POST", "/rooms/{room}/groups", BOTH_SIDES),
    ("GET", "/rooms/{room}/groups/{mapping}", READ),
    ("POST", "/rooms/{room}/groups/{mapping}/confirm", VENDOR),
    ("POST", "/rooms/{room}/groups/{mapping}/change", BOTH_SIDES),
    ("POST", "/rooms/{room}/groups/{mapping}/bind", BOTH_SIDES),
    ("POST", "/rooms/{room}/groups/{mapping}/unbind", BOTH_SIDES),
    ("GET", "/rooms/{room}/groups/{mapping}/retire", READ),
    ("POST", "/rooms/{room}/groups/{mapping}/retire", VENDOR),
    ("GET", "/rooms/{room}/groups/{mapping}/replace", READ),
    ("POST", "/rooms/{room}/groups/{mapping}/replace", VENDOR),
    // People
    ("GET", "/persons", READ),
    ("GET", "/persons/{person}", READ),
    ("POST", "/persons/{person}/link", BOTH_SIDES),
    // Sources
    ("GET", "/sources", READ),
    ("GET", "/sources/{source}", READ),
    ("GET", "/sources/{source}/check", BOTH_SIDES),
    ("POST", "/sources/{source}/sync", BOTH_SIDES),
    ("GET", "/sources/{source}/runs", READ),
    ("GET", "/sources/{source}/drift", READ),
    ("GET", "/sources/{source}/requests", READ),
    ("GET", "/sources/{source}/setup", READ),
    ("GET", "/sources/{source}/access", ADMIN),
    ("POST", "/sources/{source}/tokens", ADMIN),
    ("POST", "/sources/{source}/tokens/{token}/rotate", ADMIN),
    ("POST", "/sources/{source}/tokens/{token}/revoke", ADMIN),
    ("POST", "/sources/{source}/keys", ADMIN),
    ("POST", "/sources/{source}/keys/{key}/revoke", ADMIN),
    // Audit
    ("GET", "/audit", READ),
    ("GET", "/audit.csv", READ),
    // Settings
    ("GET", "/settings", READ),
    ("POST", "/settings/rules", ADMIN),
    ("GET", "/settings/notifications", BOTH_SIDES),
    ("POST", "/settings/notifications/test", ADMIN),
    ("POST", "/settings/notifications/{mail}/retry", ADMIN),
    ("GET", "/settings/webhooks", ADMIN),
    ("POST", "/settings/webhooks", ADMIN),
    ("GET", "/settings/webhooks/{webhook}", ADMIN),
    ("POST", "/settings/webhooks/{webhook}/change", ADMIN),
    ("POST", "/settings/webhooks/{webhook}/pause", ADMIN),
    ("POST", "/settings/webhooks/{webhook}/resume", ADMIN),
    ("POST", "/settings/webhooks/{webhook}/rotate", ADMIN),
    ("POST", "/settings/webhooks/{webhook}/test", ADMIN),
    ("POST", "/settings/webhooks/{webhook}/replay", ADMIN),
    ("POST", "/settings/webhooks/{webhook}/remove", ADMIN),
    ("GET", "/settings/tokens", ADMIN),
    ("POST", "/settings/tokens", ADMIN),
    ("POST", "/settings/tokens/{token}/rotate", ADMIN),
    ("POST", "/settings/tokens/{token}/revoke", ADMIN),
    ("GET", "/settings/sessions", ADMIN),
    ("POST", "/settings/sessions/{session}/revoke", ADMIN),
    // Holds
    ("GET", "/holds", READ),
    ("GET", "/holds/{hold}", READ),
    ("POST", "/holds/{hold}/approve", BOTH_SIDES),
    ("POST", "/holds/{hold}/reject", BOTH_SIDES),
    // Restores
    ("GET", "/restores", READ),
    ("POST", "/restores", VENDOR),
    ("GET", "/restores/{restore}", READ),
    ("POST", "/restores/{restore}/apply", VENDOR),
    ("POST", "/restores/{restore}/undo", VENDOR),
    ("POST", "/restores/{restore}/close", VENDOR),
];

/// Whether this role may use a page.
pub(crate) fn may(role: Role, method: &str, path: &str) -> bool {
    PAGES
        .iter()
        .any(|(known, at, roles)| *known == method && *at == path && roles.contains(&role))
}

/// Lets a request pass whose viewer has a role of the table; sends whoever is not signed in to where one signs in.
pub(crate) async fn authorise(request: Request, next: Next) -> Result<Response, Failure> {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let method = if request.method() == Method::HEAD {
        Method::GET
    } else {
        request.method().clone()
    };
    // A program at a wrong address is told so, and not led to a page for people.
    let path = path.ok_or(Failure::NotFound)?;
    let Some(viewer) = request.extensions().get::<Viewer>() else {
        return Ok(to_sign_in(&method, &request));
    };
    if may(viewer.role, method.as_str(), &path) {
        return Ok(next.run(request).await);
    }
    let exists = PAGES
        .iter()
        .any(|(known, at, _)| *known == method.as_str() && *at == path);
    Err(if exists {
        Failure::Forbidden
    } else {
        Failure::NotFound
    })
}

/// A page that was asked for is come back to; a form is not sent again by itself.
fn to_sign_in(method: &Method, request: &Request) -> Response {
    let uri = request
        .extensions()
        .get::<OriginalUri>()
        .map_or_else(|| request.uri().clone(), |uri| uri.0.clone());
    let wanted = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if method != Method::GET || wanted == "/" || wanted.starts_with("/live") {
        return Redirect::to("/sign-in").into_response();
    }
    let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    Redirect::to(&format!("/sign-in?next={next}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portal_has_no_pages_and_no_page_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for (method, path, roles) in PAGES {
            assert!(
                !roles.contains(&Role::App) && !roles.is_empty(),
                "{method} {path}"
            );
            assert!(seen.insert((method, path)), "{method} {path} is there twice");
        }
    }
}
