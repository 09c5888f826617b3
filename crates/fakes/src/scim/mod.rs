//! A SCIM 2.0 service provider to pull from, as a view of a [`Directory`].
//!
//! Users and groups that were deleted for good are not there any more (RFC 7644 §3.6); softly deleted users are inactive.
//! Everything that service providers do differently is a [`Habits`] field, and may be changed while the server runs.

mod habits;
mod list;
mod token;
mod view;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde_json::Value;
use usher_scim::{Attributes, MEDIA_TYPE, Projection, ScimError, discovery, list::decode_query};

pub use habits::{Discovery, Filtering, Habits, MembersShown};

use crate::{Directory, Fault, FaultNow, Faults, Served};

/// The token that is good until [`ScimServer::revoke`].
pub const TOKEN: &str = "scim-token-of-the-fake";
/// The client's id at the token endpoint.
pub const CLIENT_ID: &str = "usher";
/// The client's secret at the token endpoint.
pub const CLIENT_SECRET: &str = "secret-of-the-fake";

/// A running service provider. It stops when it is dropped.
#[derive(Debug, Clone)]
pub struct ScimServer {
    served: Served,
    state: Arc<Provider>,
}

#[derive(Debug)]
struct Provider {
    directory: Directory,
    habits: Mutex<Habits>,
    tokens: Mutex<BTreeSet<String>>,
    /// How many tokens were issued.
    issued: AtomicU64,
    base: String,
}

impl Provider {
    fn habits(&self) -> Habits {
        self.habits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ScimServer {
    /// Shows `directory` with these habits and faults.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(directory: &Directory, habits: Habits, faults: Faults) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}/scim/v2", listener.local_addr()?);
        let state = Arc::new(Provider {
            directory: directory.clone(),
            habits: Mutex::new(habits),
            tokens: Mutex::new(BTreeSet::from([TOKEN.to_owned()])),
            issued: AtomicU64::new(0),
            base,
        });
        let guarded = Router::new()
            .route("/ServiceProviderConfig", get(service_provider_config))
            .route("/Users", get(list::users))
            .route("/Users/{id}", get(user))
            .route("/Groups", get(list::groups))
            .route("/Groups/{id}", get(group))
            .fallback(async || answer_error(&ScimError::not_found("there is no such endpoint")))
            .layer(from_fn_with_state(Arc::clone(&state), authenticate));
        let router = Router::new()
            .nest("/scim/v2", guarded)
            .route("/oauth/token", post(token::issue))
            .with_state(Arc::clone(&state));
        Ok(Self {
            served: Served::start_on(listener, router, faults)?,
            state,
        })
    }

    /// Where the endpoints are, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.state.base
    }

    /// The token endpoint for [`CLIENT_ID`] and [`CLIENT_SECRET`].
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}/oauth/token", self.served.url())
    }

    /// The server, for what it was asked.
    #[must_use]
    pub const fn served(&self) -> &Served {
        &self.served
    }

    /// Changes the habits from the next request on.
    pub fn change(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.state.habits.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// No token issued so far is good any more, [`TOKEN`] included.
    pub fn revoke(&self) {
        self.state
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

async fn authenticate(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let known = token.is_some_and(|token| {
        let tokens = provider.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.contains(token)
    });
    if known {
        return next.run(request).await;
    }
    let mut answer = answer_error(&ScimError::unauthorized("the token is not known"));
    answer
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

async fn service_provider_config(State(provider): State<Arc<Provider>>) -> Response {
    let habits = provider.habits();
    match habits.discovery {
        Discovery::Missing => answer_error(&ScimError::not_found("there is no such endpoint")),
        Discovery::Invalid => answer_json(&Value::from("no configuration")),
        Discovery::Honest => answer_json(&discovery::service_provider_config(
            &habits.features(),
            &provider.base,
        )),
    }
}

async fn user(
    State(provider): State<Arc<Provider>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let habits = provider.habits();
    let render = || {
        if !habits.users_readable {
            return Err(ScimError::forbidden("the client may not read users"));
        }
        let found = provider
            .directory
            .user(&id)
            .filter(view::is_there)
            .ok_or_else(|| ScimError::not_found("there is no such user"))?;
        let mut resource = view::user(&found, &provider.directory, &habits, &provider.base);
        projection(&uri)?.apply(&mut resource, &usher_scim::schema::USER_TYPE);
        Ok(resource)
    };
    answer_resource(render(), &habits, &headers)
}

async fn group(
    State(provider): State<Arc<Provider>>,
    Path(id): Path<String>,
    Extension(FaultNow(fault)): Extension<FaultNow>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut habits = provider.habits();
    if matches!(fault, Some(Fault::LostPage | Fault::EmptyPage)) {
        habits.members = MembersShown::LeftOut;
    }
    let render = || {
        if !habits.groups_readable {
            return Err(ScimError::forbidden("the client may not read groups"));
        }
        let found = provider
            .directory
            .group(&id)
            .filter(view::is_group_there)
            .ok_or_else(|| ScimError::not_found("there is no such group"))?;
        let mut resource = view::group(&found, &provider.directory, &habits, &provider.base);
        projection(&uri)?.apply(&mut resource, &usher_scim::schema::GROUP_TYPE);
        Ok(resource)
    };
    answer_resource(render(), &habits, &headers)
}

fn projection(uri: &Uri) -> Result<Projection, ScimError> {
    let pairs = decode_query(uri.query().unwrap_or_default())?;
    let pairs = pairs.iter().map(|(name, value)| (&**name, &**value));
    Ok(usher_scim::ListQuery::from_pairs(pairs, &usher_scim::filter::FilterLimits::default())?.projection)
}

fn answer_resource(
    resource: Result<Attributes, ScimError>,
    habits: &Habits,
    headers: &HeaderMap,
) -> Response {
    let resource = match resource {
        Ok(resource) => Value::Object(resource),
        Err(error) => return answer_error(&error),
    };
    let version = resource["meta"]["version"].as_str().filter(|_| habits.etag);
    let known = headers.get("if-none-match").and_then(|value| value.to_str().ok());
    if version.is_some() && version == known {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    answer_json(&resource)
}

fn answer_json(body: &Value) -> Response {
    ([(CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response()
}

fn answer_error(error: &ScimError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, answer_json(&error.to_json())).into_response()
}
