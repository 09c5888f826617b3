//! The loop that writes and sends e-mails.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_engine::EngineError;
use usher_storage::query;

use super::{Mailer, Sent};
use crate::AppState;
use crate::pull::jittered;

/// How often it is looked for events and for e-mails that are due.
const BEAT: Duration = Duration::from_secs(2);
/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_secs(10);
/// How long e-mails that were sent or given up are kept to be shown.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many beats lie between two looks for those that are older.
const BEATS: u32 = 1800;

/// Starts writing and sending, where a mail server is configured; it ends when `stopping` is cancelled.
pub(crate) fn spawn(state: &AppState, tracker: &TaskTracker, stopping: &CancellationToken) {
    if !state.mail.is_on() {
        return;
    }
    let mailer = Mailer::new(state, stopping.clone());
    tracker.spawn(run(mailer, stopping.clone()));
}

async fn run(mailer: Mailer, stopping: CancellationToken) {
    let mut pause = Duration::ZERO;
    let mut beats = 0;
    while stopping
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        if beats % BEATS == 0 {
            forget(&mailer).await;
        }
        beats += 1;
        pause = match mailer.work().await {
            Ok(_) => jittered(BEAT),
            Err(error) => {
                tracing::error!(error = %crate::logging::chain(&error), "e-mails go on later");
                PAUSE
            }
        };
    }
}

impl Mailer {
    /// Writes and sends everything that there is for now.
    async fn work(&self) -> Result<Sent, EngineError> {
        while !self.stopping.is_cancelled() && self.write().await? {}
        self.send().await
    }
}

async fn forget(mailer: &Mailer) {
    let before = mailer.engine.now().minus(KEPT);
    let forgotten: Result<u64, EngineError> = mailer
        .engine
        .storage()
        .write(move |tx| Box::pin(async move { Ok(query::mail::forget(tx, before).await?) }))
        .await;
    if let Err(error) = forgotten {
        tracing::warn!(error = %crate::logging::chain(&error), "old e-mails are forgotten later");
    }
}
