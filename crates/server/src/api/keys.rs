//! `/keys`: public keys of customers who sign the access tokens of their identity provider themselves.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use usher_core::{JwtKeyId, SourceName};
use usher_engine::EngineError;
use usher_storage::query;
use usher_storage::query::jwt_key::JwtKeyRow;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Path, Query};
use super::page::Page;
use super::problem::Problems;
use super::words::Time;
use super::write::{Because, Write, inputs};
use super::{ApiError, name};
use crate::AppState;
use crate::access::{KeyRequest, register_key, revoke_key};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
}

/// A public key of a customer.
#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    /// What names it.
    id: Uuid,
    /// The one source that tokens signed with it may push to.
    source: String,
    /// Where it is used, in words.
    label: String,
    /// The one algorithm that it is used with.
    algorithm: String,
    /// The `kid` that the tokens carry, where they do.
    key_id: Option<String>,
    /// The `iss` that the tokens carry.
    issuer: String,
    /// The `aud` that the tokens carry.
    audience: String,
    /// SHA-256 of the key, in hexadecimal.
    thumbprint: String,
    /// When it was registered.
    created: Time,
    /// When it was revoked.
    revoked: Option<Time>,
}

impl From<JwtKeyRow> for KeyView {
    fn from(row: JwtKeyRow) -> Self {
        Self {
            id: row.id.into(),
            source: row.source_name,
            label: row.label,
            algorithm: row.algorithm,
            key_id: row.key_id,
            issuer: row.issuer,
            audience: row.audience,
            thumbprint: row.thumbprint,
            created: row.created.into(),
            revoked: row.revoked.map(Time),
        }
    }
}

/// Which keys.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Those of this source alone.
    source: Option<String>,
}

/// Every key, revoked ones included, oldest first.
#[utoipa::path(get, path = "/keys", tag = "tokens", params(Which),
    responses((status = 200, body = Page<KeyView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Query(which): Query<Which>,
) -> Result<Json<Page<KeyView>>, ApiError> {
    let mut rows = state
        .engine
        .read(|tx| Box::pin(async move { Ok::<_, ApiError>(query::jwt_key::all(tx).await?) }))
        .await?;
    rows.retain(|row| {
        which
            .source
            .as_deref()
            .is_none_or(|source| source == row.source_name)
    });
    Ok(Json(Page::whole(rows.into_iter().map(KeyView::from).collect())))
}

/// A public key to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKeyInput {
    /// The source that tokens signed with it may push to; no other key of another source may be the same.
    #[schema(value_type = String)]
    source: SourceName,
    /// Where it is used, in words.
    label: String,
    /// The one algorithm that it is used with, such as `ES256`.
    algorithm: String,
    /// The key as PEM.
    public_key: String,
    /// The `iss` that the tokens carry.
    issuer: String,
    /// The `aud` that the tokens carry.
    audience: String,
    /// The `kid` that the tokens carry, where they do.
    #[serde(default)]
    key_id: Option<String>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(NewKeyInput);

/// Registers a key: tokens signed with it, which live at most an hour, may push to its source.
#[utoipa::path(post, path = "/keys", tag = "tokens", request_body = NewKeyInput,
    responses((status = 201, body = KeyView), Problems))]
async fn create(
    State(state): State<AppState>,
    write: Write<NewKeyInput>,
) -> Result<(StatusCode, Json<KeyView>), ApiError> {
    let (body, cause) = write.into_parts();
    for (field, text) in [
        ("label", &body.label),
        ("issuer", &body.issuer),
        ("audience", &body.audience),
    ] {
        if text.trim().is_empty() {
            return Err(EngineError::invalid(field, "it is needed").into());
        }
    }
    let request = KeyRequest {
        source: body.source.clone(),
        label: body.label.trim().to_owned(),
        algorithm: body.algorithm.clone(),
        public_key: body.public_key.clone(),
        issuer: body.issuer.clone(),
        audience: body.audience.clone(),
        key_id: body.key_id.clone(),
    };
    let row = register_key(&state.engine, cause, request).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// Revokes a key; servers refuse its tokens within a second. Revoking it again changes nothing.
#[utoipa::path(post, path = "/keys/{key}/revoke", tag = "tokens", request_body = Because,
    responses((status = 204), Problems))]
async fn revoke(
    State(state): State<AppState>,
    Path(key): Path<String>,
    write: Write<Because>,
) -> Result<Response, ApiError> {
    let (_, cause) = write.into_parts();
    let id: JwtKeyId = name::id("key", &key)?;
    revoke_key(&state.engine, cause, id, None).await?;
    Ok(axum::response::IntoResponse::into_response(
        StatusCode::NO_CONTENT,
    ))
}
