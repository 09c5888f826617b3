//! The two stories with Entra and Okta, pushed and pulled; and what only happens where people are pulled.

mod a_new_room;
mod a_person_back;
mod traps;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Kind, Rig, Way};
use crate::harness::{Answer, Room};

const ADA: &str = "ada@contoso.com";
const BEN: &str = "ben@contoso.com";

/// A room in use: Ada administers it, and Ben came by the group.
struct Live {
    rig: Rig,
    room: Room,
    group: Arc<str>,
    ben: Arc<str>,
}

impl Live {
    async fn new(kind: Kind, way: Way) -> Self {
        let rig = Rig::new(kind, way)
            .await
            .expect("nothing is needed for these kinds");
        Self::on(rig).await
    }

    async fn on(mut rig: Rig) -> Self {
        let group = rig.idp.directory.add_group("Board members");
        rig.idp.directory.assign(&group, true);
        rig.idp.person("ada", &[&group]);
        let ben = rig.idp.person("ben", &[&group]);
        let room = rig.open("Board", &group).await;
        rig.push_group(&group);
        rig.convey().await;
        let state = rig.desk.state(&room.order).await;
        assert_eq!(state, "live", "after {}", rig.story().await);
        assert!(rig.is_inside(&room, BEN).await);
        Self {
            rig,
            room,
            group,
            ben,
        }
    }

    fn leave(&self) {
        self.rig.idp.directory.remove_member(&self.group, &self.ben);
    }

    fn come(&self) {
        self.rig.idp.directory.add_member(&self.group, &self.ben);
    }

    async fn is_inside(&self) -> bool {
        self.rig.is_inside(&self.room, BEN).await
    }

    async fn membership(&self) -> Value {
        self.rig.desk.membership(&self.room.id, BEN).await
    }

    /// Asks for a restore by address and room, as a human does who was told of it.
    async fn ask(&self) -> Answer {
        let ask = json!({ "person": BEN, "room": self.room.id });
        self.rig.desk.support.post("/restores", &ask).await
    }

    /// The only open suggestion.
    async fn suggestion(&self) -> String {
        let mut open = self.rig.desk.all("/restores").await;
        open.retain(|restore| restore["state"] == "suggested");
        assert_eq!(open.len(), 1, "{open:#?}");
        open[0]["id"].as_str().expect("it has an id").to_owned()
    }

    async fn plan(&self, restore: &str) -> Answer {
        let path = format!("/restores/{restore}/plan");
        self.rig.desk.support.post(&path, &json!({})).await
    }

    async fn apply(&self, restore: &str, plan: &Answer) -> Answer {
        let body = json!({ "candidate": plan.body["candidate"]["id"], "digest": plan.body["digest"] });
        let path = format!("/restores/{restore}/apply");
        self.rig.desk.support.post(&path, &body).await
    }
}
