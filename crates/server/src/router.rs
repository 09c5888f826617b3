//! All endpoints of the server, and on which threads they are answered.

use std::panic::resume_unwind;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::Either;
use http::StatusCode;
use hyper::body::Body as _;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

use crate::lifecycle::Answering;
use crate::{AppState, RequestId, api, console, edge, health, logging, metrics, pull, scim, signin};

/// The whole application.
///
/// SCIM, where most requests go, has one handler that looks at the path itself: it is called without a detour through
/// a router.
#[derive(Clone)]
pub(crate) struct App(Arc<Endpoints>);

struct Endpoints {
    state: AppState,
    others: Router,
    /// Where whatever may compute for long is answered.
    aside: Handle,
}

/// A SCIM request with a longer body is answered aside: a hundred members take some ten thousand bytes.
const LONG: u64 = 64 << 10;

/// The whole application as a router. Tests call it as they would call the running server.
pub fn router(state: AppState) -> Router {
    let app = App::new(state);
    Router::new().fallback(move |request| app.clone().answer(request))
}

impl App {
    /// What may compute for long will be answered on the runtime that this is called on.
    pub(crate) fn new(state: AppState) -> Self {
        let others = Router::new()
            .merge(health::router())
            .merge(metrics::router())
            .merge(pull::hooks::router())
            .merge(signin::router(&state));
        let api = api::router(&state).with_state(state.clone());
        let others = others
            .with_state(state.clone())
            .merge(api.clone())
            .fallback_service(console::router(&state, api));
        Self(Arc::new(Endpoints {
            state,
            others,
            aside: Handle::current(),
        }))
    }

    /// Answers on other threads than those of connections, each of which has many to serve.
    async fn aside(self, request: Request, id: RequestId) -> Response {
        let aside = self.0.aside.clone();
        let logged = Arc::clone(&id.0);
        let answer = logging::with_request(logged, async move { self.0.answer(request, id).await });
        if Handle::current().id() == aside.id() {
            return answer.await;
        }
        match AbortOnDropHandle::new(aside.spawn(answer)).await {
            Ok(response) => response,
            // The edge tells it.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_stopped) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            },
        }
    }
}

impl Endpoints {
    async fn answer(&self, mut request: Request, id: RequestId) -> Response {
        if scim::is_scim_path(request.uri().path()) {
            return scim::serve(&self.state, request, id).await;
        }
        request.extensions_mut().insert(id);
        let answered = self.others.clone().oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }
}

/// Whether an answer may take long to compute: pages and lists of the API and of the console, SCIM requests with much in them.
fn is_long(request: &Request) -> bool {
    let length = request.body().size_hint().upper();
    !scim::is_scim_path(request.uri().path()) || length.is_none_or(|length| length > LONG)
}

impl Answering for App {
    async fn answer(self, request: Request) -> Response {
        let Endpoints { state, .. } = &*self.0;
        edge::edge(state, request, |request, id| match is_long(&request) {
            false => Either::Left(scim::serve(state, request, id)),
            true => Either::Right(Box::pin(self.clone().aside(request, id))),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tokio::runtime::Builder;

    use super::*;
    use crate::start;

    fn request(path: &str, body: Body) -> Request {
        let request = Request::post(path);
        request.body(body).expect("a request")
    }

    #[test]
    fn what_may_compute_for_long_is_told_by_its_path_and_length() {
        let many = || Body::from(vec![b' '; 1 + (64 << 10)]);
        assert!(!is_long(&request("/scim/idp/v2/Groups/x", Body::from("{}"))));
        assert!(is_long(&request("/scim/idp/v2/Bulk", many())));
        let unknown = Body::from_stream(futures_util::stream::pending::<Result<&[u8], std::io::Error>>());
        assert!(is_long(&request("/scim/idp/v2/Users", unknown)));
        assert!(is_long(&request("/api/v1/rooms", Body::empty())));
        assert!(is_long(&request("/rooms", Body::empty())));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_is_answered_aside_for_a_connection_of_another_thread() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::new(start::try_out(folder.path(), |_| {}).await);
        let long = Body::from(vec![b' '; 1 + (64 << 10)]);
        for (request, status) in [
            (request("/livez", Body::empty()), 405),
            (request("/api/v1/rooms", Body::empty()), 401),
            (request("/scim/idp/v2/Users", long), 401),
        ] {
            let app = app.clone();
            let lane = std::thread::spawn(move || {
                let runtime = Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(app.answer(request))
            });
            let lane = tokio::task::spawn_blocking(|| lane.join().expect("an answer"));
            let response = lane.await.expect("a thread");
            assert_eq!(response.status(), status);
            assert!(response.headers().contains_key("x-request-id"));
        }
    }
}
