//! A room that two groups lead to, and people who move from one group to the other without being in neither: nobody of them
//! may lose the membership for a moment.

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::chance::Chance;
use super::fleet::Way;
use super::journal::Journal;
use super::load::{change_members, create_group, create_user};
use crate::harness::{Desk, Order};

/// How many people move.
const MOVERS: usize = 12;

/// The room and its people.
#[derive(Clone)]
pub struct Moving {
    /// The room's id.
    pub room: String,
    /// The accounts of those who move, and in which of the groups each is at first.
    sides: Vec<(String, usize)>,
    groups: [String; 2],
}

impl Moving {
    /// Opens the room, with everybody in the first group.
    pub async fn open(desk: &Desk, scim: &mut Way, journal: &Journal, administrator: &str) -> Self {
        let room = desk
            .open(&Order {
                room: "Between",
                group: "Left",
                expected: 100_000,
                ..Order::default()
            })
            .await
            .id;
        let mut people = Vec::new();
        for n in 0..MOVERS {
            let name = format!("mover{n}@contoso.com");
            let begun = journal.begin(format!("create {name}"), Vec::new());
            people.push(
                create_user(scim, &name, begun)
                    .await
                    .expect("the user is created"),
            );
        }
        let mut groups = Vec::new();
        for (name, members) in [
            ("Left", [&[administrator.to_owned()], &*people].concat()),
            ("Right", Vec::new()),
        ] {
            let begun = journal.begin(format!("create {name}"), Vec::new());
            let created = create_group(scim, name, &members, begun).await;
            groups.push(created.expect("the group is created"));
        }
        let second = json!({ "room": room, "source": "idp", "group": groups[1], "named_by": "id", "additional": true });
        let mapping = desk.it.post("/mappings", &second).await.expect(201).id();
        let plan = desk
            .support
            .get(&format!("/mappings/{mapping}/plan"))
            .await
            .expect(200);
        let confirmed = json!({ "digest": plan.text("/digest") });
        desk.support
            .post(&format!("/mappings/{mapping}/confirm"), &confirmed)
            .await
            .expect(200);
        Self {
            room,
            sides: people.into_iter().map(|user| (user, 0)).collect(),
            groups: groups.try_into().expect("two groups"),
        }
    }

    /// The accounts of those who move.
    pub fn people(&self) -> Vec<String> {
        self.sides.iter().map(|(user, _)| user.clone()).collect()
    }

    /// Moves some people after the other, until it is told to stop: into the other group first, then out of the one.
    pub async fn run(mut self, mut scim: Way, journal: Journal, mut chance: Chance, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let from = chance.below(2);
            let here: Vec<String> = self
                .sides
                .iter()
                .filter(|(_, side)| *side == from)
                .map(|(user, _)| user.clone())
                .collect();
            if here.is_empty() {
                continue;
            }
            let count = chance.between(1, 4);
            let moving = chance.some(&here, count);
            change_members(&mut scim, &journal, &self.groups[1 - from], &moving, true).await;
            change_members(&mut scim, &journal, &self.groups[from], &moving, false).await;
            for (user, side) in &mut self.sides {
                if moving.contains(user) {
                    *side = 1 - from;
                }
            }
        }
    }
}
