//! One source, pushed and pulled: a push acts at once, and reads repair with care. Graph shows a directory of its own here,
//! which a test lets lag behind the one that is pushed.

use std::sync::Arc;

use serde_json::{Value, json};
use usher_fakes::{Directory, IdStyle};

use super::{Idp, Kind, Rig, Way};
use crate::harness::{Client, Room};

const ADA: &str = "ada@contoso.com";
const BEN: &str = "ben@contoso.com";

/// A room in use, with Ada and Ben; both sides agree.
struct Both {
    rig: Rig,
    room: Room,
    /// What Entra pushes.
    pushed: Directory,
    /// What Graph shows.
    shown: Directory,
    group: Arc<str>,
    ben: Arc<str>,
}

impl Both {
    async fn new() -> Self {
        Self::settling("0s").await
    }

    /// Two reads that bring somebody back have to be so far apart.
    async fn settling(settle: &str) -> Self {
        let (pushed, shown) = (Directory::new(IdStyle::Guid), Directory::new(IdStyle::Guid));
        let build = |directory: &Directory| {
            let [group, staff] = ["Board members", "All staff"].map(|name| directory.add_group(name));
            for group in [&group, &staff] {
                directory.assign(group, true);
            }
            let people = [ADA, BEN].map(|name| {
                let user = directory.add_user(name);
                directory.add_member(&group, &user);
                // Entra deactivates who is in no assigned group any more.
                directory.add_member(&staff, &user);
                user
            });
            (group, people)
        };
        let (group, [_, ben]) = build(&pushed);
        build(&shown);
        let mut idp = Idp::showing(Kind::Entra, shown.clone()).await;
        idp.directory = pushed.clone();
        let mut source = idp.source("both");
        source.pull = source.pull.replace("\"0s\"", &format!("\"{settle}\""));
        let mut rig = Rig::configured(idp, Way::Both, source, "")
            .await
            .expect("no need");
        let room = rig.open("Board", &group).await;
        rig.convey().await;
        assert_eq!(rig.desk.state(&room.order).await, "live");
        assert!(rig.drift().await.is_empty(), "{:#?}", rig.drift().await);
        let told = rig.desk.told("directory.group.joined").await;
        assert_eq!(told.len(), 1, "both sides know one group: {}", rig.story().await);
        Self {
            rig,
            room,
            pushed,
            shown,
            group,
            ben,
        }
    }

    async fn is_inside(&self) -> bool {
        self.rig.is_inside(&self.room, BEN).await
    }

    /// The kinds of differences, each with whether it is in effect.
    async fn differences(&self) -> Vec<(String, Option<bool>)> {
        let drift = self.rig.drift().await.into_iter();
        let one = |one: Value| {
            assert!(
                one["next"].as_str().is_some_and(|next| !next.is_empty()),
                "{one:#}"
            );
            (
                one["kind"].as_str().unwrap_or_default().to_owned(),
                one["in_effect"].as_bool(),
            )
        };
        drift.map(one).collect()
    }

    /// A read of everything, and not what it asks for besides.
    async fn read(&self) {
        let run = self.rig.run_of(&json!({ "full": true })).await;
        assert_eq!(run["state"], "done", "{run:#}");
    }
}

