//! Another group in the place of a mapping's, in one unit.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_core::{GroupNaming, Rejoin};
use usher_engine::mapping::Terms;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::api::extract::Path;
use crate::api::problem::Problems;
use crate::api::view::{PlanView, SettledView, settled};
use crate::api::write::{Write, inputs, or_new_plan};
use crate::api::{ApiError, name, words};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(plan))
        .routes(routes!(confirm))
}

/// Another group in the place of a mapping's.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Replacement {
    /// The group's source; the same as before when left out.
    #[serde(default)]
    source: Option<String>,
    /// The group: its immutable id at the source, its SCIM `id`, or its display name.
    group: String,
    /// What `group` is; `id` for a UUID and `name` for anything else when left out.
    #[serde(default)]
    #[schema(value_type = Option<words::GroupNaming>)]
    named_by: Option<GroupNaming>,
    /// Another level at which people start.
    #[serde(default)]
    level: Option<String>,
    /// Another way with people who come back.
    #[serde(default)]
    #[schema(value_type = Option<words::Rejoin>)]
    rejoin: Option<Rejoin>,
    /// For `auto`: within how many days.
    #[serde(default)]
    rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too; as before when left out.
    #[serde(default)]
    nested: Option<bool>,
    /// To confirm: the digest of the plan.
    #[serde(default)]
    digest: Option<String>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

impl Replacement {
    fn terms(&self) -> Terms {
        Terms {
            level: self.level.clone(),
            rejoin: self.rejoin,
            rejoin_days: self.rejoin_days,
            nested: self.nested,
        }
    }
}

inputs!(Replacement);

/// What putting another group in the place of a mapping's would do.
#[utoipa::path(post, path = "/mappings/{mapping}/replacement/plan", tag = "mappings",
    request_body = Replacement, responses((status = 200, body = PlanView), Problems))]
async fn plan(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<Replacement>,
) -> Result<Json<PlanView>, ApiError> {
    Ok(Json(planned(&state, &id, &write.body).await?))
}

/// Puts another group in the place of a mapping's, as the plan with this digest showed it.
#[utoipa::path(post, path = "/mappings/{mapping}/replacement/confirm", tag = "mappings",
    request_body = Replacement, responses((status = 200, body = SettledView), Problems))]
async fn confirm(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<Replacement>,
) -> Result<Response, ApiError> {
    let asked = std::sync::Arc::clone(&write.body);
    let name = id.clone();
    let readers = state.readers.clone();
    let result = write
        .run(StatusCode::OK, move |unit, body| {
            let (id, readers) = (id.clone(), readers.clone());
            Box::pin(async move {
                let digest = body.digest.as_deref().ok_or_else(|| {
                    ApiError::malformed("digest", "name the digest of the plan that is confirmed")
                })?;
                let row = name::mapping(unit.tx(), &id).await?;
                let source = name::source_or(unit.tx(), body.source.as_deref(), row.source).await?;
                let group = name::group(unit.tx(), Some(&source), &body.group, body.named_by).await?;
                readers
                    .refuse_nested(unit.tx(), group.source, body.nested)
                    .await?;
                let done = unit.replace_mapping(row.id, group, body.terms(), digest).await?;
                Ok(settled(unit.tx(), done).await?)
            })
        })
        .await;
    or_new_plan(result, async { planned(&state, &name, &asked).await }).await
}

async fn planned(state: &AppState, id: &str, asked: &Replacement) -> Result<PlanView, ApiError> {
    let (id, source) = (id.to_owned(), asked.source.clone());
    let (group, named_by, nested) = (asked.group.clone(), asked.named_by, asked.nested);
    let readers = state.readers.clone();
    let (id, group) = state
        .engine
        .read(move |tx| {
            let (id, source, group) = (id.clone(), source.clone(), group.clone());
            let readers = readers.clone();
            Box::pin(async move {
                let row = name::mapping(tx, &id).await?;
                let source = name::source_or(tx, source.as_deref(), row.source).await?;
                let group = name::group(tx, Some(&source), &group, named_by).await?;
                readers.refuse_nested(tx, group.source, nested).await?;
                Ok::<_, ApiError>((row.id, group))
            })
        })
        .await?;
    let plan = state
        .engine
        .plan_replace_mapping(id, group, asked.terms())
        .await?;
    Ok(plan.into())
}
