//! `/tokens`: access to Usher itself. A secret is shown once.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use usher_core::{Role, SourceName};
use usher_engine::{Engine, EngineError};
use usher_storage::query::token::TokenRow;
use usher_storage::{Tx, query};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Path;
use super::page::Page;
use super::problem::Problems;
use super::view::{NewTokenView, TokenView};
use super::write::{Because, Write, inputs};
use super::{ApiError, name, words};
use crate::AppState;
use crate::access::{Purpose, Rotation, TokenRequest, issue_token, revoke_token, rotate_token};
use crate::config::Period;

/// The longest label.
const MAX_LABEL: usize = 200;
/// How long a replaced token still works when the request does not say: long enough to change it at the provider by hand.
const OVERLAP: Period = Period::seconds(7 * 24 * 3600);

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get))
        .routes(routes!(revoke))
        .routes(routes!(rotate))
}

/// Every token, revoked ones included, oldest first.
#[utoipa::path(get, path = "/tokens", tag = "tokens",
    responses((status = 200, body = Page<TokenView>), Problems))]
async fn list(State(state): State<AppState>) -> Result<Json<Page<TokenView>>, ApiError> {
    let rows = state
        .engine
        .read(|tx| Box::pin(async move { Ok::<_, ApiError>(query::token::all(tx).await?) }))
        .await?;
    Ok(Json(Page::whole(rows.into_iter().map(TokenView::from).collect())))
}

/// A token.
#[utoipa::path(get, path = "/tokens/{token}", tag = "tokens",
    responses((status = 200, body = TokenView), Problems))]
async fn get(State(state): State<AppState>, Path(token): Path<String>) -> Result<Json<TokenView>, ApiError> {
    Ok(Json(shown(&state.engine, token).await?))
}

/// A token to make: for a source or for a role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTokenInput {
    /// The source that an identity provider pushes to with it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    source: Option<SourceName>,
    /// What it may do in the API.
    #[serde(default)]
    #[schema(value_type = Option<words::Role>)]
    role: Option<Role>,
    /// Where it is used, in words; the actor of what it does.
    label: String,
    /// The e-mail address of the person that it acts for; required for a requester.
    #[serde(default)]
    subject: Option<String>,
    /// How long it works, such as `90d`; until it is revoked when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    expires_in: Option<Period>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(NewTokenInput);

/// Makes a token. Its secret is in this answer and nowhere else: an idempotency key is refused, because the answer
/// would have to be stored.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = NewTokenInput,
    responses((status = 201, body = NewTokenView), Problems))]
async fn create(
    State(state): State<AppState>,
    write: Write<NewTokenInput>,
) -> Result<(StatusCode, Json<NewTokenView>), ApiError> {
    refuse_key(&write)?;
    let (body, cause) = write.into_parts();
    let purpose = match (&body.source, body.role) {
        (Some(source), None) => Purpose::Source(source.clone()),
        (None, Some(role)) => Purpose::Role(role),
        _ => {
            let problem = "a token is either for a source or for a role: name exactly one of them";
            return Err(EngineError::invalid("role", problem).into());
        }
    };
    if body.label.len() > MAX_LABEL {
        return Err(EngineError::invalid("label", format!("say it in at most {MAX_LABEL} bytes")).into());
    }
    let request = TokenRequest {
        purpose,
        label: body.label.trim().to_owned(),
        subject: body.subject.clone(),
        expires_in: body.expires_in,
    };
    let issued = issue_token(&state.engine, cause, request).await?;
    let about = shown(&state.engine, issued.id.to_string()).await?;
    let token = issued.token.into();
    Ok((StatusCode::CREATED, Json(NewTokenView { token, about })))
}

/// Revokes a token; servers refuse it within a second. Revoking it again changes nothing.
#[utoipa::path(post, path = "/tokens/{token}/revoke", tag = "tokens", request_body = Because,
    responses((status = 200, body = TokenView), Problems))]
async fn revoke(
    State(state): State<AppState>,
    Path(token): Path<String>,
    write: Write<Because>,
) -> Result<Json<TokenView>, ApiError> {
    let (_, cause) = write.into_parts();
    revoke_token(&state.engine, cause, name::id("token", &token)?).await?;
    Ok(Json(shown(&state.engine, token).await?))
}

/// How a token is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenRotationInput {
    /// How long the present one still works, such as `12h`; seven days when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    overlap: Option<Period>,
    /// How long the new one works, such as `90d`; as long as the present one was made for when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    expires_in: Option<Period>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(TokenRotationInput);

/// Makes a token for the same purpose as another one, which ends after the overlap. The secret is in this answer and nowhere
/// else: an idempotency key is refused.
#[utoipa::path(post, path = "/tokens/{token}/rotate", tag = "tokens", request_body = TokenRotationInput,
    responses((status = 201, body = NewTokenView), Problems))]
async fn rotate(
    State(state): State<AppState>,
    Path(token): Path<String>,
    write: Write<TokenRotationInput>,
) -> Result<(StatusCode, Json<NewTokenView>), ApiError> {
    refuse_key(&write)?;
    let (body, cause) = write.into_parts();
    let rotation = Rotation {
        token: name::id("token", &token)?,
        overlap: body.overlap.unwrap_or(OVERLAP),
        expires_in: body.expires_in,
    };
    let (id, secret) = rotate_token(&state.engine, cause, rotation).await?;
    let about = shown(&state.engine, id.to_string()).await?;
    let token = secret.expose().into();
    Ok((StatusCode::CREATED, Json(NewTokenView { token, about })))
}

fn refuse_key<B: super::write::Input>(write: &Write<B>) -> Result<(), ApiError> {
    if write.has_key() {
        return Err(ApiError::malformed(
            "Idempotency-Key",
            "tokens are not made under a key, because their secret is not stored; revoke one that you lost",
        ));
    }
    Ok(())
}

async fn shown(engine: &Engine, token: String) -> Result<TokenView, ApiError> {
    engine
        .read(move |tx| {
            let token = token.clone();
            Box::pin(async move { Ok(find(tx, &token).await?.into()) })
        })
        .await
}

async fn find(tx: &mut Tx<'_>, text: &str) -> Result<TokenRow, EngineError> {
    query::token::by_id(tx, name::id("token", text)?)
        .await?
        .ok_or_else(|| EngineError::not_found("token", text))
}
