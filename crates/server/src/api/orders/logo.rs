//! An order's logo: a small picture, as its bytes.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use usher_engine::EngineError;
use usher_engine::order::Logo;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{own, visible};
use crate::AppState;
use crate::api::extract::Path;
use crate::api::problem::Problems;
use crate::api::view::{OrderView, order};
use crate::api::write::{Because, Write, cause, read};
use crate::api::{ApiError, Caller};

/// The most bytes of a logo.
const MAX_LEN: usize = 1024 * 1024;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get, put, remove))
}

/// The logo of an order. It is answered as a download: a browser shows nothing of it by itself.
#[utoipa::path(get, path = "/orders/{order}/logo", tag = "orders",
    responses((status = 200, content_type = "image/png", body = Vec<u8>), Problems))]
async fn get(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = visible(&state.engine, &caller, &id).await?;
    let logo = state
        .engine
        .order_logo(id)
        .await?
        .ok_or_else(|| EngineError::not_found("logo of order", id))?;
    let media_type = HeaderValue::from_str(logo.media_type())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (CONTENT_TYPE, media_type),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
    ];
    Ok((headers, Body::from(logo.bytes().to_vec())).into_response())
}

/// Keeps a PNG, JPEG or SVG of at most 1 MiB with an order that nobody accepted yet.
#[utoipa::path(put, path = "/orders/{order}/logo", tag = "orders",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204), Problems))]
async fn put(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read(body, MAX_LEN).await?;
    let logo = Logo::new(&bytes)?;
    state
        .engine
        .write(cause(&caller, &parts.extensions, None), move |unit| {
            let (caller, id, logo) = (caller.clone(), id.clone(), logo.clone());
            Box::pin(async move {
                let id = own(unit.tx(), &caller, &id).await?.id;
                unit.set_order_logo(id, Some(logo)).await?;
                Ok::<_, ApiError>(StatusCode::NO_CONTENT)
            })
        })
        .await
}

/// Takes the logo of an order away.
#[utoipa::path(delete, path = "/orders/{order}/logo", tag = "orders",
    responses((status = 200, body = OrderView), Problems))]
async fn remove(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    let caller = write.caller.clone();
    write
        .run(StatusCode::OK, move |unit, _body| {
            let (caller, id) = (caller.clone(), id.clone());
            Box::pin(async move {
                let row = own(unit.tx(), &caller, &id).await?;
                unit.set_order_logo(row.id, None).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}
