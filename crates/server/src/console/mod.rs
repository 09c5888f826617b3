//! The console's server: the API, called in this process in the name of whoever looks at a page.

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::middleware;
use futures_util::FutureExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tokio::sync::watch;
use tower::ServiceExt as _;
use usher_console::{Answer, Backend, Call, Content, Viewer};
use usher_core::{SessionId, Timestamp};

use crate::access::{Credential, RoleCaller};
use crate::{AppState, RequestId, api, signin};

/// The largest answer of the API that a page takes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

tokio::task_local! {
    /// The request that a page is for: what it changes is written down under its id.
    static REQUEST: RequestId;
}

/// The pages, with the layer that knows who is signed in.
pub(crate) fn router(state: &AppState, api: Router) -> Router {
    let backend = std::sync::Arc::new(InProcess {
        state: state.clone(),
        api,
    });
    usher_console::router(backend)
        .layer(middleware::from_fn(remember))
        .layer(middleware::from_fn_with_state(state.clone(), signin::recognise))
}

async fn remember(request: axum::extract::Request, next: middleware::Next) -> axum::response::Response {
    match request.extensions().get::<RequestId>().cloned() {
        Some(id) => REQUEST.scope(id, next.run(request)).await,
        None => next.run(request).await,
    }
}

struct InProcess {
    state: AppState,
    api: Router,
}

#[async_trait]
impl Backend for InProcess {
    async fn call(&self, viewer: &Viewer, call: Call) -> Answer {
        let Some(request) = request(viewer, call) else {
            return plain(StatusCode::NOT_FOUND);
        };
        let response = self.api.clone().oneshot(request).map(|answered| match answered {
            Ok(response) => response,
            Err(never) => match never {},
        });
        let (parts, body) = response.await.into_parts();
        match to_bytes(body, MAX_ANSWER).await {
            Ok(body) => Answer {
                status: parts.status,
                headers: parts.headers,
                body,
            },
            Err(_) => plain(StatusCode::BAD_GATEWAY),
        }
    }

    async fn news(&self, after: i64) -> Option<i64> {
        let mut places = self.state.news.subscribe();
        tokio::select! {
            place = places.wait_for(|place| *place > after) => place.ok().map(|place| *place),
            () = self.state.stopping.cancelled() => None,
        }
    }

    fn place(&self) -> i64 {
        *self.state.news.borrow()
    }

    fn now(&self) -> Timestamp {
        self.state.engine.now()
    }
}

/// The same request as with a token, but for the caller, whom no token names.
fn request(viewer: &Viewer, call: Call) -> Option<Request<Body>> {
    let (media_type, body) = match call.content {
        Content::Empty => (None, Body::empty()),
        Content::Json(value) => (Some("application/json"), Body::from(value.to_string())),
        Content::Bytes(bytes) => (Some("application/octet-stream"), Body::from(bytes)),
    };
    let mut request = Request::builder()
        .method(call.method)
        .uri(format!("{}{}", api::ROOT, call.path));
    if let Some(media_type) = media_type {
        request = request.header(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    if let Some(key) = call.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    if let Ok(id) = REQUEST.try_with(RequestId::clone) {
        request = request.extension(id);
    }
    let caller = RoleCaller {
        credential: Credential::Session(SessionId::from_uuid(viewer.session)),
        role: viewer.role,
        label: signin::label(&viewer.name, viewer.email.as_deref()),
        subject: viewer.email.clone(),
    };
    request.extension(caller).body(body).ok()
}

fn plain(status: StatusCode) -> Answer {
    Answer {
        status,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    }
}

/// The place of the feed, as the pages were last told.
pub(crate) fn news() -> watch::Sender<i64> {
    watch::Sender::new(0)
}

/// Tells open pages of a new place of the feed.
pub(crate) fn tell(state: &AppState, place: i64) {
    state.news.send_if_modified(|known| {
        let is_new = *known < place;
        *known = (*known).max(place);
        is_new
    });
}
