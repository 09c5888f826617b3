//! `/metrics`, in the text format of Prometheus.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::AppState;
use crate::edge::Area;

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

/// Counts a request that was answered.
pub(crate) fn count_request(area: Area, status: StatusCode, elapsed: Duration) {
    const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    // Finding a metric by its labels costs more than counting with it.
    static REQUESTS: [[OnceLock<Counter>; CLASSES.len()]; Area::COUNT] =
        [const { [const { OnceLock::new() }; CLASSES.len()] }; Area::COUNT];
    static SECONDS: [OnceLock<Histogram>; Area::COUNT] = [const { OnceLock::new() }; Area::COUNT];

    let class = usize::from(status.as_u16() / 100)
        .saturating_sub(1)
        .min(CLASSES.len() - 1);
    let name = area.as_str();
    REQUESTS[area as usize][class]
        .get_or_init(
            || metrics::counter!("usher_http_requests_total", "area" => name, "status" => CLASSES[class]),
        )
        .increment(1);
    SECONDS[area as usize]
        .get_or_init(|| metrics::histogram!("usher_http_request_seconds", "area" => name))
        .record(elapsed.as_secs_f64());
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
        ("usher_storage_rows_written_total", stats.rows),
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
