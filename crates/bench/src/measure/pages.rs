//! The pages of the console for somebody who may see them all, with many rooms, many people and one large room.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use usher_console::PAGES;
use uuid::Uuid;

use super::{Bench, Section, progress};
use crate::client::{Answer, Call, Connection, Endpoint};
use crate::load::drive;
use crate::loader::{self, Loaded};
use crate::postgres;
use crate::report::{Row, Target, Unit};
use crate::scim;
use crate::world::{Place, World};

/// So long may a page take, in milliseconds, 95 times of 100.
const AT_MOST: f64 = 50.0;

/// Orders that wait, each for a room of its own.
const ORDERS: usize = 100;

/// What is no page: a stream, a picture, and files that are as long as what they are about.
const NO_PAGES: [&str; 4] = [
    "/live",
    "/orders/{order}/logo",
    "/rooms/{room}/members.csv",
    "/audit.csv",
];

/// Pages that are asked for with something typed into them.
const TYPED: [&str; 7] = [
    "/persons?q=person.00",
    "/persons?q=9999",
    "/rooms?q=Room",
    "/rooms/{room}?q=person",
    "/rooms/{room}?at={moment}",
    "/audit?room={room}",
    "/audit?person={person}",
];

/// The slowest pages have a line of their own.
const SHOWN: usize = 5;

/// What paths have in braces, by name.
type Names = BTreeMap<&'static str, String>;

/// A page and the milliseconds below which 95 of 100 answers were.
struct Page {
    name: &'static str,
    p95_ms: f64,
    p50_ms: f64,
    bytes: usize,
}

impl Bench {
    pub(super) async fn pages_of_the_console(&mut self) -> Result<()> {
        let (people, rooms) = (self.sizes.page_people, self.sizes.page_rooms);
        let members = self.sizes.page_members;
        // More than leave first, and less than leave last.
        let mut world = self.start_with(self.engine, u32::try_from(members / 10)?).await?;
        progress(&format!("pages: loading {people} people in {rooms} rooms"));
        let storage = world.storage().await?;
        let loaded = loader::load(&storage, people, people / rooms).await?;
        storage.close().await;
        let names = lead_a_life(&mut world, &loaded, members).await?;
        if let Place::Database(database) = world.place() {
            // As the server's own housekeeping would have done by the next day.
            postgres::connect(&database.url())
                .await?
                .batch_execute("VACUUM (ANALYZE)")
                .await?;
        }
        let console = world.sign_in().await?;
        let profile = self.profiled(Section::Pages, &world)?;
        let mut pages = Vec::new();
        for (name, path) in paths(&names)? {
            let page = self.looked_at(&world, &console, name, &path).await?;
            progress(&format!("pages: {name} in {:.1} ms", page.p95_ms));
            pages.push(page);
        }
        profile.map_or(Ok(()), crate::profile::Profile::finish)?;
        self.tell(pages)
    }

    async fn looked_at(
        &self,
        world: &World,
        console: &Endpoint,
        name: &'static str,
        path: &str,
    ) -> Result<Page> {
        let bytes = std::cell::Cell::new(0);
        let run = drive(
            console,
            &world.node.server,
            self.sizes.page_views,
            1,
            |_| console.get(path),
            |_, answer| {
                let answer = answer.expect(&[200]).with_context(|| path.to_owned())?;
                bytes.set(answer.body.len());
                Ok(())
            },
        )
        .await?;
        Ok(Page {
            p95_ms: run.latency_ms(0.95),
            p50_ms: run.latency_ms(0.5),
            bytes: bytes.get(),
            name,
        })
    }

    fn tell(&mut self, mut pages: Vec<Page>) -> Result<()> {
        pages.sort_by(|one, other| other.p95_ms.total_cmp(&one.p95_ms));
        let (slowest, middle) = (pages.first(), pages.get(pages.len() / 2));
        let (slowest, middle) = slowest.zip(middle).context("there are no pages")?;
        let largest = pages.iter().map(|page| page.bytes).max().unwrap_or_default();
        let (people, rooms) = (self.sizes.page_people, self.sizes.page_rooms);
        let row = Row::new(
            Section::Pages,
            format!("the slowest of {} pages, p95", pages.len()),
            Unit::Millis,
            slowest.p95_ms,
        )
        .target(Target::AtMost(AT_MOST))
        .note(format!(
            "1 in flight, {} times each; {people} people, {rooms} rooms, one more of {} members",
            self.sizes.page_views, self.sizes.page_members
        ))
        .note(format!(
            "the page in the middle takes {:.1} ms; the largest has {} KiB",
            middle.p95_ms,
            largest / 1024
        ));
        self.row(row);
        for page in pages.iter().take(SHOWN) {
            let row = Row::new(Section::Pages, page.name, Unit::Millis, page.p95_ms);
            self.row(row.note(format!("p50 {:.1} ms; {} KiB", page.p50_ms, page.bytes / 1024)));
        }
        Ok(())
    }
}

