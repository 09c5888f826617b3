//! Which role may do what: one table, and the one place that enforces it.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use usher_core::Role;

use super::{ApiError, Caller};
use crate::access::AccessError;
use crate::lifecycle::Peer;
use crate::{AppState, api};

use Role::{Admin, App, It, Requester, Support, Viewer};

const READ: &[Role] = &[Viewer, It, Support, Admin];
const READ_AND_PORTAL: &[Role] = &[Viewer, It, Support, Admin, App];
/// A requester sees and changes their own orders only; the handlers see to it.
const READ_ORDERS: &[Role] = &[Requester, Viewer, It, Support, Admin];
const ORDER: &[Role] = &[Requester, It, Support, Admin];
/// Either side of the table: the customer's IT and the vendor.
const BOTH_SIDES: &[Role] = &[It, Support, Admin];
const VENDOR: &[Role] = &[Support, Admin];
const VENDOR_AND_PORTAL: &[Role] = &[Support, Admin, App];
const PORTAL: &[Role] = &[App, Admin];
const ADMIN: &[Role] = &[Admin];
/// Everybody who signs in; the handlers see to it that only an administrator gets at others' sessions.
const PEOPLE: &[Role] = &[Viewer, Requester, It, Support, Admin];

/// Method and path of each endpoint, and who may call it. What is not in here is answered 404 or 405.
pub const TABLE: &[(&str, &str, &[Role])] = &[
    ("GET", "/overview", READ),
    ("GET", "/order-choices", ORDER),
    ("POST", "/order-check", ORDER),
    ("GET", "/orders", READ_ORDERS),
    ("POST", "/orders", ORDER),
    ("GET", "/orders/{order}", READ_ORDERS),
    ("PATCH", "/orders/{order}", ORDER),
    ("POST", "/orders/{order}/submit", ORDER),
    ("POST", "/orders/{order}/withdraw", ORDER),
    ("GET", "/orders/{order}/mail", READ_ORDERS),
    ("GET", "/orders/{order}/logo", READ_ORDERS),
    ("PUT", "/orders/{order}/logo", ORDER),
    ("DELETE", "/orders/{order}/logo", ORDER),
    ("POST", "/orders/{order}/reject", VENDOR),
    ("POST", "/orders/{order}/accept", VENDOR),
    ("POST", "/orders/{order}/room-ready", VENDOR_AND_PORTAL),
    ("GET", "/orders/{order}/plan", READ),
    ("POST", "/orders/{order}/confirm", VENDOR),
    ("POST", "/orders/{order}/administrator", ORDER),
    ("POST", "/orders/{order}/raise-administrator", VENDOR),
    ("POST", "/orders/{order}/end-bootstrap", VENDOR),
    ("POST", "/orders/{order}/go-live", VENDOR),
    ("GET", "/rooms", READ_AND_PORTAL),
    ("POST", "/rooms", VENDOR),
    ("GET", "/rooms/{room}", READ_AND_PORTAL),
    ("GET", "/rooms/{room}/members", READ_AND_PORTAL),
    ("GET", "/rooms/{room}/members/export", READ),
    ("GET", "/rooms/{room}/stays", READ),
    ("GET", "/rooms/{room}/parked", READ),
    ("POST", "/rooms/{room}/portal", VENDOR_AND_PORTAL),
    ("POST", "/rooms/{room}/archive", VENDOR),
    ("POST", "/rooms/{room}/reopen", VENDOR),
    ("POST", "/rooms/{room}/members", VENDOR),
    ("GET", "/rooms/{room}/persons/{person}/explanation", READ),
    ("GET", "/rooms/{room}/persons/{person}/history", READ),
    ("GET", "/strays", READ),
    ("GET", "/mappings", READ),
    ("POST", "/mappings", BOTH_SIDES),
    ("GET", "/mappings/{mapping}", READ),
    ("PATCH", "/mappings/{mapping}", BOTH_SIDES),
    ("GET", "/mappings/{mapping}/plan", READ),
    ("POST", "/mappings/{mapping}/confirm", VENDOR),
    ("POST", "/mappings/{mapping}/bind", BOTH_SIDES),
    ("POST", "/mappings/{mapping}/unbind", BOTH_SIDES),
    ("POST", "/mappings/{mapping}/replacement/plan", READ),
    ("POST", "/mappings/{mapping}/replacement/confirm", VENDOR),
    ("GET", "/mappings/{mapping}/retirement/plan", READ),
    ("POST", "/mappings/{mapping}/retirement/confirm", VENDOR),
    ("GET", "/memberships/{membership}", READ_AND_PORTAL),
    ("POST", "/memberships/{membership}/end", VENDOR),
    ("POST", "/memberships/{membership}/level", VENDOR),
    ("POST", "/memberships/{membership}/make-manual", VENDOR),
    ("POST", "/memberships/{membership}/until", VENDOR),
    ("GET", "/memberships/{membership}/grants", READ_AND_PORTAL),
    (
        "PUT",
        "/memberships/{membership}/grants/{kind}/{reference}",
        PORTAL,
    ),
    (
        "DELETE",
        "/memberships/{membership}/grants/{kind}/{reference}",
        PORTAL,
    ),
    ("GET", "/holds", READ),
    ("GET", "/holds/{hold}", READ),
    ("POST", "/holds/{hold}/approve", BOTH_SIDES),
    ("POST", "/holds/{hold}/reject", BOTH_SIDES),
    ("GET", "/restores", READ),
    ("POST", "/restores", VENDOR),
    ("GET", "/restores/{restore}", READ),
    ("POST", "/restores/{restore}/plan", READ),
    ("POST", "/restores/{restore}/apply", VENDOR),
    ("POST", "/restores/{restore}/undo", VENDOR),
    ("POST", "/restores/{restore}/close", VENDOR),
    ("GET", "/persons", READ),
    ("GET", "/persons/{person}", READ),
    ("GET", "/persons/{person}/stays", READ),
    ("POST", "/persons/{person}/link", BOTH_SIDES),
    ("GET", "/sources", READ),
    ("GET", "/sources/{source}", READ),
    ("GET", "/sources/{source}/setup", READ),
    ("GET", "/sources/{source}/requests", READ),
    ("POST", "/sources/{source}/check", BOTH_SIDES),
    ("GET", "/sources/{source}/available-groups", ORDER),
    ("POST", "/sources/{source}/sync", BOTH_SIDES),
    ("GET", "/sources/{source}/runs", READ),
    ("GET", "/sources/{source}/runs/{run}", READ),
    ("GET", "/sources/{source}/drift", READ),
    ("POST", "/sources/{source}/join", VENDOR),
    ("GET", "/sources/{source}/retirement/plan", ADMIN),
    ("POST", "/sources/{source}/retirement/confirm", ADMIN),
    ("GET", "/sources/{source}/users", READ),
    ("GET", "/sources/{source}/users/{user}", READ),
    ("GET", "/sources/{source}/groups", READ),
    ("GET", "/sources/{source}/groups/{group}", READ),
    ("GET", "/sources/{source}/groups/{group}/members", READ),
    ("GET", "/policy", READ),
    ("GET", "/policy/plan", READ),
    ("POST", "/policy/confirm", ADMIN),
    ("GET", "/events", READ_AND_PORTAL),
    ("GET", "/audit", READ),
    ("GET", "/audit/export", READ),
    ("GET", "/organisation", READ),
    ("GET", "/tokens", ADMIN),
    ("POST", "/tokens", ADMIN),
    ("GET", "/tokens/{token}", ADMIN),
    ("POST", "/tokens/{token}/revoke", ADMIN),
    ("POST", "/tokens/{token}/rotate", ADMIN),
    ("GET", "/keys", ADMIN),
    ("POST", "/keys", ADMIN),
    ("POST", "/keys/{key}/revoke", ADMIN),
    ("GET", "/sessions", PEOPLE),
    ("POST", "/sessions/revoke", PEOPLE),
    ("POST", "/sessions/{session}/revoke", PEOPLE),
    ("GET", "/webhooks", ADMIN),
    ("POST", "/webhooks", ADMIN),
    ("GET", "/webhooks/{webhook}", ADMIN),
    ("PATCH", "/webhooks/{webhook}", ADMIN),
    ("DELETE", "/webhooks/{webhook}", ADMIN),
    ("POST", "/webhooks/{webhook}/pause", ADMIN),
    ("POST", "/webhooks/{webhook}/resume", ADMIN),
    ("POST", "/webhooks/{webhook}/rotate", ADMIN),
    ("POST", "/webhooks/{webhook}/test", ADMIN),
    ("GET", "/webhooks/{webhook}/deliveries", ADMIN),
    ("POST", "/webhooks/{webhook}/replay", ADMIN),
    ("GET", "/notifications", BOTH_SIDES),
    ("POST", "/notifications/test", ADMIN),
    ("POST", "/notifications/{mail}/retry", ADMIN),
];

