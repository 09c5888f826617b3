//! A person back: removed from a room, added again, and given back what they had.

mod identity;
mod refused;
mod restored;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Crowd, Room, Stage};

const BEN: &str = "ben@contoso.com";

/// Ben was in the room, with things that hang on his membership; he was removed and added again.
struct Back {
    stage: Stage,
    room: Room,
    crowd: Crowd,
    /// The membership that ended.
    former: Value,
}

impl Back {
    async fn new() -> Option<Self> {
        Self::with(&json!({}), None).await
    }

    /// Ben had this level.
    async fn new_at(level: &str) -> Option<Self> {
        Self::with(&json!({}), Some(level)).await
    }

    async fn with(terms: &Value, level: Option<&str>) -> Option<Self> {
        let mut stage = Stage::new().await?;
        let (room, crowd) = stage.live_room_with(&[BEN], terms).await;
        let former = stage.desk.membership(&room.id, BEN).await;
        stage.desk.grant(&former, "meeting", "7").await.expect(200);
        stage.desk.grant(&former, "task", "12").await.expect(200);
        if let Some(level) = level {
            let path = format!("/memberships/{}/level", id(&former));
            stage
                .desk
                .support
                .post(&path, &json!({ "level": level }))
                .await
                .expect(200);
        }
        let mut back = Self {
            stage,
            room,
            crowd,
            former,
        };
        back.leave_and_return();
        Some(back)
    }

    fn leave_and_return(&mut self) {
        let ben = self.ben();
        self.stage.idp.remove_members(&self.crowd.group, &[&ben]);
        self.stage.idp.add_members(&self.crowd.group, &[&ben]);
    }

    fn ben(&self) -> String {
        self.crowd.users[0].clone()
    }

    async fn present(&mut self) -> Value {
        self.stage.desk.membership(&self.room.id, BEN).await
    }

    async fn history(&self) -> Vec<Value> {
        self.stage.desk.history(&self.room.id, BEN).await
    }

    async fn open_suggestions(&self) -> Vec<Value> {
        let mut restores = self.stage.desk.all("/restores").await;
        restores.retain(|restore| restore["state"] == "suggested");
        restores
    }

    async fn suggestion(&self) -> Value {
        let mut open = self.open_suggestions().await;
        assert_eq!(open.len(), 1, "{open:#?}");
        open.remove(0)
    }

    /// Asks for a restore by address and room, as a human does who was told of it.
    async fn ask(&self) -> Answer {
        let ask = json!({ "person": BEN, "room": self.room.id });
        self.stage.desk.support.post("/restores", &ask).await
    }

    async fn plan(&self, suggestion: &Value, choices: &Value) -> Answer {
        let id = id(suggestion);
        self.stage
            .desk
            .support
            .post(&format!("/restores/{id}/plan"), choices)
            .await
    }

    async fn apply(&self, suggestion: &Value, plan: &Answer, choices: &Value) -> Answer {
        let id = id(suggestion);
        let mut body = json!({
            "candidate": plan.body["candidate"]["id"],
            "digest": plan.body["digest"],
        });
        for (key, value) in choices.as_object().expect("choices are an object") {
            body[key] = value.clone();
        }
        self.stage
            .desk
            .support
            .post(&format!("/restores/{id}/apply"), &body)
            .await
    }

    async fn undo(&self, suggestion: &Value) -> Answer {
        let id = id(suggestion);
        self.stage
            .desk
            .support
            .post(&format!("/restores/{id}/undo"), &json!({}))
            .await
    }
}

fn things(things: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    let own = |(kind, reference): &(&str, &str)| ((*kind).to_owned(), (*reference).to_owned());
    things.iter().map(own).collect()
}

fn stay<'a>(history: &'a [Value], id: &Value) -> &'a Value {
    let mut found = history.iter().filter(|stay| stay["id"] == *id);
    found.next().expect("the membership is in the history")
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().expect("it has an id")
}
