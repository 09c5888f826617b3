//! `/notifications`: what is told by e-mail, what waits, and what was given up.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_core::MailId;
use usher_engine::EngineError;
use usher_mail::Language;
use usher_storage::query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Path;
use super::problem::Problems;
use super::view::{MailTestView, NotificationsView, notifications as view};
use super::write::{Because, Write, inputs};
use super::{ApiError, name};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(test))
        .routes(routes!(retry))
}

/// How telling by e-mail stands: to whom, what waits, and what was given up.
#[utoipa::path(get, path = "/notifications", tag = "notifications",
    responses((status = 200, body = NotificationsView), Problems))]
async fn get(State(state): State<AppState>) -> Result<Json<NotificationsView>, ApiError> {
    let mail = state.mail.clone();
    let shown: NotificationsView = state
        .engine
        .read(move |tx| {
            let mail = mail.clone();
            Box::pin(async move { view(tx, &mail).await })
        })
        .await
        .map_err(|error: EngineError| ApiError::from(error))?;
    Ok(Json(shown))
}

/// Where to send a test.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestInput {
    /// The address.
    to: String,
    /// `en` or `de`; that of the address when left out.
    #[serde(default)]
    language: Option<String>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(TestInput);

/// Sends an e-mail that tells of nothing, at once and once, and answers what the mail server said.
#[utoipa::path(post, path = "/notifications/test", tag = "notifications", request_body = TestInput,
    responses((status = 200, body = MailTestView), Problems))]
async fn test(
    State(state): State<AppState>,
    write: Write<TestInput>,
) -> Result<Json<MailTestView>, ApiError> {
    let to = write.body.to.trim();
    if to.parse::<lettre::Address>().is_err() {
        let problem = "is not an e-mail address such as anna@contoso.com";
        return Err(EngineError::invalid("to", problem).into());
    }
    let language = match write.body.language.as_deref() {
        None => None,
        Some(code) => {
            Some(Language::named(code).ok_or_else(|| EngineError::invalid("language", "write en or de"))?)
        }
    };
    let error = state.mail.test(to, language, state.engine.now()).await.err();
    Ok(Json(MailTestView {
        sent: error.is_none(),
        error,
    }))
}

/// Tries an e-mail that was given up again, from the beginning.
#[utoipa::path(post, path = "/notifications/{mail}/retry", tag = "notifications", request_body = Because,
    responses((status = 204), Problems))]
async fn retry(Path(mail): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    let id: MailId = name::id("e-mail", &mail)?;
    write
        .run(StatusCode::NO_CONTENT, move |unit, _| {
            Box::pin(async move {
                let now = unit.now();
                if query::mail::wake(unit.tx(), id, now).await? {
                    Ok(())
                } else {
                    Err(EngineError::refused(
                        "mail_not_dead",
                        format!("there is no e-mail {id} that was given up"),
                        "look at GET /notifications: only dead letters can be tried again",
                    )
                    .into())
                }
            })
        })
        .await
}
