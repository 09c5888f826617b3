//! `/sessions`: who is signed in to the console, and signing out.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use usher_core::{AccountId, Role, SessionId};
use usher_engine::EngineError;
use usher_storage::Tx;
use usher_storage::query::session::{SessionRow, page, page_of};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Path, Query};
use super::page::{Page, Paging};
use super::problem::Problems;
use super::view::SessionView;
use super::write::{Because, Write, inputs};
use super::{ApiError, Caller, name};
use crate::access::Credential;
use crate::{AppState, signin};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(revoke))
        .routes(routes!(revoke_all))
}

/// Which sessions.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those of this account alone. Without it an administrator sees all sessions; others see their own in any case.
    account: Option<Uuid>,
}

/// Sessions in use, oldest first: an administrator's answer has everybody's, others' their own.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(Filter, Paging),
    responses((status = 200, body = Page<SessionView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<SessionView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after::<SessionId>()?);
    let in_use = state.sign_in.sessions.in_use(state.engine.now());
    let wanted = filter.account.map(AccountId::from_uuid);
    let page = state.engine.read(move |tx| {
        let caller = caller.clone();
        Box::pin(async move {
            let own = own(tx, &caller).await?.map(|row| row.account);
            let account = match caller.role {
                Role::Admin => wanted,
                // Whoever comes with a token has no sessions.
                _ => Some(own.unwrap_or(AccountId::from_uuid(Uuid::nil()))),
            };
            let most = limit as usize + 1;
            let rows = match account {
                Some(account) => page_of(tx, account, after, in_use, most).await?,
                None => page(tx, after, in_use, most).await?,
            };
            let (rows, next) = Page::<SessionView>::cut(rows, limit, |row| row.id);
            let items = rows.into_iter().map(|row| view(row, &caller)).collect();
            Ok::<_, ApiError>(Page { items, next })
        })
    });
    Ok(Json(page.await?))
}

/// Ends a session; every node refuses it from then on. Ending it again changes nothing.
#[utoipa::path(post, path = "/sessions/{session}/revoke", tag = "sessions", request_body = Because,
    responses((status = 200, body = SessionView), Problems))]
async fn revoke(Path(session): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    let caller = write.caller.clone();
    write
        .run(StatusCode::OK, move |unit, _| {
            let (caller, session) = (caller.clone(), session.clone());
            Box::pin(async move {
                let missing = || EngineError::not_found("session", &session);
                let id: SessionId = name::id("session", &session)?;
                let own = own(unit.tx(), &caller).await?.map(|row| row.account);
                let row = signin::by_id(unit.tx(), id).await?;
                // Others' sessions are nobody else's business, so there are none.
                let row = row.filter(|row| caller.role == Role::Admin || own == Some(row.account));
                let row = row.ok_or_else(missing)?;
                signin::end(unit, &row).await?;
                let row = signin::by_id(unit.tx(), id).await?.ok_or_else(missing)?;
                Ok(view(row, &caller))
            })
        })
        .await
}

/// Whose sessions end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Everywhere {
    /// The account; the caller's own when left out. Only an administrator names another one.
    #[serde(default)]
    account: Option<Uuid>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(Everywhere);

/// How many sessions ended.
#[derive(Debug, Serialize, ToSchema)]
struct Ended {
    /// How many.
    ended: u64,
}

/// Signs somebody out everywhere.
#[utoipa::path(post, path = "/sessions/revoke", tag = "sessions", request_body = Everywhere,
    responses((status = 200, body = Ended), Problems))]
async fn revoke_all(write: Write<Everywhere>) -> Result<Response, ApiError> {
    let caller = write.caller.clone();
    write
        .run(StatusCode::OK, move |unit, body| {
            let (caller, wanted) = (caller.clone(), body.account.map(AccountId::from_uuid));
            Box::pin(async move {
                let own = own(unit.tx(), &caller).await?.map(|row| row.account);
                let account = match (wanted, own) {
                    (Some(wanted), own) if caller.role == Role::Admin || own == Some(wanted) => wanted,
                    (Some(wanted), _) => return Err(EngineError::not_found("account", wanted).into()),
                    (None, Some(own)) => own,
                    (None, None) => {
                        let problem = "a token has no sessions: say whose sessions end";
                        return Err(EngineError::invalid("account", problem).into());
                    }
                };
                let ended = signin::end_all(unit, account).await?;
                Ok(Ended { ended })
            })
        })
        .await
}

/// The caller's own session.
async fn own(tx: &mut Tx<'_>, caller: &Caller) -> Result<Option<SessionRow>, ApiError> {
    match caller.credential {
        Credential::Session(id) => Ok(signin::by_id(tx, id).await?),
        Credential::Token(_) => Ok(None),
    }
}

fn view(row: SessionRow, caller: &Caller) -> SessionView {
    let is_current = caller.credential == Credential::Session(row.id);
    SessionView::new(row, is_current)
}
