//! What people do at their desks: order rooms, confirm mappings, look into rooms, decide holds, restore.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio_postgres::NoTls;

use super::{Answer, Client, eventually};

/// The API, used by the customer's IT, the vendor's support and the portal, each with a token of their own.
pub struct Desk {
    /// The customer's IT.
    pub it: Client,
    /// The vendor.
    pub support: Client,
    /// The portal.
    pub portal: Client,
    /// The database, where it is PostgreSQL: there an event is in the feed only when no earlier one can come any more.
    pub database: Option<String>,
}

/// A room and the order that it came by.
#[derive(Clone, Debug)]
pub struct Room {
    /// The order's id.
    pub order: String,
    /// The room's id.
    pub id: String,
}

/// What an order says; the rest is the same for all tests.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The room's name.
    pub room: &'a str,
    /// The group.
    pub group: &'a str,
    /// `id` or `name`.
    pub named_by: &'a str,
    /// The administrator's address.
    pub administrator: &'a str,
    /// How many people are expected.
    pub expected: u32,
}

impl Default for Order<'_> {
    fn default() -> Self {
        Self {
            room: "Board",
            group: "Board members",
            named_by: "name",
            administrator: "ada@contoso.com",
            expected: 100,
        }
    }
}

impl Desk {
    /// The same people, after the server came up at another address.
    pub fn moved_to(&self, server: &str) -> Self {
        Self {
            it: self.it.moved_to(server),
            support: self.support.moved_to(server),
            portal: self.portal.moved_to(server),
            database: self.database.clone(),
        }
    }

    /// Writes an order and hands it in; its id.
    pub async fn order(&self, order: &Order<'_>) -> String {
        let fields = json!({
            "customer": "Contoso AG",
            "room_name": order.room,
            "administrator": order.administrator,
            "all_content": false,
            "model": "closed",
            "features": [],
            "source": "idp",
            "group": order.group,
            "named_by": order.named_by,
            "expected": order.expected,
            "requester": "rita@contoso.com",
        });
        let id = self.it.post("/orders", &fields).await.expect(201).id();
        self.it
            .post(&format!("/orders/{id}/submit"), &json!({}))
            .await
            .expect(200);
        id
    }

    /// Accepts an order with these terms, and lets the portal report the room.
    pub async fn prepare(&self, order: &str, terms: &Value) -> Room {
        let mut acceptance =
            json!({ "bootstrap": { "name": "Vendor set-up", "email": "setup@vendor.example" } });
        for (key, value) in terms.as_object().expect("terms are an object") {
            acceptance[key] = value.clone();
        }
        self.support
            .post(&format!("/orders/{order}/accept"), &acceptance)
            .await
            .expect(200);
        let ready = json!({ "portal_id": format!("portal-{order}"), "url": format!("https://portal.example/rooms/{order}") });
        self.portal
            .post(&format!("/orders/{order}/room-ready"), &ready)
            .await
            .expect(200);
        let room = self.order_now(order).await.text("/room");
        Room {
            order: order.to_owned(),
            id: room,
        }
    }

    /// Confirms the mapping of an order as its plan shows it; the plan.
    pub async fn confirm(&self, order: &str) -> Value {
        let plan = self
            .support
            .get(&format!("/orders/{order}/plan"))
            .await
            .expect(200);
        let digest = json!({ "digest": plan.text("/digest") });
        self.support
            .post(&format!("/orders/{order}/confirm"), &digest)
            .await
            .expect(200);
        plan.body
    }

    /// From the order to the confirmed mapping.
    pub async fn open(&self, order: &Order<'_>) -> Room {
        self.open_with(order, &json!({})).await
    }

    /// As [`Self::open`], accepted with these terms.
    pub async fn open_with(&self, order: &Order<'_>, terms: &Value) -> Room {
        let id = self.order(order).await;
        let room = self.prepare(&id, terms).await;
        self.confirm(&id).await;
        room
    }

    /// An order as it is now.
    pub async fn order_now(&self, order: &str) -> Answer {
        self.it.get(&format!("/orders/{order}")).await.expect(200)
    }

    /// How far an order is.
    pub async fn state(&self, order: &str) -> String {
        self.order_now(order).await.text("/state")
    }

    /// A room as it is now.
    pub async fn room(&self, room: &str) -> Value {
        self.it.get(&format!("/rooms/{room}")).await.expect(200).body
    }

    /// The active memberships of a room, by address.
    pub async fn members(&self, room: &str) -> BTreeMap<String, Value> {
        let mut members = BTreeMap::new();
        for member in self.all(&format!("/rooms/{room}/members")).await {
            let address = member["person"]["email"].as_str().unwrap_or_default().to_owned();
            let twice = members.insert(address, member);
            assert!(twice.is_none(), "somebody is in the room twice: {twice:?}");
        }
        members
    }

    /// Who of the customer's people is in a room.
    pub async fn inside(&self, room: &str) -> BTreeSet<String> {
        let members = self.members(room).await.into_iter();
        members
            .filter(|(_, member)| member["kind"] != "bootstrap")
            .map(|(address, _)| address)
            .collect()
    }

