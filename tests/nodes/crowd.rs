//! A room that nearly everybody is removed from at once: the brake holds them all until a human lets them go.

use reqwest::Method;
use serde_json::{Value, json};

use super::fleet::Way;
use super::journal::Journal;
use super::load::{change_members, create_group};
use crate::harness::{Desk, Order};

/// The brake for all rooms. The load never ends so many memberships of one room within one of its seconds as a rule; where
/// it does, they are held, and the judge knows.
pub const CONFIG: &str = "[brake]\nendings = 110\npercent = 20\nwindow = \"1s\"\n";

/// So many are removed: more than pass the brake.
const REMOVED: usize = 120;

/// The room and its people.
#[derive(Clone)]
pub struct Crowd {
    /// The room's id.
    pub room: String,
    /// The accounts of those who are removed.
    pub removed: Vec<String>,
    group: String,
}

impl Crowd {
    /// Opens the room for these people, who are more than are removed.
    pub async fn open(desk: &Desk, scim: &mut Way, journal: &Journal, people: &[String]) -> Self {
        assert!(people.len() > REMOVED, "somebody stays");
        let room = desk
            .open(&Order {
                room: "Assembly",
                group: "Assembly",
                expected: 100_000,
                ..Order::default()
            })
            .await
            .id;
        let begun = journal.begin("create Assembly", Vec::new());
        let group = create_group(scim, "Assembly", people, begun).await;
        Self {
            room,
            removed: people[people.len() - REMOVED..].to_vec(),
            group: group.expect("the group is created"),
        }
    }

    /// The identity provider removes them, by one request.
    pub async fn remove(self, mut scim: Way, journal: Journal) {
        change_members(&mut scim, &journal, &self.group, &self.removed, false).await;
    }

    /// A human looks at the hold, and lets all of them go.
    pub async fn release(self, mut api: Way) {
        let hold = self.hold(&mut api).await;
        let id = hold["id"].as_str().expect("an id");
        let shown = json!({ "digest": hold["digest"] });
        let path = format!("/holds/{id}/approve");
        let reply = api.ask(Method::POST, &path, Some(&shown)).await;
        assert!(reply.is_success(), "{reply:?}");
    }

    /// The only open hold of the room.
    pub async fn hold(&self, api: &mut Way) -> Value {
        let list = api.get("/holds?limit=200").await;
        let holds = list["items"].as_array().expect("a list");
        let mut ours = holds
            .iter()
            .filter(|hold| hold["room"]["id"] == *self.room && hold["state"] == "open");
        let (Some(hold), None) = (ours.next(), ours.next()) else {
            panic!("the room has not one open hold: {list:#}");
        };
        let id = hold["id"].as_str().expect("an id");
        api.get(&format!("/holds/{id}")).await
    }
}
