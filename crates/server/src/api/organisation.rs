//! `/organisation`: whose deployment this is.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiError;
use super::problem::Problems;
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get))
}

/// Whose deployment this is, as the configuration says.
#[derive(Debug, Serialize, ToSchema)]
struct OrganisationView {
    /// The customer's name.
    name: String,
    /// The company's e-mail domains; `*` means any.
    domains: Vec<String>,
    /// Where people sign in to the portal.
    sso_url: Option<String>,
    /// The URL that others reach this server by.
    public_url: String,
    /// The version of this server.
    version: &'static str,
    /// The names of the sources that are configured.
    sources: Vec<String>,
}

/// Whose deployment this is. What is configured here and not in force yet waits in `/policy`.
#[utoipa::path(get, path = "/organisation", tag = "policy",
    responses((status = 200, body = OrganisationView), Problems))]
async fn get(State(state): State<AppState>) -> Result<Json<OrganisationView>, ApiError> {
    let organisation = &state.config.organisation;
    let mut sources: Vec<String> = state.sources.keys().map(ToString::to_string).collect();
    sources.sort_unstable();
    Ok(Json(OrganisationView {
        name: organisation.name.clone(),
        domains: organisation.domains.clone(),
        sso_url: organisation.sso_url.clone(),
        public_url: state.public_url.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        sources,
    }))
}
