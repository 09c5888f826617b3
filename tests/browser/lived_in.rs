//! A deployment in which something of everything has happened, so that every page has something to show.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Client, Stage};

/// The members of the board: address before the `@`, and name. The first is the administrator.
const BOARD: [(&str, &str); 16] = [
    ("anna.berg", "Anna Berg"),
    ("ben.okafor", "Ben Okafor"),
    ("clara.weiss", "Clara Weiß"),
    ("daniel.roth", "Daniel Roth"),
    ("elena.petrova", "Elena Petrova"),
    ("farid.haddad", "Farid Haddad"),
    ("greta.lind", "Greta Lind"),
    ("hugo.martin", "Hugo Martin"),
    ("ines.costa", "Inês Costa"),
    ("jonas.keller", "Jonas Keller"),
    ("karin.moser", "Karin Moser"),
    ("lena.vogt", "Lena Vogt"),
    ("marek.nowak", "Marek Nowak"),
    ("nora.dahl", "Nora Dahl"),
    ("oskar.brandt", "Oskar Brandt"),
    ("paula.meyer", "Paula Meyer"),
];

/// How many of them leave at once, which the brake stops.
const LEAVING: usize = 11;

/// Ids by the names that paths have for them: `order`, `room` and so on.
pub(super) type Ids = BTreeMap<&'static str, String>;

/// Makes it so. `mark` follows each name and text that an identity provider or a person can choose.
pub(super) async fn live_in(stage: &Stage, mark: &str) -> Ids {
    let admin = stage.world.api(&stage.server);
    let people = Directory {
        scim: stage.scim(),
        mark,
    };
    let text = |text: &str| format!("{text}{mark}");
    let mut ids = Ids::new();
    let mut keep = |name, id: &str| ids.insert(name, id.to_owned());

    // The board's room is in use.
    let mut members = Vec::new();
    for (address, name) in BOARD {
        members.push(people.user(&format!("{address}@contoso.com"), name).await);
    }
    members.push(people.user("advisor@partner.example", "Ada Visor").await);
    let group = people.group("Supervisory board", &members).await;
    let order = order(&admin, &text("Supervisory board"), &group, mark).await;
    let room = accept(&admin, &order, mark).await;
    confirm(&admin, &format!("/orders/{order}")).await;
    keep("order", &order);
    keep("room", &room);
    keep("group", &group);

    // Ben was removed by mistake, and is back.
    let ben = member(&admin, &room, "ben.okafor@contoso.com").await;
    for (kind, reference, label) in [
        ("meeting", "2026-q1", "Board meeting, first quarter"),
        ("task", "17", "Approve the minutes"),
        ("document", "annual-report", "Annual report 2025"),
    ] {
        let path = format!("/memberships/{}/grants/{kind}/{reference}", id(&ben));
        stage
            .desk
            .portal
            .put(&path, &json!({ "label": text(label) }))
            .await
            .expect(200);
    }
    people.leave(&group, &members[1..2]).await;
    people.join(&group, &members[1..2]).await;
    let back = member(&admin, &room, "ben.okafor@contoso.com").await;
    let path = format!("/memberships/{}/grants/task/21", id(&back));
    let gained = json!({ "label": text("Read the agenda") });
    stage.desk.portal.put(&path, &gained).await.expect(200);
    keep("person", back["person"]["id"].as_str().unwrap_or_default());
    keep("membership", id(&back));
    let restores = admin.get("/restores").await.expect(200).list("/items");
    keep("restore", id(&restores[0]));

    // Half of the board leaves at once.
    people
        .leave(&group, &members[BOARD.len() - LEAVING..BOARD.len()])
        .await;
    let holds = admin.get("/holds").await.expect(200).list("/items");
    keep("hold", id(&holds[0]));

    // Somebody from outside came by hand.
    let guest = json!({
        "person": "gus.olsen@auditor.example", "name": text("Gus Olsen"), "owner": text("Anna Berg"),
        "level": "guest", "reason": text("audits the accounts until summer"),
    });
    admin
        .post(&format!("/rooms/{room}/members"), &guest)
        .await
        .expect(201);

    // Other orders are on their way, or came to nothing; one group came too early.
    for (name, state) in [
        ("Audit committee", "submitted"),
        ("Remuneration committee", "ready"),
        ("Works council", "rejected"),
    ] {
        let group = people.group(name, &members[..3]).await;
        let order = self::order(&admin, &text(name), &group, mark).await;
        match state {
            "ready" => {
                let room = accept(&admin, &order, mark).await;
                keep("room-ready", &room);
                keep("order-ready", &order);
            }
            "rejected" => {
                let reason = json!({ "reason": text("ordered twice") });
                admin
                    .post(&format!("/orders/{order}/reject"), &reason)
                    .await
                    .expect(200);
                keep("order-rejected", &order);
            }
            _ => {
                keep("order-submitted", &order);
            }
        }
    }
    people.group("Project Falcon", &members[..2]).await;

    let token = json!({ "label": text("Portal"), "role": "app" });
    let token = admin.post("/tokens", &token).await.expect(201);
    keep("token", &token.id());
    let webhook = json!({ "url": "https://127.0.0.1/usher", "description": text("The archive") });
    let webhook = admin.post("/webhooks", &webhook).await.expect(201).id();
    let pause = json!({ "reason": text("not built yet") });
    admin
        .post(&format!("/webhooks/{webhook}/pause"), &pause)
        .await
        .expect(200);
    keep("webhook", &webhook);
    keep("source", "idp");
    let mappings = admin.get("/mappings").await.expect(200).list("/items");
    let of_the_board = mappings
        .iter()
        .find(|mapping| mapping["room"]["id"] == room.as_str() || mapping["room"] == room.as_str());
    keep("mapping", id(of_the_board.expect("the board has a mapping")));
    ids
}

