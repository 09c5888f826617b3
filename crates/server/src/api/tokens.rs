//! `/tokens`: access to Usher itself. A secret is shown once.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use usher_core::{Role, Timestamp, TokenId};
use usher_engine::{About, EngineError, EventKind};
use usher_storage::Tx;
use usher_storage::query;
use usher_storage::query::token::{NewToken, TokenRow};
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
use crate::access::Secret;

/// The longest label.
const MAX_LABEL: usize = 200;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get))
        .routes(routes!(revoke))
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
    let row = state
        .engine
        .read(move |tx| {
            let token = token.clone();
            Box::pin(async move { Ok::<_, ApiError>(find(tx, &token).await?) })
        })
        .await?;
    Ok(Json(row.into()))
}

/// A token to make: for a source or for a role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTokenInput {
    /// The source that an identity provider pushes to with it.
    #[serde(default)]
    source: Option<String>,
    /// What it may do in the API.
    #[serde(default)]
    #[schema(value_type = Option<words::Role>)]
    role: Option<Role>,
    /// Where it is used, in words; the actor of what it does.
    label: String,
    /// The e-mail address of the person that it acts for; required for a requester.
    #[serde(default)]
    subject: Option<String>,
    /// When it ends by itself.
    #[serde(default)]
    #[schema(value_type = Option<words::Time>)]
    expires: Option<Timestamp>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(NewTokenInput);

/// Makes a token. Its secret is in this answer and nowhere else: an idempotency key is refused, because the answer
/// would have to be stored.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = NewTokenInput,
    responses((status = 201, body = NewTokenView), Problems))]
async fn create(write: Write<NewTokenInput>) -> Result<Response, ApiError> {
    if write.has_key() {
        return Err(ApiError::malformed(
            "Idempotency-Key",
            "tokens are not made under a key, because their secret is not stored; revoke one that you lost",
        ));
    }
    let secret = Secret::draw();
    write
        .run(StatusCode::CREATED, move |unit, body| {
            let secret = secret.clone();
            Box::pin(async move {
                check(body, unit.now())?;
                let source = match &body.source {
                    Some(source) => Some(name::source(unit.tx(), source).await?),
                    None => None,
                };
                let id: TokenId = unit.id();
                let token = NewToken {
                    id,
                    hash: secret.hash(),
                    source: source.as_ref().map(|source| source.key),
                    role: body.role,
                    label: body.label.trim(),
                    subject: body.subject.as_deref(),
                    created: unit.now(),
                    expires: body.expires,
                };
                query::token::insert(unit.tx(), &token).await?;
                let about = About {
                    source: source.map(|source| source.key),
                    ..About::default()
                };
                let data =
                    json!({ "token": id, "source": body.source, "role": body.role, "label": token.label });
                unit.tell(EventKind::TokenCreated, about, &data);
                let row = find(unit.tx(), &id.to_string()).await?;
                Ok(NewTokenView {
                    token: secret.expose().to_owned().into(),
                    about: row.into(),
                })
            })
        })
        .await
}

fn check(body: &NewTokenInput, now: Timestamp) -> Result<(), EngineError> {
    if body.source.is_some() == body.role.is_some() {
        return Err(EngineError::invalid(
            "role",
            "a token is either for a source or for a role: name exactly one of them",
        ));
    }
    if body.role == Some(Role::Requester) && body.subject.is_none() {
        return Err(EngineError::invalid(
            "subject",
            "a requester sees their own orders only: say whose, by e-mail address",
        ));
    }
    if body.label.trim().is_empty() || body.label.len() > MAX_LABEL {
        return Err(EngineError::invalid(
            "label",
            format!("say in 1 to {MAX_LABEL} bytes where the token is used"),
        ));
    }
    if body.expires.is_some_and(|expires| expires <= now) {
        return Err(EngineError::invalid("expires", "it lies in the past"));
    }
    Ok(())
}

/// Revokes a token; servers refuse it within a second. Revoking it again changes nothing.
#[utoipa::path(post, path = "/tokens/{token}/revoke", tag = "tokens", request_body = Because,
    responses((status = 200, body = TokenView), Problems))]
async fn revoke(Path(token): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, _body| {
            let token = token.clone();
            Box::pin(async move {
                let row = find(unit.tx(), &token).await?;
                let now = unit.now();
                if query::token::revoke(unit.tx(), row.id, now).await? {
                    let data = json!({ "token": row.id, "label": row.label });
                    let about = About {
                        source: row.source,
                        ..About::default()
                    };
                    unit.tell(EventKind::TokenRevoked, about, &data);
                }
                Ok(TokenView::from(find(unit.tx(), &token).await?))
            })
        })
        .await
}

async fn find(tx: &mut Tx<'_>, text: &str) -> Result<TokenRow, EngineError> {
    query::token::by_id(tx, name::id("token", text)?)
        .await?
        .ok_or_else(|| EngineError::not_found("token", text))
}