    /// The active membership of somebody who is in a room.
    pub async fn membership(&self, room: &str, address: &str) -> Value {
        match self.members(room).await.remove(address) {
            Some(member) => member,
            None => panic!("{address} is not in the room"),
        }
    }

    /// Every stay of a person in a room, newest first.
    pub async fn history(&self, room: &str, person: &str) -> Vec<Value> {
        let history = self
            .it
            .get(&format!("/rooms/{room}/persons/{person}/history"))
            .await
            .expect(200);
        history.list("/items")
    }

    /// Who waits at the door of a room, by address, and why.
    pub async fn waiting(&self, room: &str) -> BTreeMap<String, String> {
        let parked = self.all(&format!("/rooms/{room}/parked")).await;
        let entry = |parked: &Value| {
            let text = |pointer: &str| {
                let text = parked.pointer(pointer).and_then(Value::as_str);
                text.unwrap_or_default().to_owned()
            };
            (text("/person/email"), text("/reason"))
        };
        parked.iter().map(entry).collect()
    }

    /// Everything of this kind in the feed, oldest first: all that has happened before this is called.
    pub async fn told(&self, kind: &str) -> Vec<Value> {
        let newest = match &self.database {
            Some(database) => newest_event(database).await,
            None => 0,
        };
        eventually("the feed to get to what happened before", || async {
            let (told, end) = self.told_by_now(kind).await;
            (end >= newest).then_some(told)
        })
        .await
    }

    /// Everything of this kind that is in the feed now, and where the feed ends.
    async fn told_by_now(&self, kind: &str) -> (Vec<Value>, i64) {
        let (mut told, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page = self
                .it
                .get(&format!("/events?limit=1000&after={after}"))
                .await
                .expect(200);
            let items = page.list("/items");
            if items.is_empty() {
                return (told, after.parse().expect("a place in the feed"));
            }
            after = page.text("/next");
            told.extend(
                items
                    .into_iter()
                    .filter(|event| event["type"] == format!("usher.{kind}")),
            );
        }
    }

    /// The only open hold of a room.
    pub async fn hold(&self, room: &str) -> Value {
        let mut holds = self.holds(room).await;
        assert_eq!(holds.len(), 1, "{holds:#?}");
        holds.remove(0)
    }

    /// The open holds of a room, with the names in each.
    pub async fn holds(&self, room: &str) -> Vec<Value> {
        let mut holds = Vec::new();
        for hold in self.all("/holds").await {
            if hold["room"]["id"] == room && hold["state"] == "open" {
                let id = hold["id"].as_str().unwrap_or_default().to_owned();
                holds.push(self.it.get(&format!("/holds/{id}")).await.expect(200).body);
            }
        }
        holds
    }

    /// Approves or rejects a hold as it was shown.
    pub async fn decide(&self, hold: &Value, verb: &str) -> Answer {
        let id = hold["id"].as_str().unwrap_or_default();
        self.it
            .post(
                &format!("/holds/{id}/{verb}"),
                &json!({ "digest": hold["digest"] }),
            )
            .await
            .expect(200)
    }

    /// Does something to a membership by hand: `end`, `level`, `make-manual`.
    pub async fn by_hand(&self, membership: &Value, verb: &str, body: &Value) -> Answer {
        let id = membership["id"].as_str().unwrap_or_default();
        self.support
            .post(&format!("/memberships/{id}/{verb}"), body)
            .await
    }

    /// Hangs something on a membership, as the portal does.
    pub async fn grant(&self, membership: &Value, kind: &str, reference: &str) -> Answer {
        let membership = membership["id"].as_str().unwrap_or_default();
        self.portal
            .put(
                &format!("/memberships/{membership}/grants/{kind}/{reference}"),
                &json!({ "label": format!("{kind} {reference}") }),
            )
            .await
    }

    /// What hangs on a membership: kind and reference.
    pub async fn grants(&self, membership: &Value) -> BTreeSet<(String, String)> {
        let membership = membership["id"].as_str().unwrap_or_default();
        let grants = self
            .support
            .get(&format!("/memberships/{membership}/grants"))
            .await;
        let grants = grants.expect(200).list("/items");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kept = grants.iter().filter(|grant| grant["dropped"].is_null());
        kept.map(|grant| (text(&grant["kind"]), text(&grant["reference"])))
            .collect()
    }

    /// All items of a list, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let sign = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self
                .support
                .get(&format!("{path}{sign}limit=500{cursor}"))
                .await
                .expect(200);
            items.extend(page.list("/items"));
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}

/// The number of the last event that was committed, in the feed or not.
async fn newest_event(database: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(database, NoTls)
        .await
        .expect("the database runs");
    // Its error is the client's as well.
    tokio::spawn(async move { connection.await.ok() });
    let newest = client
        .query_one("SELECT coalesce(max(seq), 0) FROM event", &[])
        .await;
    newest.expect("the database runs").get(0)
}
