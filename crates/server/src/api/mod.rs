//! The API: `/api/v1`, described by the code that serves it.

#![expect(
    unused_qualifications,
    reason = "the macro that describes an endpoint names the types of its parameters with a path"
)]

mod audit;
mod csv;
mod directory;
pub(crate) mod events;
mod extract;
mod grants;
pub(crate) mod holds;
mod keys;
mod mappings;
pub(crate) mod memberships;
pub mod name;
mod notifications;
pub(crate) mod orders;
mod organisation;
mod overview;
mod page;
mod parameters;
mod persons;
pub(crate) mod policy;
mod problem;
pub(crate) mod restores;
mod roles;
mod room_list;
mod room_members;
pub(crate) mod rooms;
mod sessions;
pub(crate) mod sources;
mod tokens;
pub mod view;
pub(crate) mod webhooks;
pub mod words;
mod write;

use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::access::RoleCaller;
use crate::{AppState, RequestId};

pub use problem::{ApiError, Problem};
pub use roles::TABLE as ROLES;

/// Who calls the API.
pub type Caller = RoleCaller;

/// Where the API is.
pub const ROOT: &str = "/api/v1";
const DESCRIPTION_PATH: &str = "/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Usher",
        description = "Who is in which room, why, and since when. Errors are problem details (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem)),
    security(("token" = []))
)]
struct Description;

/// The endpoints of the API.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (endpoints, _) = endpoints().split_for_parts();
    let endpoints = endpoints
        .route(DESCRIPTION_PATH, get(description))
        .fallback(no_endpoint)
        .method_not_allowed_fallback(no_endpoint)
        .layer(middleware::from_fn(parameters::refuse_unknown))
        .layer(middleware::from_fn_with_state(state.clone(), roles::authorise))
        .layer(middleware::from_fn(complete));
    let elsewhere = Router::new()
        .route("/api", any(no_endpoint))
        .route("/api/", any(no_endpoint))
        .route("/api/{*rest}", any(no_endpoint))
        .layer(middleware::from_fn(complete));
    Router::new().nest(ROOT, endpoints).merge(elsewhere)
}

/// Whether a path belongs to the API.
pub(crate) fn is_api_path(path: &str) -> bool {
    path.strip_prefix("/api")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is answered in the place of an endpoint that took too long or panicked.
pub(crate) fn failure(status: StatusCode, detail: &str, instance: &str, request_id: &str) -> Response {
    Problem::around(status, detail, instance, request_id).into_response()
}

/// The OpenAPI document, as text that ends with a line break.
#[must_use]
pub fn openapi() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        let mut document = OpenApiRouter::<AppState>::with_openapi(Description::openapi())
            .nest(ROOT, endpoints())
            .into_openapi();
        for (path, item) in &mut document.paths.paths {
            let operations = [
                ("get", &mut item.get),
                ("post", &mut item.post),
                ("put", &mut item.put),
                ("patch", &mut item.patch),
                ("delete", &mut item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    finish(method, path, operation);
                }
            }
        }
        if let Some(components) = &mut document.components {
            let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
            components
                .security_schemes
                .insert("token".to_owned(), token.into());
        }
        let mut text = document
            .to_pretty_json()
            .expect("the document is made of plain structs");
        text.push('\n');
        text
    });
    &DOCUMENT
}

/// Gives an operation a name of its own, and its answers the words that OpenAPI requires.
fn finish(method: &str, path: &str, operation: &mut Operation) {
    let words = path.trim_start_matches(ROOT).split(['/', '-', '{', '}']);
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    operation.operation_id = Some(format!("{method}_{}", words.join("_")));
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = match status.as_str() {
                "201" => "It was made".to_owned(),
                "204" => "It was done".to_owned(),
                _ => "As asked".to_owned(),
            };
        }
    }
}

fn endpoints() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(overview::router())
        .merge(orders::router())
        .merge(rooms::router())
        .merge(room_members::router())
        .merge(mappings::router())
        .merge(memberships::router())
        .merge(grants::router())
        .merge(holds::router())
        .merge(restores::router())
        .merge(persons::router())
        .merge(sources::router())
        .merge(directory::router())
        .merge(policy::router())
        .merge(events::router())
        .merge(audit::router())
        .merge(organisation::router())
        .merge(tokens::router())
        .merge(keys::router())
        .merge(webhooks::router())
        .merge(notifications::router())
        .merge(sessions::router())
}

async fn description() -> Response {
    ([(CONTENT_TYPE, "application/json")], openapi()).into_response()
}

async fn no_endpoint() -> ApiError {
    ApiError::NoEndpoint
}

/// Tells each problem which request it belongs to.
async fn complete(request: Request, next: Next) -> Response {
    let instance = request
        .extensions()
        .get::<axum::extract::OriginalUri>()
        .map_or_else(|| request.uri().path().to_owned(), |uri| uri.path().to_owned());
    let id = request.extensions().get::<RequestId>().map(|id| id.0.to_string());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let complete = Problem {
            instance: Some(instance),
            request_id: id,
            ..problem
        };
        let text = serde_json::to_string(&complete).expect("problems are plain structs");
        let body = Body::from(text);
        if let Some(length) = body.size_hint().exact() {
            response
                .headers_mut()
                .insert(http::header::CONTENT_LENGTH, length.into());
        }
        *response.body_mut() = body;
    }
    response
}
