//! `/memberships/{membership}/grants`: what the portal says hangs on a membership.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_engine::EngineError;
use usher_engine::grant::GrantData;
use usher_storage::query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::Page;
use super::problem::Problems;
use super::view::GrantView;
use super::write::{Because, Write, inputs};
use super::{ApiError, name};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(put, drop_one))
}

/// Which grants.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Dropped ones too.
    #[serde(default)]
    all: bool,
}

/// Grants of a membership, oldest first.
#[utoipa::path(get, path = "/memberships/{membership}/grants", tag = "grants", params(Filter),
    responses((status = 200, body = Page<GrantView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<GrantView>>, ApiError> {
    let id = name::id("membership", &id)?;
    let rows = state
        .engine
        .read(move |tx| {
            Box::pin(async move {
                query::membership::by_id(tx, id)
                    .await?
                    .ok_or_else(|| EngineError::not_found("membership", id))?;
                Ok::<_, ApiError>(query::grant::of_memberships(tx, [id], filter.all).await?)
            })
        })
        .await?;
    Ok(Json(Page::whole(rows.into_iter().map(GrantView::from).collect())))
}

/// A grant as the portal writes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GrantInput {
    /// What people see.
    label: String,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(GrantInput);

/// Hangs something on an active membership. Writing it again changes at most its label.
#[utoipa::path(put, path = "/memberships/{membership}/grants/{kind}/{reference}", tag = "grants",
    request_body = GrantInput, responses((status = 200, body = GrantView), Problems))]
async fn put(
    Path((id, kind, reference)): Path<(String, String, String)>,
    write: Write<GrantInput>,
) -> Result<Response, ApiError> {
    let id = name::id("membership", &id)?;
    write
        .run(StatusCode::OK, move |unit, body| {
            let data = GrantData {
                kind: kind.clone(),
                reference: reference.clone(),
                label: body.label.clone(),
            };
            Box::pin(async move { Ok(GrantView::from(unit.write_grant(id, &data).await?)) })
        })
        .await
}

/// Drops a grant; it stays in the history.
#[utoipa::path(delete, path = "/memberships/{membership}/grants/{kind}/{reference}", tag = "grants",
    responses((status = 200, body = GrantView), Problems))]
async fn drop_one(
    Path((id, kind, reference)): Path<(String, String, String)>,
    write: Write<Because>,
) -> Result<Response, ApiError> {
    let id = name::id("membership", &id)?;
    write
        .run(StatusCode::OK, move |unit, _body| {
            let (kind, reference) = (kind.clone(), reference.clone());
            Box::pin(async move {
                let grant = query::grant::by_reference(unit.tx(), id, &kind, &reference)
                    .await?
                    .ok_or_else(|| EngineError::not_found("grant", format!("{kind}/{reference}")))?;
                Ok(GrantView::from(unit.drop_grant(grant.id).await?))
            })
        })
        .await
}
