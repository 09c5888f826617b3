//! One task for each source that is read: it waits for what is due or asked for, does it, and writes down how it ended.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_engine::pull::{BegunRead, ReadEnd};
use usher_engine::{Actor, Cause, EngineError};

use super::read::Reading;
use crate::AppState;

/// How often due and enqueued reads are looked for.
const BEAT: Duration = Duration::from_millis(750);
/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_secs(10);

/// Starts reading; it ends between two batches when `stopping` is cancelled.
pub(crate) fn spawn(state: &AppState, tracker: &TaskTracker, stopping: &CancellationToken) {
    for reader in state.readers.read() {
        let Some(source) = state.sources.get(&reader.name) else {
            continue;
        };
        let reading = Reading {
            engine: state.engine.clone(),
            reader: reader.clone(),
            key: source.key,
        };
        tracker.spawn(supervise(reading, stopping.clone()));
    }
}

async fn supervise(reading: Reading, stopping: CancellationToken) {
    let mut pause = Duration::ZERO;
    let mut is_first = true;
    while stopping.run_until_cancelled(reading.rest(pause)).await.is_some() {
        let result = if is_first {
            reading.take_up().await
        } else {
            reading.beat(&stopping).await
        };
        pause = match result {
            Ok(found) => {
                is_first = false;
                if found { Duration::ZERO } else { BEAT }
            }
            // It was retired meanwhile; the configuration still has it until the next start.
            Err(EngineError::Refused(_)) => PAUSE,
            Err(error) => {
                let error = crate::logging::chain(&error);
                tracing::error!(source.name = %reading.reader.name, error, "reading goes on later");
                // How the last read ended may not be written down.
                is_first = true;
                PAUSE
            }
        };
    }
}

impl Reading {
    /// Waits so long, or until somebody in this process asks for a read.
    async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.reader.asked.notified() => {}
        }
    }

    /// Takes up what a process left that stopped in the middle.
    async fn take_up(&self) -> Result<bool, EngineError> {
        let key = self.key;
        let (left, state) = self
            .engine
            .write(cause(), move |unit| {
                Box::pin(async move {
                    let left = unit.abandon_reads(key).await?;
                    let state = usher_storage::query::pull_run::state(unit.tx(), key).await?;
                    Ok::<_, EngineError>((left, state))
                })
            })
            .await?;
        if left > 0 {
            tracing::info!(source.name = %self.reader.name, "a read was left in the middle; it begins again");
        }
        self.show_health(state.degraded.is_some());
        Ok(true)
    }

    /// Does the read that waits longest; whether there was one.
    async fn beat(&self, stopping: &CancellationToken) -> Result<bool, EngineError> {
        let Some(begun) = self.engine.next_read(self.key, cause()).await? else {
            return Ok(false);
        };
        let started = Instant::now();
        let Some(end) = self.perform(&begun, stopping).await else {
            self.take_up().await?;
            return Ok(false);
        };
        self.report(&begun, &end, started.elapsed());
        let id = begun.run.id;
        self.engine
            .write(cause(), move |unit| {
                let end = end.clone();
                Box::pin(async move { unit.end_read(id, &end).await })
            })
            .await?;
        Ok(true)
    }

    /// Tells the log and the numbers how a read ended.
    fn report(&self, begun: &BegunRead, end: &ReadEnd, took: Duration) {
        let (source, scope, run) = (&self.reader.name, begun.run.scope.as_str(), begun.run.id);
        let (outcome, counts) = match end {
            ReadEnd::Done { counts, not_seen, .. } => {
                tracing::info!(
                    source.name = %source, run.id = %run, scope, run.full = begun.run.full, groups = counts.groups,
                    members = counts.members, added = counts.added, removed = counts.removed,
                    not_seen = not_seen.len(), seconds = took.as_secs(), "read"
                );
                self.show_health(false);
                if begun.run.scope == usher_core::PullScope::All {
                    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
                    let now = self.engine.now().as_micros() as f64 / 1e6;
                    metrics::gauge!("usher_pull_last_read_timestamp_seconds", "source" => source.to_string())
                        .set(now);
                }
                ("done", counts)
            }
            ReadEnd::Failed {
                kind, reason, counts, ..
            } => {
                tracing::warn!(
                    source.name = %source, run.id = %run, scope, kind, reason,
                    "a read failed: nobody ends because of it, and it is repeated"
                );
                self.show_health(true);
                (*kind, counts)
            }
            ReadEnd::CheckpointExpired { counts } => {
                tracing::info!(source.name = %source, run.id = %run, "the checkpoint was too old: all is read again");
                ("checkpoint_expired", counts)
            }
        };
        metrics::counter!("usher_pull_runs_total", "source" => source.to_string(), "scope" => scope,
            "outcome" => outcome)
        .increment(1);
        metrics::histogram!("usher_pull_run_seconds", "source" => source.to_string(), "scope" => scope)
            .record(took.as_secs_f64());
        for (what, count) in [
            ("users_changed", counts.users_changed),
            ("members_added", counts.added),
            ("members_removed", counts.removed),
            ("members_doubted", counts.doubted),
        ] {
            metrics::counter!("usher_pull_changes_total", "source" => source.to_string(), "change" => what)
                .increment(u64::try_from(count).unwrap_or(0));
        }
    }

    fn show_health(&self, is_degraded: bool) {
        metrics::gauge!("usher_pull_degraded", "source" => self.reader.name.to_string())
            .set(f64::from(u8::from(is_degraded)));
    }
}

fn cause() -> Cause {
    Cause::new(Actor::Usher("reads".into()))
}
