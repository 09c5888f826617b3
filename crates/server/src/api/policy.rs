//! `/policy`: the rules that decisions follow, and changed ones that wait for a confirmation.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use usher_engine::{Engine, EngineError};
use usher_storage::{StorageError, Tx, query};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiError;
use super::problem::Problems;
use super::view::PolicyPlanView;
use super::write::{Confirmation, Write, or_new_plan};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(plan))
        .routes(routes!(confirm))
}

/// The rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyView {
    /// Rises with every change.
    pub(crate) version: i64,
    /// The rules in force: domains, levels, brake, and the behaviour of each source.
    #[schema(value_type = Object)]
    pub(crate) active: Value,
    /// Configured rules that wait for a confirmation.
    #[schema(value_type = Option<Object>)]
    pub(crate) proposed: Option<Value>,
}

/// The rules in force, and those that wait for a confirmation.
#[utoipa::path(get, path = "/policy", tag = "policy",
    responses((status = 200, body = PolicyView), Problems))]
async fn get(State(state): State<AppState>) -> Result<Json<PolicyView>, ApiError> {
    let view = state
        .engine
        .read(|tx| Box::pin(async move { Ok::<_, ApiError>(view(tx).await?) }))
        .await?;
    Ok(Json(view))
}

/// The rules as they are stored.
pub(crate) async fn view(tx: &mut Tx<'_>) -> Result<PolicyView, StorageError> {
    let row = query::policy::load(tx).await?;
    let parse = |text: &str| serde_json::from_str(text).unwrap_or_default();
    Ok(match row {
        Some(row) => PolicyView {
            version: row.version,
            active: parse(&row.active),
            proposed: row.proposed.as_deref().map(parse),
        },
        None => PolicyView {
            version: 0,
            active: Value::Null,
            proposed: None,
        },
    })
}

/// What the proposed rules would do.
#[utoipa::path(get, path = "/policy/plan", tag = "policy",
    responses((status = 200, body = PolicyPlanView), Problems))]
async fn plan(State(state): State<AppState>) -> Result<Json<PolicyPlanView>, ApiError> {
    Ok(Json(planned(&state.engine).await?))
}

/// What the proposed rules would do.
pub(crate) async fn planned(engine: &Engine) -> Result<PolicyPlanView, ApiError> {
    let plan = engine.plan_policy().await?.ok_or_else(|| {
        EngineError::refused(
            "no_proposal",
            "no rules wait for a confirmation",
            "change the configuration and restart the server first",
        )
    })?;
    Ok(plan.into())
}

/// Puts the proposed rules in force, as the plan with this digest showed it.
#[utoipa::path(post, path = "/policy/confirm", tag = "policy", request_body = Confirmation,
    responses((status = 200, body = PolicyView), Problems))]
async fn confirm(State(state): State<AppState>, write: Write<Confirmation>) -> Result<Response, ApiError> {
    let result = write
        .run(StatusCode::OK, |unit, body| {
            Box::pin(async move {
                unit.confirm_policy(&body.digest).await?;
                Ok(view(unit.tx()).await?)
            })
        })
        .await;
    or_new_plan(result, planned(&state.engine)).await
}
