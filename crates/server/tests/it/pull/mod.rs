//! Sources that are read: the jobs, the API and the calls of a provider, on an adapter that a test directs.

mod history;
mod orders;
mod person;
mod schedule;
mod stub;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_core::{AdapterError, ErrorKind, RetryAdvice};
use usher_engine::pull::Lease;
use usher_engine::{Actor, Cause, Engine, EngineError};
use usher_storage::{SourceKey, StorageError, query};

use crate::api::Api;
use crate::world::{World, eventually};
use stub::{Script, script, usher};

/// Long enough for a beat of the jobs on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A deployment whose source `hr` is read by a scripted adapter.
struct Readable {
    world: World,
    script: Arc<Script>,
}

/// The background work of a server.
struct Jobs {
    stopping: CancellationToken,
    tracker: TaskTracker,
}

impl Readable {
    /// `name` is the test's own, so that no two share a directory.
    async fn new(name: &str, mode: &str) -> Self {
        let more = format!(
            "[[source]]\nname = \"hr\"\nkind = \"stub\"\nmode = \"{mode}\"\n\
             [source.pull]\njitter_percent = 0\n[source.settings]\nscript = \"{name}\"\n"
        );
        Self {
            world: World::with_program(&usher(), &more).await,
            script: script(name),
        }
    }

    /// The same deployment, as a new process sees it.
    async fn restarted(self) -> Self {
        Self {
            world: self.world.restarted(&usher()).await,
            script: self.script,
        }
    }

    /// The background work of a server that runs on this deployment.
    fn serve(&self) -> Jobs {
        let jobs = Jobs {
            stopping: CancellationToken::new(),
            tracker: TaskTracker::new(),
        };
        usher_server::spawn_jobs(&self.world.state, &jobs.tracker, &jobs.stopping);
        jobs
    }

    /// The source's row.
    async fn key(&self) -> SourceKey {
        let row = self
            .world
            .engine
            .read(|tx| Box::pin(async move { query::source::by_name(tx, "hr").await }))
            .await;
        row.expect("a database").expect("a source").key
    }

    /// As if nobody was heard of for so long that no lease is held any more.
    async fn expire(&self) {
        let storage = self.world.engine.storage();
        let done: Result<u64, StorageError> = storage
            .write(|tx| Box::pin(async move { tx.execute("UPDATE pull_lease SET until_us = 0", &[]).await }))
            .await;
        done.expect("a database");
    }

    /// Another process takes the lease of whoever reads, as if that one was not heard of for too long.
    async fn taken_over(&self) -> (Engine, Lease) {
        let world = &self.world;
        let clock = Arc::clone(&world.clock) as Arc<dyn usher_core::Clock>;
        let other = Engine::new(world.engine.storage().clone(), clock);
        let (key, node) = (self.key().await, other.node());
        let cause = Cause::new(Actor::Usher("another process".into()));
        let lease = other.write(cause, move |unit| {
            Box::pin(async move {
                let expire = "UPDATE pull_lease SET until_us = 0";
                unit.tx().execute(expire, &[]).await?;
                unit.take_lease(key, node).await
            })
        });
        let lease: Result<Option<Lease>, EngineError> = lease.await;
        (other, lease.expect("a database").expect("it expired"))
    }

    /// A room that a group of `hr` leads to.
    async fn room(&self, name: &str, group: &str) {
        let api = Api::admin(&self.world).await;
        let room = json!({ "name": name, "model": "closed" });
        api.post("/rooms", &room).await.expect(201);
        let mapping = json!({ "room": name, "source": "hr", "group": group });
        let mapping = api.post("/mappings", &mapping).await.expect(201).id();
        let plan = api.get(&format!("/mappings/{mapping}/plan")).await.expect(200);
        let confirmation = json!({ "digest": plan.body["digest"] });
        api.post(&format!("/mappings/{mapping}/confirm"), &confirmation)
            .await
            .expect(200);
    }

    /// The addresses of those in a room, sorted.
    async fn people(&self, room: &str) -> Vec<String> {
        let api = Api::admin(&self.world).await;
        let members = api.get(&format!("/rooms/{room}/members")).await.expect(200);
        let mut people: Vec<String> = members
            .items()
            .iter()
            .filter_map(|member| member["person"]["email"].as_str().map(str::to_owned))
            .collect();
        people.sort_unstable();
        people
    }

    /// Waits until these are in a room, and nobody else.
    async fn expect_people(&self, room: &str, expected: &[&str]) {
        let what = format!("{expected:?} in {room}");
        eventually(&what, SOON, async || {
            (self.people(room).await == expected).then_some(())
        })
        .await;
    }

    /// Waits until so many reads are over and none waits or goes on.
    async fn expect_runs(&self, number: usize) {
        eventually("the end of all reads", SOON, async || {
            let runs = self.runs().await;
            let is_over = runs.iter().all(|run| !run["ended"].is_null());
            (runs.len() == number && is_over).then_some(())
        })
        .await;
    }

    /// How the source stands.
    async fn source(&self) -> Value {
        let api = Api::admin(&self.world).await;
        api.get("/sources/hr").await.expect(200).body
    }

    /// Runs, the newest first.
    async fn runs(&self) -> Vec<Value> {
        let api = Api::admin(&self.world).await;
        api.get("/sources/hr/runs").await.expect(200).items().to_vec()
    }

    /// Asks for a read and waits until it is over.
    async fn sync(&self, what: &Value) -> Value {
        let api = Api::admin(&self.world).await;
        let run = api.post("/sources/hr/sync", what).await.expect(202).id();
        eventually("the end of a run", SOON, async || {
            let run = api.get(&format!("/sources/hr/runs/{run}")).await.expect(200).body;
            (!run["ended"].is_null()).then_some(run)
        })
        .await
    }

    /// The kinds of events of the source's health so far.
    async fn health_events(&self) -> Vec<String> {
        let api = Api::admin(&self.world).await;
        let feed = api.events().await;
        let kinds = feed.iter().filter_map(|event| event["type"].as_str());
        kinds
            .filter(|kind| kind.contains("source.degraded") || kind.contains("source.recovered"))
            .map(str::to_owned)
            .collect()
    }
}

impl Jobs {
    /// Stops as a server does at the first signal.
    async fn stop(self) {
        self.stopping.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

fn unauthorised() -> AdapterError {
    let message = "the credential was refused";
    AdapterError::new(ErrorKind::Unauthorised, RetryAdvice::Never, "read", message)
}

fn unavailable() -> AdapterError {
    let message = "the provider does not answer";
    AdapterError::new(ErrorKind::Unavailable, RetryAdvice::Now, "read", message)
}
