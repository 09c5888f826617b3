//! The loop that delivers: it looks whenever this process appended events, and at a beat for those of others.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_core::WebhookId;
use usher_engine::EngineError;
use usher_storage::query;

use super::turn::{Deliverer, Progress};
use crate::AppState;

/// How often it is looked for events that other processes appended, and for retries.
const BEAT: Duration = Duration::from_secs(1);
/// Events that come close together are looked at together.
const GATHER: Duration = Duration::from_millis(20);
/// How long an endpoint rests after the database failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Starts delivering; it ends when `stopping` is cancelled, with what was delivered until then written down.
pub(crate) fn spawn(state: &AppState, tracker: &TaskTracker, stopping: &CancellationToken) {
    let deliverer = Deliverer::new(state, stopping.clone());
    tracker.spawn(run(deliverer, stopping.clone()));
}

async fn run(deliverer: Deliverer, stopping: CancellationToken) {
    let mut working: JoinSet<WebhookId> = JoinSet::new();
    let mut busy = HashSet::new();
    // Whether something may have come for an endpoint that was just being worked on.
    let mut missed = false;
    let mut beat = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            () = deliverer.engine().appended() => {
                if stopping.run_until_cancelled(tokio::time::sleep(GATHER)).await.is_none() {
                    break;
                }
            }
            _ = beat.tick() => {}
            Some(done) = working.join_next() => {
                match done {
                    Ok(id) => busy.remove(&id),
                    Err(error) => {
                        tracing::error!(%error, "delivering broke off; its endpoint is taken up again when the claim is over");
                        busy.clear();
                        working.abort_all();
                        continue;
                    }
                };
                if !missed {
                    continue;
                }
            }
        }
        missed = !busy.is_empty();
        match deliverer.find().await {
            Ok(found) => {
                for id in found {
                    if busy.insert(id) {
                        working.spawn(work(deliverer.clone(), id, stopping.clone()));
                    }
                }
            }
            Err(error) => {
                tracing::error!(error = %crate::logging::chain(&error), "cannot look for events to deliver");
            }
        }
    }
    while working.join_next().await.is_some() {}
}

/// Delivers to one endpoint for as long as there is something to deliver.
async fn work(deliverer: Deliverer, id: WebhookId, stopping: CancellationToken) -> WebhookId {
    while !stopping.is_cancelled() {
        match deliverer.turn(id).await {
            Ok(Progress::Made) => {}
            Ok(Progress::Nothing) => break,
            Err(error) => {
                tracing::error!(webhook.id = %id, error = %crate::logging::chain(&error), "deliveries go on later");
                let _ = stopping.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
                break;
            }
        }
    }
    id
}

impl Deliverer {
    /// The endpoints that may have something to be delivered.
    async fn find(&self) -> Result<Vec<WebhookId>, EngineError> {
        let now = self.engine().now();
        query::event::publish(self.engine().storage()).await?;
        self.engine()
            .read(move |tx| {
                Box::pin(async move {
                    let free = query::webhook::free(tx, now).await?;
                    Ok(free.into_iter().map(|row| row.id).collect())
                })
            })
            .await
    }
}
