//! One task for each source that is read: it waits for what is due or asked for, does it, and writes down how it ended. Of
//! several processes on one database, the one that holds the lease of the source reads it.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_core::{PullCause, Timestamp};
use usher_engine::pull::{BegunRead, ReadEnd};
use usher_engine::{Actor, Cause, EngineError};
use usher_storage::query::pull_run::{self, PullStateRow};

use super::read::{Performed, Reading};
use super::schedule::jittered;
use crate::AppState;

/// How often due and enqueued reads are looked for.
const BEAT: Duration = Duration::from_millis(750);
/// How often the numbers of a source that another process reads are looked up.
const SHOW: Duration = Duration::from_secs(15);
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
    let mut shown = None;
    while stopping.run_until_cancelled(reading.rest(pause)).await.is_some() {
        pause = match reading.beat(&stopping, &mut shown).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => jittered(BEAT),
            // It was retired meanwhile; the configuration still has it until the next start.
            Err(EngineError::Refused(_)) => PAUSE,
            Err(error) => {
                let error = crate::logging::chain(&error);
                tracing::error!(source.name = %reading.reader.name, error, "reading goes on later");
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

    /// Does the read that waits longest; whether there was one for this process.
    async fn beat(
        &self,
        stopping: &CancellationToken,
        shown: &mut Option<Instant>,
    ) -> Result<bool, EngineError> {
        let Some(begun) = self.engine.next_read(self.key, cause()).await? else {
            // Another process may have read it.
            if shown.is_none_or(|at| at.elapsed() >= SHOW) {
                *shown = Some(Instant::now());
                self.show_state().await?;
            }
            return Ok(false);
        };
        if begun.run.cause == PullCause::Restart {
            tracing::info!(source.name = %self.reader.name, "a read was left in the middle; it begins again");
        }
        let started = Instant::now();
        self.reader.reads_by(Some(begun.lease));
        let performed = self.perform(&begun, stopping).await;
        self.reader.reads_by(None);
        let end = match performed {
            Performed::Ended(end) => end,
            Performed::Stopped => {
                self.engine.give_lease_back(begun.lease, cause()).await?;
                return Ok(false);
            }
            Performed::Lost => {
                self.tell_lost(&begun);
                return Ok(false);
            }
        };
        let ended = {
            let (begun, end) = (begun.clone(), end.clone());
            let work = self.engine.write_beside(cause(), move |unit| {
                let (begun, end) = (begun.clone(), end.clone());
                Box::pin(async move { unit.end_read(&begun, &end).await })
            });
            work.await
        };
        match ended {
            Ok(()) => self.report(&begun, &end, started.elapsed()),
            Err(EngineError::LeaseLost) => self.tell_lost(&begun),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn tell_lost(&self, begun: &BegunRead) {
        tracing::warn!(
            source.name = %self.reader.name, run.id = %begun.run.id,
            "another process took over this read: this one was not heard of for too long"
        );
    }

    /// Tells the numbers what is known of the source, whoever read it.
    async fn show_state(&self) -> Result<(), EngineError> {
        let key = self.key;
        let state: PullStateRow = self
            .engine
            .storage()
            .read_few(move |tx| {
                Box::pin(async move { Ok::<_, EngineError>(pull_run::state(tx, key).await?) })
            })
            .await?;
        self.show_health(state.degraded.is_some());
        if let Some(last) = state.last_read {
            self.show_last_read(last);
        }
        Ok(())
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
                    self.show_last_read(self.engine.now());
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

    fn show_last_read(&self, at: Timestamp) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let at = at.as_micros() as f64 / 1e6;
        metrics::gauge!("usher_pull_last_read_timestamp_seconds", "source" => self.reader.name.to_string())
            .set(at);
    }

    fn show_health(&self, is_degraded: bool) {
        metrics::gauge!("usher_pull_degraded", "source" => self.reader.name.to_string())
            .set(f64::from(u8::from(is_degraded)));
    }
}

fn cause() -> Cause {
    Cause::new(Actor::Usher("reads".into()))
}
