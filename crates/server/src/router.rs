//! All endpoints of the server.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::{BoxFuture, Either};
use tower::{Service, ServiceExt, service_fn};

use crate::{AppState, api, console, edge, health, metrics, pull, scim, signin};

/// The whole application.
///
/// SCIM, where most requests go, has one handler that looks at the path itself: it is called without a detour through
/// a router.
#[derive(Clone)]
pub(crate) struct App(Arc<Endpoints>);

struct Endpoints {
    state: AppState,
    others: Router,
}

/// The whole application as a router. Tests call it as they would call the running server.
pub fn router(state: AppState) -> Router {
    let app = App::new(state);
    Router::new().fallback_service(service_fn(move |request| app.clone().call(request)))
}

impl App {
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
        Self(Arc::new(Endpoints { state, others }))
    }
}

impl Service<Request> for App {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let app = Arc::clone(&self.0);
        Box::pin(async move {
            let Endpoints { state, others } = &*app;
            let answer = edge::edge(state, request, |request, id| {
                if scim::is_scim_path(request.uri().path()) {
                    Either::Left(scim::serve(state, request, id))
                } else {
                    let mut request = request;
                    request.extensions_mut().insert(id);
                    Either::Right(async move {
                        let answered = others.clone().oneshot(request).await;
                        answered.unwrap_or_else(|never| match never {})
                    })
                }
            });
            Ok(answer.await)
        })
    }
}