/// What fills the pages: a room of `members`, of whom some left, came back and may be restored, and half leave in the end,
/// which the brake stops; orders that wait; one who came by hand; a webhook that waits. What the paths need to know of it.
async fn lead_a_life(world: &mut World, loaded: &Loaded, members: usize) -> Result<Names> {
    progress(&format!("pages: a room of {members} members"));
    let mut names = Names::new();
    let people = loaded
        .users
        .get(..members)
        .context("there are fewer people than members")?;
    let group = *world
        .create_mapped_groups(1)
        .await?
        .first()
        .context("no group was made")?;
    world.fill_group(group, people).await?;
    let back = members / 20;
    for (op, few) in [
        ("Remove", &people[..back]),
        ("Add", &people[..back / 2]),
        ("Remove", &people[members / 2..]),
    ] {
        let patches: Vec<_> = few
            .chunks(100)
            .map(|few| (group, scim::members(op, few)))
            .collect();
        world.patch_groups(&patches, 1).await?;
    }
    let mut desk = Desk::open(&world.node.operations).await?;
    for number in 0..ORDERS {
        let order = json!({
            "customer": "Bench", "room_name": format!("Committee {number}"), "administrator": scim::user_name(number),
            "all_content": false, "model": "closed", "features": [], "source": "idp", "group": Uuid::from_u128(number as u128),
            "named_by": "id", "expected": 20, "requester": "requester@bench.example", "reason": "to be shown", "submit": true,
        });
        let made = desk.post("/orders", &order).await?;
        names.insert("order", id(&made)?);
    }
    let webhook = desk
        .post("/webhooks", &json!({ "url": "https://127.0.0.1/hook" }))
        .await?;
    names.insert("webhook", id(&webhook)?);
    let path = format!("/webhooks/{}/pause", names["webhook"]);
    desk.post(&path, &json!({ "reason": "nobody is there" })).await?;

    let mapping = desk.only("/mappings?room=Room%200").await?;
    names.insert("mapping", id(&mapping)?);
    let room = mapping["room"]["id"]
        .as_str()
        .context("the mapping has no room")?
        .to_owned();
    let guest = json!({
        "person": "guest@elsewhere.example", "name": "A guest", "owner": "The owner", "level": "guest", "reason": "to be shown",
    });
    let guest = desk.post(&format!("/rooms/{room}/members"), &guest).await?;
    names.insert("membership", id(&guest)?);
    names.insert("room", room);
    for (name, path) in [("restore", "/restores"), ("hold", "/holds")] {
        let first = desk.only(path).await?;
        names.insert(name, id(&first)?);
    }
    names.insert("person", loaded.persons[0].to_string());
    names.insert("source", "idp".to_owned());
    names.insert("moment", guest["started"].as_str().unwrap_or_default().to_owned());
    Ok(names)
}

/// The API, for somebody who may do everything.
struct Desk<'e> {
    api: &'e Endpoint,
    connection: Connection,
}

impl<'e> Desk<'e> {
    async fn open(api: &'e Endpoint) -> Result<Self> {
        Ok(Self {
            api,
            connection: api.connect().await?,
        })
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let call = self.api.post_json(&format!("/api/v1{path}"), body);
        self.send(call).await?.json()
    }

    /// The first of a list.
    async fn only(&mut self, path: &str) -> Result<Value> {
        let call = self.api.get(&format!("/api/v1{path}"));
        let list = self.send(call).await?.json()?;
        let first = list["items"].as_array().and_then(|items| items.first());
        first.cloned().with_context(|| format!("{path} shows nothing"))
    }

    async fn send(&mut self, call: Call) -> Result<Answer> {
        let asked = call.uri().clone();
        let answer = self.connection.send(call).await?;
        answer
            .expect(&[200, 201])
            .with_context(|| format!("asking {asked}"))
    }
}

fn id(resource: &Value) -> Result<String> {
    let id = resource["id"].as_str().context("it has no id")?;
    Ok(id.to_owned())
}

/// Every page that can be asked for, and its path with names put into it.
fn paths(names: &Names) -> Result<Vec<(&'static str, String)>> {
    let pages = PAGES
        .iter()
        .filter(|(method, path, _)| *method == "GET" && !NO_PAGES.contains(path))
        .map(|(_, path, _)| *path);
    pages
        .chain(TYPED)
        .map(|path| Ok((path, filled(path, names)?)))
        .collect()
}

fn filled(path: &str, names: &Names) -> Result<String> {
    let mut filled = path.to_owned();
    for (name, value) in names {
        filled = filled.replace(&format!("{{{name}}}"), &value.replace(':', "%3A"));
    }
    ensure!(
        !filled.contains('{'),
        "{path} needs something that no page has needed yet"
    );
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_can_be_asked_for() {
        let names = [
            "order",
            "webhook",
            "mapping",
            "room",
            "membership",
            "restore",
            "hold",
            "person",
            "source",
            "moment",
        ];
        let names = names.map(|name| (name, format!("this-{name}"))).into();
        let paths: Vec<String> = paths(&names).unwrap().into_iter().map(|(_, path)| path).collect();
        assert!(paths.len() > 30, "{paths:?}");
        assert!(paths.contains(&"/rooms/this-room/members/this-membership".to_owned()));
        assert!(!paths.contains(&"/live".to_owned()));
    }
}
