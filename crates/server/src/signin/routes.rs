//! `/sign-in` and `/sign-out`.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, FromRequest, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use usher_console::{Posted, Viewer, is_from_here};
use usher_core::{Role, SessionId};
use usher_engine::{Actor, Cause, EngineError};
use usher_signin::{LocalPath, Password, PasswordError, Verdict};
use usher_storage::StorageError;
use usher_storage::query::session::administrator;

use super::cookie::Cookies;
use super::provider::{Onward, agent, enter, finish, query, start};
use super::session::{self, Arrival};
use super::{answer, recognise};
use crate::client::Client;
use crate::{AppState, RequestId};

/// The largest form.
const MAX_FORM: usize = 16 * 1024;

/// The routes, with the layer that knows who is signed in.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/sign-in", get(show).post(password))
        .route("/sign-in/{provider}", get(start))
        .route("/sign-in/{provider}/callback", get(finish))
        .route("/sign-out", post(leave).get(async || Redirect::to("/")))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn_with_state(state.clone(), recognise))
}

#[derive(Debug, Default, Deserialize)]
struct Shown {
    #[serde(default)]
    next: String,
    /// How many sessions were signed out.
    signed_out: Option<String>,
}

async fn show(State(state): State<AppState>, parts: Parts) -> Response {
    let shown: Shown = query(&parts.uri);
    let next = LocalPath::new(&shown.next);
    if parts.extensions.get::<Viewer>().is_some() {
        return Redirect::to(next.as_str()).into_response();
    }
    let message = match shown.signed_out.as_deref() {
        Some("everywhere") => answer::good("You are signed out everywhere."),
        Some(_) => answer::good("You are signed out."),
        None => None,
    };
    answer::page(&state, StatusCode::OK, &next, "", message)
}

#[derive(Deserialize)]
struct Typed {
    name: String,
    password: String,
    #[serde(flatten)]
    onward: Onward,
}

/// Signs a local administrator in.
async fn password(State(state): State<AppState>, request: Request) -> Response {
    let refuse = |status, text: &str| {
        let next = LocalPath::default();
        answer::page(&state, status, &next, "", answer::bad(text))
    };
    if !state.sign_in.sessions.password {
        return refuse(StatusCode::FORBIDDEN, "Nobody signs in with a password here.");
    }
    if !is_from_here(request.headers(), request.uri()) {
        let text = "The form did not come from this page. Sign in here.";
        return refuse(StatusCode::FORBIDDEN, text);
    }
    let client = Client::of(&state, request.extensions());
    let (parts, body) = request.into_parts();
    let form = Form::<Typed>::from_request(Request::from_parts(parts.clone(), body), &state).await;
    let Ok(Form(typed)) = form else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "The form could not be read. Sign in here.",
        );
    };
    let (name, next) = (typed.name.trim().to_owned(), LocalPath::new(&typed.onward.next));
    let say = |status, text: &str| answer::page(&state, status, &next, &name, answer::bad(text));
    match check(&state, client, &name, Password::typed(typed.password)).await {
        Checked::Right => {
            let arrival = Arrival {
                provider: None,
                subject: name.clone(),
                name: name.clone(),
                email: None,
                role: Role::Admin,
                address: client.address,
                agent: agent(&parts.headers),
            };
            enter(&state, Cookies::new(client.is_https), &parts, arrival, &next).await
        }
        Checked::Wrong => say(StatusCode::FORBIDDEN, "Name or password is wrong."),
        Checked::After(seconds) => {
            let text =
                format!("Too many wrong passwords came from your address. Try again in {seconds} seconds.");
            wait(say(StatusCode::TOO_MANY_REQUESTS, &text), seconds)
        }
        Checked::Busy => {
            let text = "Too many people are signing in. Try again in a few seconds.";
            wait(say(StatusCode::SERVICE_UNAVAILABLE, text), 3)
        }
        Checked::Unavailable => {
            let text = "Your password cannot be checked right now. Try again in a moment.";
            wait(say(StatusCode::SERVICE_UNAVAILABLE, text), 5)
        }
    }
}

