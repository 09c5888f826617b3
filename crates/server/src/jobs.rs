//! Work that is done beside requests: due dates, and writing down what can wait.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_engine::job::Work;
use usher_storage::{StorageError, query};

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
/// How often open pages are told of what other processes did.
const NEWS: Duration = Duration::from_secs(1);
/// How often requests of identity providers are written down.
const REQUESTS: Duration = Duration::from_secs(3);
/// How often the uses of tokens are written down.
const USES: Duration = Duration::from_secs(30);

/// Starts the background work; it ends when `stopping` is cancelled.
pub fn spawn(state: &AppState, tracker: &TaskTracker, stopping: &CancellationToken) {
    tracker.spawn(run_due(state.clone(), stopping.clone()));
    tracker.spawn(write_uses(state.clone(), stopping.clone()));
    tracker.spawn(write_requests(state.clone(), stopping.clone()));
    tracker.spawn(gather_samples(state.clone(), stopping.clone()));
    tracker.spawn(tell_news(state.clone(), stopping.clone()));
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

async fn tell_news(state: AppState, stopping: CancellationToken) {
    while stopping
        .run_until_cancelled(tokio::time::sleep(NEWS))
        .await
        .is_some()
    {
        // While nobody waits, knowing about where the feed is will do.
        if state.news.receiver_count() > 0
            && let Err(error) = query::event::publish(state.engine.storage()).await
        {
            tracing::debug!(error = %crate::logging::chain(&error), "cannot look for news");
            continue;
        }
        let place: Result<i64, StorageError> = state.engine.read(|tx| Box::pin(query::event::last(tx))).await;
        if let Ok(place) = place {
            crate::console::tell(&state, place);
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

async fn write_requests(state: AppState, stopping: CancellationToken) {
    while stopping
        .run_until_cancelled(tokio::time::sleep(jittered(REQUESTS)))
        .await
        .is_some()
    {
        if let Err(error) = state.requests.write(&state.engine).await {
            tracing::warn!(error = %crate::logging::chain(&error), "cannot write down what was sent lately");
        }
    }
}

async fn write_uses_once(state: &AppState) {
    if let Err(error) = state.access.write_uses().await {
        tracing::warn!(error = %crate::logging::chain(&error), "cannot write down when tokens were used");
    }
}
