//! One directory, six ways into Usher, one outcome.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use usher_fakes::{Directory, Guest, Life};

use super::rig::Pusher;
use super::{Kind, Rig, Way};
use crate::harness::Room;

/// Who is in which room, at which level.
type Rooms = BTreeMap<&'static str, BTreeMap<String, String>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_pushed() {
    ends_as_it_should(Kind::Entra, Way::Push).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_pulled() {
    ends_as_it_should(Kind::Entra, Way::Pull).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_pushed() {
    ends_as_it_should(Kind::Okta, Way::Push).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_pulled() {
    ends_as_it_should(Kind::Okta, Way::Pull).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scim_pushed() {
    ends_as_it_should(Kind::Scim, Way::Push).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scim_pulled() {
    ends_as_it_should(Kind::Scim, Way::Pull).await;
}

/// After a return to an account, Okta's client names nobody again, and the profile distrusts what is left from before.
/// That is the one difference: until "Push now", or until a complete read has seen them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_returns_to_an_account_that_okta_pushes_is_dormant_until_somebody_names_them() {
    for way in [Way::Push, Way::Both] {
        let mut rig = Rig::new(Kind::Okta, way).await.expect("no need");
        let directory = rig.idp.directory.clone();
        let board = directory.add_group("Board");
        directory.assign(&board, true);
        rig.idp.person("ada", &[&board]);
        let eve = rig.idp.person("eve", &[&board]);
        rig.push_group(&board);
        let room = rig.open("Board", &board).await;
        rig.convey().await;
        assert!(
            rig.is_inside(&room, "eve@contoso.com").await,
            "{way:?} {}",
            rig.story().await
        );
        directory.enable(&eve, false);
        rig.convey().await;
        assert!(!rig.is_inside(&room, "eve@contoso.com").await);

        directory.enable(&eve, true);
        rig.push().await;
        assert!(
            !rig.is_inside(&room, "eve@contoso.com").await,
            "{way:?}: nobody named her again"
        );
        let path = format!("/rooms/{}/persons/eve@contoso.com/explanation", room.id);
        let explained = rig.desk.it.get(&path).await.expect(200);
        assert!(
            explained.body.to_string().contains("dormant"),
            "{:#}",
            explained.body
        );
        match (way, &mut rig.pusher) {
            (Way::Push, Some(Pusher::Okta(client))) => {
                client.push_now(&board);
                rig.push().await;
            }
            _ => {
                rig.sync_full().await;
                rig.sync_full().await;
            }
        }
        assert!(rig.is_inside(&room, "eve@contoso.com").await, "{way:?}");
    }
}

async fn ends_as_it_should(kind: Kind, way: Way) {
    let Some(mut rig) = Rig::new(kind, way).await else {
        return;
    };
    let company = Company::new(&rig);
    for group in company.groups() {
        rig.push_group(group);
    }
    let mut rooms = BTreeMap::new();
    for (name, group) in [
        ("Board", &company.board),
        ("Audit", &company.audit),
        ("Old", &company.old),
    ] {
        rooms.insert(name, rig.open(name, group).await);
    }
    rig.convey().await;
    assert_eq!(seen(&rig, &rooms).await, at_first(), "at first");
    raise(&rig, &rooms["Board"], "cia@contoso.com").await;

    company.first_day();
    rig.convey().await;
    assert_eq!(
        seen(&rig, &rooms).await,
        after_the_first_day(),
        "after the first day"
    );
    company.second_day();
    if let Some(Pusher::Okta(client)) = &mut rig.pusher {
        // Okta deletes what was pushed when a human says so.
        client
            .unlink_group(&company.old, true)
            .await
            .expect("a group to delete");
    }
    rig.convey().await;
    if let Some(Pusher::Okta(client)) = &mut rig.pusher {
        // What Okta's guidance asks for after a return; the test above shows why.
        for group in [&company.board, &company.audit] {
            client.push_now(group);
        }
    }
    rig.convey().await;
    assert_eq!(
        seen(&rig, &rooms).await,
        after_the_second_day(),
        "after the second day"
    );

    let told = rig.desk.told("membership.started").await.len();
    rig.convey().await;
    if way == Way::Pull {
        rig.sync_full().await;
    }
    assert_eq!(
        seen(&rig, &rooms).await,
        after_the_second_day(),
        "nothing new, nothing changed"
    );
    assert_eq!(rig.desk.told("membership.started").await.len(), told);
}

/// People and groups, and what happens to them.
struct Company {
    directory: Directory,
    board: Arc<str>,
    audit: Arc<str>,
    old: Arc<str>,
    staff: Arc<str>,
    ben: Arc<str>,
    cia: Arc<str>,
    eve: Arc<str>,
    fay: Arc<str>,
}

impl Company {
    fn new(rig: &Rig) -> Self {
        let directory = rig.idp.directory.clone();
        let [board, audit, old, staff, deputies] =
            ["Board", "Audit committee", "Old project", "All staff", "Deputies"]
                .map(|name| directory.add_group(name));
        for group in [&board, &audit, &old, &staff] {
            directory.assign(group, true);
        }
        rig.idp.person("ada", &[&board, &audit, &old, &staff]);
        // In no other group: leaving it takes the account away where accounts come by groups.
        let ben = rig.idp.person("ben", &[&board]);
        let cia = rig.idp.person("cia", &[&board, &audit, &staff]);
        let dan = rig.idp.person("dan", &[&old, &staff]);
        let eve = rig.idp.person("eve", &[&board, &audit, &staff]);
        let fay = directory.add_user("fay@partner.example");
        let gus = directory.add_user("gus@partner.example");
        directory.edit_user(&gus, |user| user.guest = Guest::External);
        for outsider in [&fay, &gus] {
            directory.add_member(&board, outsider);
        }
        // Nobody asked for the members of inner groups, and pushes never name them.
        rig.idp.person("nia", &[&deputies]);
        directory.add_member(&board, &deputies);
        let _ = dan;
        Self {
            directory,
            board,
            audit,
            old,
            staff,
            ben,
            cia,
            eve,
            fay,
        }
    }

    fn groups(&self) -> [&Arc<str>; 4] {
        [&self.board, &self.audit, &self.old, &self.staff]
    }

    /// Ben leaves, Cia has another name, Eve's account is disabled, Hal is new, a group has another name.
    fn first_day(&self) {
        let directory = &self.directory;
        directory.remove_member(&self.board, &self.ben);
        directory.edit_user(&self.cia, |user| {
            user.user_name = "cia.new@contoso.com".into();
            user.email = Some("cia.new@contoso.com".into());
        });
        directory.enable(&self.eve, false);
        let hal = directory.add_user("hal@contoso.com");
        for group in [&self.audit, &self.staff] {
            directory.add_member(group, &hal);
        }
        directory.rename_group(&self.board, "Board of directors");
    }

    /// Ben and Eve are back, Fay has a company address now, the old project's group is deleted.
    fn second_day(&self) {
        let directory = &self.directory;
        directory.add_member(&self.board, &self.ben);
        directory.enable(&self.eve, true);
        directory.edit_user(&self.fay, |user| user.email = Some("fay@contoso.com".into()));
        directory.delete_group(&self.old, Life::SoftDeleted);
    }
}

const ADMINISTRATOR: &str = "user_management";
const RESTRICTED: &str = "restricted_user";

fn at_first() -> Rooms {
    rooms([
        (
            "Board",
            &[
                ("ada", ADMINISTRATOR),
                ("ben", RESTRICTED),
                ("cia", RESTRICTED),
                ("eve", RESTRICTED),
            ],
        ),
        (
            "Audit",
            &[("ada", ADMINISTRATOR), ("cia", RESTRICTED), ("eve", RESTRICTED)],
        ),
        ("Old", &[("ada", ADMINISTRATOR), ("dan", RESTRICTED)]),
    ])
}

fn after_the_first_day() -> Rooms {
    rooms([
        ("Board", &[("ada", ADMINISTRATOR), ("cia.new", "user")]),
        (
            "Audit",
            &[
                ("ada", ADMINISTRATOR),
                ("cia.new", RESTRICTED),
                ("hal", RESTRICTED),
            ],
        ),
        ("Old", &[("ada", ADMINISTRATOR), ("dan", RESTRICTED)]),
    ])
}

fn after_the_second_day() -> Rooms {
    rooms([
        (
            "Board",
            &[
                ("ada", ADMINISTRATOR),
                ("ben", RESTRICTED),
                ("cia.new", "user"),
                ("eve", RESTRICTED),
                ("fay", RESTRICTED),
            ],
        ),
        (
            "Audit",
            &[
                ("ada", ADMINISTRATOR),
                ("cia.new", RESTRICTED),
                ("eve", RESTRICTED),
                ("hal", RESTRICTED),
            ],
        ),
        // The last administrator stays, and is shown as a stray.
        ("Old", &[("ada", ADMINISTRATOR)]),
    ])
}

fn rooms<const N: usize>(rooms: [(&'static str, &[(&str, &str)]); N]) -> Rooms {
    let people = |people: &[(&str, &str)]| {
        let entry = |(name, level): &(&str, &str)| (format!("{name}@contoso.com"), (*level).to_owned());
        people.iter().map(entry).collect()
    };
    rooms
        .into_iter()
        .map(|(room, inside)| (room, people(inside)))
        .collect()
}

async fn seen(rig: &Rig, rooms: &BTreeMap<&'static str, Room>) -> Rooms {
    let mut seen = Rooms::new();
    for (name, room) in rooms {
        seen.insert(name, rig.levels(room).await);
    }
    seen
}

/// The room gives somebody a level of its own; no way of synchronising takes it back.
async fn raise(rig: &Rig, room: &Room, address: &str) {
    let membership = rig.desk.membership(&room.id, address).await;
    rig.desk
        .by_hand(&membership, "level", &json!({ "level": "user" }))
        .await
        .expect(200);
}
