//! A fake of Microsoft Graph and of its login host: a view of a [`Directory`] over real HTTP.
//!
//! It says what Microsoft's pages say (<https://learn.microsoft.com/graph/api/overview>), and where those are silent or
//! contradict each other it has a switch in [`Options`], so that a client is tried with both readings.

mod delta;
mod login;
mod objects;
mod page;
mod request;
mod route;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json};
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use self::request::{Reply, Request};
use crate::{Directory, FaultNow, Faults, Served};

/// How an expired or unknown delta token is answered; the pages name all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// 410 with `resyncRequired` and a `Location` that holds an empty `$deltatoken`.
    Gone,
    /// 404 with `syncStateNotFound`.
    NotFound,
    /// 400 with `SyncStateNotFound`.
    BadRequest,
}

/// What `$select` of a user's properties does on a list of members of several types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberSelect {
    /// It is honoured for the members that have them.
    Honoured,
    /// It is passed over: the default properties come.
    Ignored,
    /// 400.
    Refused,
}

/// What `$count` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// The number.
    Right,
    /// So many more or fewer, as an index that lags does.
    Off(i64),
    /// 400: there is no count.
    Refused,
}

/// How the fake is set up; [`Graph::set`] changes it while it runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The tenant in the URL of the token endpoint, and the organisation's id.
    pub tenant: String,
    /// The id of the application that reads.
    pub client_id: String,
    /// Its secret.
    pub secret: Option<String>,
    /// Its certificate in PEM.
    pub certificate_pem: Option<String>,
    /// The assertion of another issuer that a federated credential accepts.
    pub federated_assertion: Option<String>,
    /// The `appId` of the enterprise application to which groups are assigned.
    pub application_id: String,
    /// The granted application permissions.
    pub permissions: BTreeSet<String>,
    /// The most items of a page, whatever `$top` says; 100 and 999 as Graph has them if absent.
    pub page_size: Option<usize>,
    /// The most members of one group in one item of a delta.
    pub delta_members: usize,
    /// Whether `$deltatoken=latest` is answered 400.
    pub latest_refused: bool,
    /// Whether a delta whose filter names a group that is not there is answered 404.
    pub refuses_unknown_ids: bool,
    /// Whether a group that is restored comes with its members in the delta.
    pub restored_with_members: bool,
    /// Whether members who are in the recycle bin are listed and counted.
    pub lists_deleted_members: bool,
    /// Groups whose membership is hidden.
    pub hidden: BTreeSet<String>,
    /// Whether members of a hidden group are answered as an empty list instead of 403.
    pub hidden_reads_empty: bool,
    /// How an expired delta token is answered.
    pub expiry: Expiry,
    /// What `$select` does on members.
    pub member_select: MemberSelect,
    /// What `$count` answers.
    pub counts: Counts,
    /// The root that next links, delta links and `Location` lead to, in place of the server's own.
    pub links_to: Option<String>,
    /// Requests inside a batch that are answered 429 before any other.
    pub throttled_in_batch: u32,
}

impl Default for Options {
    fn default() -> Self {
        let granted = ["GroupMember.Read.All", "User.Read.All", "Application.Read.All"];
        Self {
            tenant: "0f7c2a5e-6d7b-4a39-9a53-1f0e5d2c9b11".into(),
            client_id: "7d1f2c34-52a0-4f7e-8a0b-3a52c9d0e101".into(),
            secret: Some("graph-secret".into()),
            certificate_pem: None,
            federated_assertion: None,
            application_id: "3c9d4a51-0a6e-4f61-b0d2-64a8f1b7a202".into(),
            permissions: granted.map(String::from).into(),
            page_size: None,
            delta_members: 20,
            latest_refused: false,
            refuses_unknown_ids: false,
            restored_with_members: false,
            lists_deleted_members: false,
            hidden: BTreeSet::new(),
            hidden_reads_empty: false,
            expiry: Expiry::Gone,
            member_select: MemberSelect::Honoured,
            counts: Counts::Right,
            links_to: None,
            throttled_in_batch: 0,
        }
    }
}

/// The running fake. It stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Graph {
    served: Served,
    state: Shared,
}

type Shared = Arc<Mutex<World>>;

/// What handlers see.
#[derive(Debug)]
struct World {
    directory: Directory,
    options: Options,
    root: String,
    /// Access tokens that are good.
    tokens: BTreeSet<String>,
    issued: u32,
    /// Delta tokens of another generation are no longer known.
    generation: u32,
}

