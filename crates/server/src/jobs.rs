//! Work that is done beside requests: due dates, and writing down what can wait.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_engine::job::Work;

use crate::AppState;
use crate::pull::jittered;

/// How often due dates are looked at.
const BEAT: Duration = Duration::from_millis(750);
/// Units of due work between two looks at the signal to stop.
const UNITS: u32 = 16;
/// How long to wait after due work failed.
const PAUSE: Duration = Duration::from_secs(10);
/// How often measured samples are gathered into their buckets; until then each takes memory.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often the uses of tokens are written down.
const USES: Duration = Duration::from_secs(30);

/// Starts the background work; it ends when `stopping` is cancelled.
pub fn spawn(state: &AppState, tracker: &TaskTracker, stopping: &CancellationToken) {
    tracker.spawn(run_due(state.clone(), stopping.clone()));
    tracker.spawn(write_uses(state.clone(), stopping.clone()));
    tracker.spawn(gather_samples(state.clone(), stopping.clone()));
    crate::pull::spawn(state, tracker, stopping);
    crate::webhook::spawn(state, tracker, stopping);
    crate::mail::spawn(state, tracker, stopping);
}

async fn run_due(state: AppState, stopping: CancellationToken) {
    let mut pause = Duration::ZERO;
    while stopping
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        pause = match state.engine.run_due(UNITS).await {
            Ok(Work { more: true, .. }) => Duration::ZERO,
            Ok(_) => jittered(BEAT),
            Err(error) => {
                tracing::error!(error = %crate::logging::chain(&error), "due work failed; it is tried again");
                PAUSE
            }
        };
    }
}

async fn gather_samples(state: AppState, stopping: CancellationToken) {
    while stopping
        .run_until_cancelled(tokio::time::sleep(UPKEEP))
        .await
        .is_some()
    {
        if let Some(metrics) = &state.metrics {
            metrics.run_upkeep();
        }
    }
}

async fn write_uses(state: AppState, stopping: CancellationToken) {
    while stopping
        .run_until_cancelled(tokio::time::sleep(USES))
        .await
        .is_some()
    {
        write_uses_once(&state).await;
    }
    write_uses_once(&state).await;
}

async fn write_uses_once(state: &AppState) {
    if let Err(error) = state.access.write_uses().await {
        tracing::warn!(error = %crate::logging::chain(&error), "cannot write down when tokens were used");
    }
}