/// Lets a request pass whose token or session has a role of the table.
///
/// # Errors
/// No such endpoint or method, no valid token, or another role: in this order.
pub(super) async fn authorise(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let allowed = allowed(request.method(), path(&request))?;
    let Some(allowed) = allowed else {
        return Ok(next.run(request).await);
    };
    // Pages of the console call in the name of whoever is signed in; nobody else can put a caller there.
    let known = request.extensions().get::<Caller>().cloned();
    let caller = match known {
        Some(caller) => caller,
        None => {
            let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
            let caller = state.access.role(request.headers(), peer).await;
            caller.map_err(refused)?
        }
    };
    if !allowed.contains(&caller.role) {
        return Err(ApiError::Forbidden {
            role: caller.role,
            allowed,
        });
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Who may; `None` for what everybody may.
fn allowed(method: &Method, path: &str) -> Result<Option<&'static [Role]>, ApiError> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    if path == api::DESCRIPTION_PATH && method == "GET" {
        return Ok(None);
    }
    let mut methods = TABLE.iter().filter(|(_, known, _)| *known == path).peekable();
    if methods.peek().is_none() && path != api::DESCRIPTION_PATH {
        return Err(ApiError::NoEndpoint);
    }
    methods
        .find(|(known, _, _)| *known == method)
        .map(|(_, _, roles)| Some(*roles))
        .ok_or(ApiError::Method)
}

fn path(request: &Request) -> &str {
    let matched = request.extensions().get::<MatchedPath>();
    matched
        .and_then(|path| path.as_str().strip_prefix(api::ROOT))
        .unwrap_or_default()
}

fn refused(error: AccessError) -> ApiError {
    match error {
        AccessError::Throttled => ApiError::Throttled { retry_after: 60 },
        AccessError::Unavailable(error) => error.into(),
        other if other.is_forbidden() => ApiError::Elsewhere(other.to_string()),
        other => ApiError::Unauthenticated(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_is_not_listed_is_refused() {
        assert!(matches!(
            allowed(&Method::DELETE, "/rooms"),
            Err(ApiError::Method)
        ));
        assert!(matches!(
            allowed(&Method::GET, "/nothing"),
            Err(ApiError::NoEndpoint)
        ));
        assert_eq!(allowed(&Method::HEAD, "/rooms").unwrap(), Some(READ_AND_PORTAL));
        assert_eq!(allowed(&Method::GET, "/openapi.json").unwrap(), None);
    }

    #[test]
    fn an_administrator_may_do_everything() {
        for (method, path, roles) in TABLE {
            assert!(roles.contains(&Admin), "{method} {path}");
        }
    }
}