fn kind(kind: &str, in_effect: bool) -> (String, Option<bool>) {
    (kind.to_owned(), Some(in_effect))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_acts_at_once_and_a_view_that_lags_brings_nobody_back() {
    // However often Graph is read, nothing that it shows is old enough to be believed against the push.
    let mut both = Both::settling("1d").await;
    both.pushed.remove_member(&both.group, &both.ben);
    both.rig.push().await;
    assert!(!both.is_inside().await, "the push acted");
    for _ in 0..3 {
        both.read().await;
        assert!(
            !both.is_inside().await,
            "Graph still shows him, and is not believed"
        );
    }
    assert_eq!(both.differences().await, [kind("missing_push", false)]);

    both.shown.remove_member(&both.group, &both.ben);
    both.read().await;
    assert!(!both.is_inside().await);
    assert!(both.differences().await.is_empty(), "both sides agree again");

    for directory in [&both.pushed, &both.shown] {
        directory.add_member(&both.group, &both.ben);
    }
    both.rig.push().await;
    assert!(
        both.is_inside().await,
        "a push that names him again acts at once too"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_reads_a_settle_time_apart_bring_back_whom_a_push_removed() {
    let mut both = Both::new().await;
    both.pushed.remove_member(&both.group, &both.ben);
    both.rig.push().await;
    assert!(!both.is_inside().await, "the push acted");
    both.read().await;
    both.rig.quiet().await;
    both.read().await;
    assert!(
        both.is_inside().await,
        "Graph goes on showing him: the push was wrong"
    );
    assert_eq!(
        both.rig
            .desk
            .told("directory.group.members_reinstated")
            .await
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_repair_a_removal_that_no_push_told_at_the_second_time() {
    let both = Both::new().await;
    both.shown.remove_member(&both.group, &both.ben);
    both.read().await;
    both.rig.quiet().await;
    assert!(!both.is_inside().await, "two complete reads agree");
    let told = both.rig.desk.told("directory.group.members_refuted").await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(both.differences().await, [kind("stale_push", false)]);
    let cli = both.rig.world.cli(&["source", "drift", "idp"]).succeeded().stdout;
    assert!(cli.contains("stale_push") && cli.contains(BEN), "{cli}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_read_that_misses_somebody_is_only_a_doubt() {
    let both = Both::settling("1d").await;
    both.shown.remove_member(&both.group, &both.ben);
    both.read().await;
    assert!(both.is_inside().await, "one read ends nobody");
    assert_eq!(both.differences().await, [kind("stale_push", true)]);
    both.shown.add_member(&both.group, &both.ben);
    both.read().await;
    assert!(both.is_inside().await);
    assert!(both.differences().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_bring_in_whom_a_push_forgot() {
    let both = Both::new().await;
    for directory in [&both.pushed, &both.shown] {
        let cia = directory.add_user("cia@contoso.com");
        directory.add_member(&both.group, &cia);
    }
    both.read().await;
    assert!(
        both.rig.is_inside(&both.room, "cia@contoso.com").await,
        "nobody objected"
    );
    assert_eq!(both.differences().await, [kind("missing_push", true)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inactive_on_either_side_wins_until_that_side_takes_it_back() {
    let mut both = Both::new().await;
    both.shown.enable(&both.ben, false);
    both.read().await;
    assert!(!both.is_inside().await, "the read says inactive");
    assert_eq!(both.differences().await, [kind("inactive_side", false)]);
    both.pushed
        .edit_user(&both.ben, |user| user.given_name = "Benjamin".into());
    both.rig.push().await;
    assert!(
        !both.is_inside().await,
        "a push that says active does not take it back"
    );
    both.shown.enable(&both.ben, true);
    both.read().await;
    assert!(both.is_inside().await, "the side that said it did");

    both.pushed.enable(&both.ben, false);
    both.rig.push().await;
    assert!(!both.is_inside().await, "the push says inactive");
    both.read().await;
    both.read().await;
    assert!(
        !both.is_inside().await,
        "reads that say active do not take it back"
    );
    both.pushed.enable(&both.ben, true);
    both.rig.push().await;
    assert!(both.is_inside().await);
    assert!(both.differences().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scim_client_reads_what_it_wrote_and_nothing_else() {
    let both = Both::new().await;
    let cia = both.shown.add_user("cia@contoso.com");
    both.shown.add_member(&both.group, &cia);
    both.read().await;
    assert!(both.rig.is_inside(&both.room, "cia@contoso.com").await);
    let scim = both.rig.world.scim(both.rig.server(), "idp");
    let before = group(&scim).await;
    let names: Vec<_> = users(&scim).await;
    assert_eq!(names, [ADA, BEN], "who was only read is not there");
    assert_eq!(before["members"].as_array().map(Vec::len), Some(2), "{before:#}");

    both.shown.remove_member(&both.group, &both.ben);
    both.shown.rename_group(&both.group, "Another name");
    both.read().await;
    both.rig.quiet().await;
    assert!(!both.is_inside().await, "the reads repaired it");
    let after = group(&scim).await;
    assert_eq!(
        after["members"], before["members"],
        "and the client's own view did not move"
    );
    assert_eq!(after["displayName"], before["displayName"]);
}

async fn group(scim: &Client) -> Value {
    let found = scim
        .get("/Groups?filter=displayName%20eq%20%22Board%20members%22")
        .await
        .expect(200);
    let all = scim.get("/Groups").await.expect(200);
    assert_eq!(
        found.body["totalResults"], 1,
        "{:#} of {:#}",
        found.body, all.body
    );
    let id = found.text("/Resources/0/id");
    scim.get(&format!("/Groups/{id}")).await.expect(200).body
}

async fn users(scim: &Client) -> Vec<String> {
    let found = scim.get("/Users").await.expect(200);
    let mut names: Vec<String> = found
        .list("/Resources")
        .iter()
        .map(|user| user["userName"].as_str().unwrap_or_default().to_owned())
        .collect();
    names.sort();
    names
}
