//! `/metrics`, in the text format of Prometheus.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::AppState;

/// Seconds; requests take from a fraction of a millisecond to the request timeout.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Starts counting. All servers of one process share the numbers.
pub(crate) fn start() -> Option<Arc<PrometheusHandle>> {
    static HANDLE: OnceLock<Option<Arc<PrometheusHandle>>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
                .ok()?;
            builder.install_recorder().ok().map(Arc::new)
        })
        .clone()
}

/// The endpoint.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/metrics", get(render))
}

async fn render(State(state): State<AppState>) -> Response {
    let stats = state.engine.storage().stats();
    for (name, value) in [
        ("usher_storage_units_committed_total", stats.committed),
        ("usher_storage_units_rolled_back_total", stats.rolled_back),
        ("usher_storage_commits_total", stats.commits),
        ("usher_storage_reads_total", stats.reads),
        ("usher_storage_statements_total", stats.statements),
    ] {
        metrics::counter!(name).absolute(value);
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("usher_storage_queued").set(stats.queued as f64);
    let body = state.metrics.as_ref().map(|handle| {
        handle.run_upkeep();
        handle.render()
    });
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        body.unwrap_or_default(),
    )
        .into_response()
}
