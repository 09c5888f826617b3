//! All endpoints of the server.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::Either;
use tower::ServiceExt;

use crate::lifecycle::Answering;
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
    Router::new().fallback(move |request| app.clone().answer(request))
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

impl Answering for App {
    async fn answer(self, request: Request) -> Response {
        let Endpoints { state, others } = &*self.0;
        edge::edge(state, request, |request, id| {
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
        })
        .await
    }
}
