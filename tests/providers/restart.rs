//! A server that stops in the middle of a read: by a power cut, or because it was asked to.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use usher_fakes::Fault;

use super::{Kind, Rig, Way};
use crate::harness::{Room, eventually};

/// A room in use, and a provider with more people than Usher has seen.
struct Middle {
    rig: Rig,
    room: Room,
    people: BTreeSet<String>,
}

impl Middle {
    async fn new(kind: Kind) -> Self {
        let mut rig = Rig::new(kind, Way::Pull).await.expect("no need");
        let directory = rig.idp.directory.clone();
        let group = directory.add_group("Board members");
        directory.assign(&group, true);
        rig.idp.person("ada", &[&group]);
        let room = rig.open("Board", &group).await;
        rig.convey().await;
        assert_eq!(rig.desk.state(&room.order).await, "live");
        let mut people = BTreeSet::from(["ada@contoso.com".to_owned()]);
        for n in 0..8 {
            rig.idp.person(&format!("member{n}"), &[&group]);
            people.insert(format!("member{n}@contoso.com"));
        }
        Self { rig, room, people }
    }

    /// Asks for a read, and comes back when the provider holds this request of it back: others of its kind were answered.
    async fn read_until(&self, what: &Value, path: &str, answered: u32) -> String {
        self.rig.idp.served().forget();
        self.rig.idp.faults.once(path, answered, Fault::NoAnswer);
        let asked = self
            .rig
            .api
            .post("/sources/idp/sync", what)
            .await
            .expect(202)
            .id();
        let served = self.rig.idp.served();
        eventually("the provider to hold a page back", || async {
            let seen = served
                .seen()
                .iter()
                .filter(|seen| seen.path.contains(path))
                .count();
            (seen > answered as usize).then_some(())
        })
        .await;
        let run = self.run(&asked).await;
        assert_eq!(run["state"], "running", "{run:#}");
        asked
    }

    async fn run(&self, id: &str) -> Value {
        let path = format!("/sources/idp/runs/{id}");
        self.rig.api.get(&path).await.expect(200).body
    }

    /// The read goes on after the restart by itself: everybody is in, once.
    async fn is_whole(&self, held: &str) -> Value {
        // Nobody holds the lease of the process that died any longer, a few seconds later.
        eventually("the read to be given up", || async {
            (self.run(held).await["state"] == "abandoned").then_some(())
        })
        .await;
        self.rig.quiet().await;
        let runs = self.rig.runs().await;
        let again = runs.iter().find(|run| run["cause"] == "restart");
        let again = again
            .unwrap_or_else(|| panic!("nobody reads on: {runs:#?}"))
            .clone();
        assert_eq!(again["state"], "done", "{again:#}");
        assert_eq!(self.rig.desk.inside(&self.room.id).await, self.people);
        let started = self.rig.desk.told("membership.started").await;
        // The vendor's set-up user is the one more.
        assert_eq!(started.len(), self.people.len() + 1, "{started:#?}");
        let source = self.rig.source().await;
        assert_eq!(source["users"], self.people.len(), "{source:#}");
        again
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complete_read_that_a_power_cut_ended_begins_again() {
    // Side by side: most of it is waiting for the lease to run out.
    join_all([Kind::Entra, Kind::Okta].map(async |kind| {
        let mut middle = Middle::new(kind).await;
        let held = middle
            .read_until(&json!({ "full": true }), kind.members_path(), 3)
            .await;
        middle.rig.kill();
        middle.rig.start().await;
        let again = middle.is_whole(&held).await;
        assert_eq!(again["full"], true, "{again:#}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_of_changes_goes_on_from_the_checkpoint_before_it() {
    let mut middle = Middle::new(Kind::Entra).await;
    middle.rig.idp.graph().set(|options| options.delta_members = 2);
    let held = middle.read_until(&json!({}), "/delta", 2).await;
    middle.rig.kill();
    middle.rig.start().await;
    let again = middle.is_whole(&held).await;
    assert_eq!(again["full"], false, "the checkpoint is not lost: {again:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_stop_does_not_wait_for_the_provider() {
    let mut middle = Middle::new(Kind::Okta).await;
    let held = middle
        .read_until(&json!({ "full": true }), Kind::Okta.members_path(), 3)
        .await;
    middle.rig.stop().await;
    let runs = middle.rig.world.cli_json(&["source", "runs", "idp"]);
    let runs = runs.as_array().expect("a list");
    let state = |id: &str| {
        runs.iter()
            .find(|run| run["id"] == id)
            .map(|run| run["state"].clone())
    };
    assert_eq!(state(&held), Some(json!("abandoned")), "{runs:#?}");
    assert!(
        runs.iter()
            .any(|run| run["state"] == "waiting" && run["cause"] == "restart"),
        "{runs:#?}"
    );
    middle.rig.start().await;
    middle.is_whole(&held).await;
}