/// The identity provider, as it writes users and groups.
struct Directory<'a> {
    scim: Client,
    mark: &'a str,
}

impl Directory<'_> {
    async fn user(&self, address: &str, name: &str) -> String {
        let mark = self.mark;
        let (given, family) = name.split_once(' ').unwrap_or((name, ""));
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": address,
            "externalId": format!("{address}{mark}"),
            "displayName": format!("{name}{mark}"),
            "name": {
                "formatted": format!("{name}{mark}"), "givenName": format!("{given}{mark}"),
                "familyName": format!("{family}{mark}"),
            },
            "title": format!("Member of the board{mark}"),
            "emails": [{ "value": address, "type": "work", "primary": true }],
            "active": true,
        });
        self.scim.post("/Users", &user).await.expect(201).id()
    }

    async fn group(&self, name: &str, members: &[String]) -> String {
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": format!("{name}{}", self.mark),
            "externalId": format!("{name}{}", self.mark),
            "members": values(members),
        });
        self.scim.post("/Groups", &group).await.expect(201).id()
    }

    async fn join(&self, group: &str, members: &[String]) {
        self.patch(
            group,
            &json!({ "op": "add", "path": "members", "value": values(members) }),
        )
        .await;
    }

    async fn leave(&self, group: &str, members: &[String]) {
        self.patch(
            group,
            &json!({ "op": "remove", "path": "members", "value": values(members) }),
        )
        .await;
    }

    async fn patch(&self, group: &str, operation: &Value) {
        let patch = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation],
        });
        self.scim
            .patch(&format!("/Groups/{group}"), &patch)
            .await
            .expect(200);
    }
}

fn values(members: &[String]) -> Value {
    members.iter().map(|member| json!({ "value": member })).collect()
}

async fn order(admin: &Client, name: &str, group: &str, mark: &str) -> String {
    let order = json!({
        "customer": format!("Contoso AG{mark}"), "room_name": name, "administrator": "anna.berg@contoso.com",
        "all_content": true, "model": "closed", "features": [format!("Voting{mark}")], "source": "idp",
        "group": group, "named_by": "id", "expected": 20, "requester": "rita@contoso.com",
        "reason": format!("the new year{mark}"), "submit": true,
    });
    admin.post("/orders", &order).await.expect(201).id()
}

/// Accepts an order, and lets the portal report its room; the room's id.
async fn accept(admin: &Client, order: &str, mark: &str) -> String {
    let acceptance = json!({
        "bootstrap": { "name": format!("Vendor set-up{mark}"), "email": "setup@vendor.example" },
        "reason": format!("as agreed{mark}"),
    });
    admin
        .post(&format!("/orders/{order}/accept"), &acceptance)
        .await
        .expect(200);
    let ready = json!({
        "portal_id": format!("r-{order}{mark}"), "url": format!("https://portal.example/rooms/{order}"),
    });
    admin
        .post(&format!("/orders/{order}/room-ready"), &ready)
        .await
        .expect(200);
    admin
        .get(&format!("/orders/{order}"))
        .await
        .expect(200)
        .text("/room")
}

async fn confirm(admin: &Client, path: &str) {
    let digest = admin
        .get(&format!("{path}/plan"))
        .await
        .expect(200)
        .text("/digest");
    let shown = json!({ "digest": digest });
    admin.post(&format!("{path}/confirm"), &shown).await.expect(200);
}

async fn member(admin: &Client, room: &str, address: &str) -> Value {
    let members = admin
        .get(&format!("/rooms/{room}/members?limit=500"))
        .await
        .expect(200);
    let mut members = members.list("/items").into_iter();
    members
        .find(|member| member["person"]["email"] == address)
        .unwrap_or_else(|| panic!("{address} is not in the room"))
}

fn id(item: &Value) -> &str {
    item["id"].as_str().unwrap_or_default()
}
