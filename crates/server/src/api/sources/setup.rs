//! What is entered at an identity provider to connect it.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use usher_core::{GroupIdentity, HeaderSpelling, Mode, Reactivation};
use usher_engine::EngineError;
use utoipa::ToSchema;

use crate::AppState;
use crate::api::ApiError;
use crate::api::extract::Path;
use crate::api::problem::Problems;

/// What is entered at an identity provider to connect it, and how this server takes what it sends.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetupView {
    /// The source.
    source: String,
    /// The kind of its adapter.
    kind: String,
    /// Push, pull or both.
    mode: &'static str,
    /// The address of its SCIM endpoint; nothing for a source that is only read.
    scim_url: Option<String>,
    /// The address that the provider may call when something changed; nothing for a source that is only pushed to.
    hook_url: Option<String>,
    /// How the token is sent: `bearer`, or `bearer_or_raw` where the word `Bearer` may be left out.
    token_header: &'static str,
    /// Which id of a group an order names: `external_id` or `display_name`.
    group_identity: &'static str,
    /// What a user who is active again finds: `restore` their groups, or `dormant` until the provider names them again.
    reactivation: &'static str,
    /// Whether `externalId` is believed to be immutable.
    trusts_external_id: bool,
}

/// What is entered at the identity provider of a configured source to connect it.
#[utoipa::path(get, path = "/sources/{source}/setup", tag = "sources",
    responses((status = 200, body = SetupView), Problems))]
pub(super) async fn setup(
    State(state): State<AppState>,
    Path(source): Path<String>,
) -> Result<Json<SetupView>, ApiError> {
    let name = super::parse(&source)?;
    let configured = state
        .sources
        .get(&name)
        .ok_or_else(|| EngineError::not_found("configured source", &source))?;
    let profile = &configured.profile;
    Ok(Json(SetupView {
        source: configured.name.to_string(),
        kind: configured.kind.clone(),
        mode: match configured.mode {
            Mode::Push => "push",
            Mode::Pull => "pull",
            Mode::Both => "both",
        },
        scim_url: configured.mode.pushes().then(|| configured.base.to_string()),
        hook_url: configured
            .mode
            .pulls()
            .then(|| format!("{}/hooks/{name}", state.public_url)),
        token_header: match profile.header {
            HeaderSpelling::RawOrBearer => "bearer_or_raw",
            HeaderSpelling::Bearer => "bearer",
        },
        group_identity: match profile.group_identity {
            GroupIdentity::ExternalId => "external_id",
            GroupIdentity::DisplayName => "display_name",
        },
        reactivation: match profile.reactivation {
            Reactivation::Restore => "restore",
            Reactivation::Dormant => "dormant",
        },
        trusts_external_id: profile.trusts_external_id,
    }))
}