enum Checked {
    Right,
    Wrong,
    /// Only after so many seconds.
    After(u64),
    Busy,
    Unavailable,
}

async fn check(state: &AppState, client: Client, name: &str, typed: Password) -> Checked {
    let sign_in = &state.sign_in;
    if let Verdict::After(wait) = sign_in.guesses.attempt(client.address, name, state.engine.now()) {
        return Checked::After(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    }
    let wanted = name.to_owned();
    let row = state.engine.read(move |tx| {
        let wanted = wanted.clone();
        Box::pin(async move { administrator(tx, &wanted).await })
    });
    let row = match row.await {
        Ok(row) => row,
        Err(error) => {
            let error: StorageError = error;
            tracing::warn!(error = %crate::logging::chain(&error), "cannot look up a local administrator");
            sign_in.guesses.right(client.address, name);
            return Checked::Unavailable;
        }
    };
    // Names that nobody has are not logged: people type passwords into the wrong field.
    let known = row.as_ref().map_or("", |row| row.name.as_str()).to_owned();
    match sign_in.passwords.is_right(typed, row.map(|row| row.hash)).await {
        Ok(true) => {
            sign_in.guesses.right(client.address, name);
            Checked::Right
        }
        Ok(false) => {
            metrics::counter!("usher_refused_sign_ins_total").increment(1);
            tracing::warn!(administrator.name = known, "a wrong password was typed");
            Checked::Wrong
        }
        Err(error) => {
            sign_in.guesses.right(client.address, name);
            if error == PasswordError::Damaged {
                tracing::error!(administrator.name = known, %error, "a password could not be checked");
                return Checked::Unavailable;
            }
            Checked::Busy
        }
    }
}

fn wait(mut response: Response, seconds: u64) -> Response {
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Leave {
    /// Whether all sessions of this person end.
    everywhere: String,
}

/// Ends the session, or all sessions of its owner.
async fn leave(State(state): State<AppState>, request: Request) -> Response {
    let cookies = Cookies::new(Client::of(&state, request.extensions()).is_https);
    let Some(viewer) = request.extensions().get::<Viewer>().cloned() else {
        return Redirect::to("/sign-in").into_response();
    };
    let id = request.extensions().get::<RequestId>().map(|id| id.0.to_string());
    let Ok(posted) = Posted::<Leave>::from_request(request, &state).await else {
        return usher_console::notice(
            StatusCode::FORBIDDEN,
            "You are still signed in",
            "The request to sign out did not come from a page of your session.",
            "Go back, load the page again and sign out there.",
        );
    };
    let everywhere = !posted.form.everywhere.is_empty();
    let cause = Cause {
        request_id: id,
        ..Cause::new(Actor::Console(session::label(
            &viewer.name,
            viewer.email.as_deref(),
        )))
    };
    let session = SessionId::from_uuid(viewer.session);
    let ended = state.engine.write(cause, move |unit| {
        Box::pin(async move {
            if let Some(row) = session::by_id(unit.tx(), session).await? {
                if everywhere {
                    session::end_all(unit, row.account).await?;
                } else {
                    session::end(unit, &row).await?;
                }
            }
            Ok::<_, EngineError>(())
        })
    });
    if let Err(error) = ended.await {
        tracing::error!(error = %crate::logging::chain(&error), "a session could not be ended");
        return usher_console::notice(
            StatusCode::SERVICE_UNAVAILABLE,
            "You are still signed in",
            "The database does not answer, so your session could not be ended.",
            "Wait a moment, then sign out again.",
        );
    }
    let place = if everywhere { "everywhere" } else { "here" };
    let onward = Redirect::to(&format!("/sign-in?signed_out={place}"));
    ([(SET_COOKIE, cookies.clear_session())], onward).into_response()
}
