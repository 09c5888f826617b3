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

/// Method and path of each page, and who may use it. What is not in here is answered 404.
pub const PAGES: &[(&str, &str, &[Role])] = &[("GET", "/", ALL), ("GET", "/live", ALL)];

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
    let Some(viewer) = request.extensions().get::<Viewer>() else {
        return Ok(to_sign_in(&method, &request));
    };
    let path = path.ok_or(Failure::NotFound)?;
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
