//! Signing in with a provider: away to it, and back.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use usher_signin::{Attempt, Identity, LocalPath, Provider, Returned, SignInError};
use usher_storage::StorageError;
use usher_storage::query::session;

use super::answer;
use super::cookie::Cookies;
use super::session::Arrival;
use crate::client::Client;
use crate::{AppState, RequestId};

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Onward {
    #[serde(default)]
    pub(super) next: String,
}

/// Sends the browser to a provider.
pub(super) async fn start(State(state): State<AppState>, Path(name): Path<String>, parts: Parts) -> Response {
    let next = LocalPath::new(&query::<Onward>(&parts.uri).next);
    let Some((label, provider)) = state.sign_in.provider(&name) else {
        return unknown(&state, &next);
    };
    let started = match callback(&state, provider) {
        Ok(callback) => provider.start(&callback, next.clone(), state.engine.now()).await,
        Err(error) => Err(error),
    };
    match started {
        Ok(started) => {
            let cookies = Cookies::new(Client::of(&state, &parts.extensions).is_https);
            let remember = cookies.set_attempt(&started.attempt, &state.sign_in.key);
            ([(SET_COOKIE, remember)], Redirect::to(started.url.as_str())).into_response()
        }
        Err(error) => {
            tracing::warn!(provider.name = %name, %error, "a sign-in could not begin");
            answer::refused(&state, label, &error, &next)
        }
    }
}

/// Takes the browser back from a provider, signed in.
pub(super) async fn finish(
    State(state): State<AppState>,
    Path(name): Path<String>,
    parts: Parts,
) -> Response {
    let Some((label, provider)) = state.sign_in.provider(&name) else {
        return unknown(&state, &LocalPath::default());
    };
    let client = Client::of(&state, &parts.extensions);
    let cookies = Cookies::new(client.is_https);
    let returned: Returned = query(&parts.uri);
    let Some(attempt) = cookies.attempt(&parts.headers, &state.sign_in.key) else {
        let error = SignInError::Foreign("this browser began none");
        tracing::warn!(provider.name = %name, %error, "a sign-in was refused");
        return answer::refused(&state, label, &error, &LocalPath::default());
    };
    let identity = match identity(&state, provider, &attempt, &returned).await {
        Ok(identity) => identity,
        Err(error) => {
            metrics::counter!("usher_refused_sign_ins_total").increment(1);
            tracing::warn!(provider.name = %name, %error, "a sign-in was refused");
            let mut response = answer::refused(&state, label, &error, &attempt.next);
            if !matches!(error, SignInError::Foreign(_)) {
                response.headers_mut().append(SET_COOKIE, cookies.clear_attempt());
            }
            return response;
        }
    };
    let arrival = Arrival {
        provider: Some(name),
        subject: identity.subject,
        name: identity.name,
        email: identity.email,
        role: identity.role,
        address: client.address,
        agent: agent(&parts.headers),
    };
    let mut response = enter(&state, cookies, &parts, arrival, &attempt.next).await;
    response.headers_mut().append(SET_COOKIE, cookies.clear_attempt());
    response
}

/// Who came back. A sign-in comes back once; what is not this browser's does not use it up.
async fn identity(
    state: &AppState,
    provider: &Provider,
    attempt: &Attempt,
    returned: &Returned,
) -> Result<Identity, SignInError> {
    let now = state.engine.now();
    provider.belongs(attempt, returned, now)?;
    if !comes_back_once(state, attempt.state_hash(), attempt.until_us).await? {
        return Err(SignInError::Foreign("it came back before"));
    }
    let callback = callback(state, provider)?;
    provider.finish(attempt, returned, &callback, now).await
}

/// Begins a session and leads on.
pub(super) async fn enter(
    state: &AppState,
    cookies: Cookies,
    parts: &Parts,
    arrival: Arrival,
    next: &LocalPath,
) -> Response {
    let id = parts.extensions.get::<RequestId>().map(|id| id.0.to_string());
    let before = cookies.session(&parts.headers);
    match state
        .sign_in
        .sessions
        .begin(&state.engine, arrival, before, id)
        .await
    {
        Ok(secret) => {
            let session = cookies.set_session(secret.expose());
            ([(SET_COOKIE, session)], Redirect::to(next.as_str())).into_response()
        }
        Err(error) => {
            tracing::error!(error = %crate::logging::chain(&error), "a session could not begin");
            let text = "You could not be signed in: the database does not answer. Try again in a moment.";
            answer::page(
                state,
                StatusCode::SERVICE_UNAVAILABLE,
                next,
                "",
                answer::bad(text),
            )
        }
    }
}

/// The parameters of an address; nothing where they cannot be read, as when one is there twice.
pub(super) fn query<T: DeserializeOwned + Default>(uri: &Uri) -> T {
    Query::try_from_uri(uri).map_or_else(|_| T::default(), |query| query.0)
}

/// What the browser calls itself.
pub(super) fn agent(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(USER_AGENT)?;
    Some(String::from_utf8_lossy(agent.as_bytes()).into_owned())
}

fn unknown(state: &AppState, next: &LocalPath) -> Response {
    let text = "There is no such provider here. Sign in with one of these.";
    answer::page(state, StatusCode::NOT_FOUND, next, "", answer::bad(text))
}

/// The redirect URI that is registered at the provider.
fn callback(state: &AppState, provider: &Provider) -> Result<url::Url, SignInError> {
    let text = format!("{}/sign-in/{}/callback", state.public_url, provider.name());
    text.parse()
        .map_err(|_| SignInError::Unreachable("server.public_url is no URL".to_owned()))
}

/// Whether a sign-in comes back for the first time, on whatever node.
async fn comes_back_once(state: &AppState, hash: [u8; 32], until_us: i64) -> Result<bool, SignInError> {
    let now = state.engine.now();
    let until = usher_core::Timestamp::from_micros(until_us);
    let first: Result<bool, StorageError> = state
        .engine
        .storage()
        .write(move |tx| Box::pin(session::came_back(tx, hash, until, now)))
        .await;
    first.map_err(|error| SignInError::Unreachable(format!("the database: {error}")))
}