impl Graph {
    /// Serves a directory on a free port.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(directory: Directory, options: Options, faults: Faults) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let root = format!("http://{}", listener.local_addr()?);
        let state: Shared = Arc::new(Mutex::new(World {
            directory,
            options,
            root,
            tokens: BTreeSet::new(),
            issued: 0,
            generation: 0,
        }));
        let router = Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .fallback(graph)
            .with_state(Arc::clone(&state));
        let served = Served::start_on(listener, router, faults)?;
        Ok(Self { served, state })
    }

    /// The root of both Graph and the login host, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        self.served.url()
    }

    /// The server, for what it has seen.
    #[must_use]
    pub const fn served(&self) -> &Served {
        &self.served
    }

    /// Changes how the fake is set up.
    pub fn set(&self, change: impl FnOnce(&mut Options)) {
        change(&mut locked(&self.state).options);
    }

    /// How the fake is set up.
    #[must_use]
    pub fn options(&self) -> Options {
        locked(&self.state).options.clone()
    }

    /// Grants a permission or takes it back.
    pub fn grant(&self, permission: &str, granted: bool) {
        self.set(|options| {
            if granted {
                options.permissions.insert(permission.into());
            } else {
                options.permissions.remove(permission);
            }
        });
    }

    /// Every access token ends.
    pub fn expire_access_tokens(&self) {
        locked(&self.state).tokens.clear();
    }

    /// How many access tokens were given.
    #[must_use]
    pub fn issued(&self) -> u32 {
        locked(&self.state).issued
    }

    /// Every delta token made so far expires, as it does after seven days.
    pub fn expire_delta_tokens(&self) {
        locked(&self.state).generation += 1;
    }
}

fn locked(state: &Shared) -> std::sync::MutexGuard<'_, World> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn token(State(state): State<Shared>, Path(tenant): Path<String>, body: Bytes) -> Response {
    let mut world = locked(&state);
    if let Err(refused) = login::check(&world.options, &tenant, &world.root, &body) {
        return (refused.status, Json(refused.body)).into_response();
    }
    world.issued += 1;
    let token = format!("access-token-{}", world.issued);
    world.tokens.insert(token.clone());
    Json(json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token }))
        .into_response()
}

async fn graph(
    State(state): State<Shared>,
    Extension(FaultNow(fault)): Extension<FaultNow>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut world = locked(&state);
    if !authorised(&world, &headers) {
        let refused = Reply::error(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            "Access token has expired or is not yet valid.",
        );
        return sent(refused);
    }
    let Some(path) = uri.path().strip_prefix("/v1.0") else {
        return sent(Reply::bad("BadRequest", "Invalid version."));
    };
    let mut request = Request::new(path, uri.query().unwrap_or_default());
    request.post = method == Method::POST;
    request.eventual = has(&headers, "consistencylevel", "eventual");
    request.minimal = has(&headers, "prefer", "return=minimal");
    request.fault = fault;
    if request.post {
        let Ok(sent_body) = serde_json::from_slice::<Value>(&body) else {
            return sent(Reply::bad("BadRequest", "Unable to read JSON request payload."));
        };
        request.body = sent_body;
    } else if method != Method::GET {
        return sent(Reply::bad(
            "Request_BadRequest",
            "Specified HTTP method is not allowed.",
        ));
    }
    sent(route::answer(&mut world, &request))
}

fn authorised(world: &World, headers: &HeaderMap) -> bool {
    let field = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = field.and_then(|field| field.strip_prefix("Bearer "));
    token.is_some_and(|token| world.tokens.contains(token))
}

fn has(headers: &HeaderMap, name: &str, value: &str) -> bool {
    let field = headers.get(name).and_then(|field| field.to_str().ok());
    field.is_some_and(|field| field.eq_ignore_ascii_case(value))
}

fn sent(reply: Reply) -> Response {
    let location = reply.location.and_then(|url| HeaderValue::from_str(&url).ok());
    let mut response = match reply.body {
        // A count is plain text.
        Value::Number(number) => {
            let mut response = number.to_string().into_response();
            let text = HeaderValue::from_static("text/plain");
            response.headers_mut().insert(CONTENT_TYPE, text);
            response
        }
        body => Json(body).into_response(),
    };
    *response.status_mut() = reply.status;
    if let Some(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
