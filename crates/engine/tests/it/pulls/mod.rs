//! Reads of a provider: alone, and beside what it pushes.

mod alone;
mod beside_push;
mod faults;
mod leases;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, json};
use usher_core::{
    ChangeSink as _, Checkpoint, DirectoryChange, GroupRecord, ReadOutcome, RemoteGroupId, RemoteUserId,
    RoomId, SourceGroupId, SourceState, Timestamp, UserRecord,
};
use usher_engine::pull::{Lease, ReadPlan, Session, Summary};
use usher_engine::{Actor, Cause, Engine};
use usher_storage::query;

use crate::world::World;

const SETTLE: Duration = Duration::from_secs(600);

/// A provider that is read, as its adapter reports it.
struct Reads<'w> {
    world: &'w World,
    delta: bool,
    require_assignment: bool,
    nested: bool,
}

impl<'w> Reads<'w> {
    /// Of the source `idp`, in this mode from now on.
    async fn new(world: &'w World, mode: &'static str) -> Self {
        world
            .push(move |unit| {
                Box::pin(async move {
                    let now = Timestamp::from_micros(0);
                    query::source::put(unit.tx(), "idp", "scim", mode, SourceState::Active, now).await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
        Self {
            world,
            delta: false,
            require_assignment: false,
            nested: false,
        }
    }

    async fn begin(&self) -> Session {
        expire(self.world).await;
        let lease = lease(self.world, &self.world.engine).await.expect("it expired");
        self.begin_with(lease).await
    }

    async fn begin_with(&self, lease: Lease) -> Session {
        self.world.wait(1);
        let plan = ReadPlan {
            source: "idp".parse().unwrap(),
            lease,
            begun: self.world.engine.now(),
            require_assignment: self.require_assignment,
            settle: SETTLE,
            delta: self.delta,
            nested: if self.nested {
                BTreeSet::from([group("board")])
            } else {
                BTreeSet::new()
            },
        };
        self.world.wait(1);
        let cause = Cause::new(Actor::Source("idp".into()));
        Session::begin(&self.world.engine, cause, plan).await.unwrap()
    }

    /// A read that reports these changes, a page each.
    async fn report(&self, pages: Vec<Vec<DirectoryChange>>) -> Summary {
        report(self.begin().await, pages).await
    }

    /// A complete read of the group `board` that sees these people, two on a page.
    async fn board(&self, people: &[&str], confirmed: bool) -> Summary {
        self.report(board_pages(people, confirmed)).await
    }

    /// Usher's id of the group `board`.
    async fn board_id(&self) -> SourceGroupId {
        let source = self.world.source;
        let row: Option<query::group::GroupRow> = self
            .world
            .read(move |tx| {
                Box::pin(async move { Ok(query::group::by_remote_id(tx, source, "board").await?) })
            })
            .await;
        row.expect("the group was read").id
    }

    /// A room that the group `board` leads to, after a first read of these people.
    async fn room_of(&self, people: &[&str]) -> RoomId {
        self.board(people, true).await;
        let room = self.world.room("Board").await;
        self.world.map(self.board_id().await, room).await;
        room
    }
}

async fn report(mut session: Session, pages: Vec<Vec<DirectoryChange>>) -> Summary {
    for page in pages {
        session.take(page).await.unwrap();
    }
    session.finish(ReadOutcome::default()).await.unwrap()
}

fn board_pages(people: &[&str], confirmed: bool) -> Vec<Vec<DirectoryChange>> {
    let mut pages = vec![vec![board()]];
    for page in people.chunks(2) {
        pages.push(page.iter().flat_map(|name| seen(name)).collect());
    }
    pages.push(vec![DirectoryChange::GroupMembersComplete {
        group: group("board"),
        confirmed,
    }]);
    pages
}

/// Takes the lease of the source `idp` for a process.
async fn lease(world: &World, engine: &Engine) -> Option<Lease> {
    let cause = Cause::new(Actor::Usher("reads".into()));
    engine.take_lease(world.source, cause).await.unwrap()
}

/// As if so much time had passed that nobody holds a lease any more.
async fn expire(world: &World) {
    let storage = world.engine.storage();
    let done: Result<u64, usher_storage::StorageError> = storage
        .write(|tx| Box::pin(async move { tx.execute("UPDATE pull_lease SET until_us = 0", &[]).await }))
        .await;
    done.unwrap();
}

fn group(id: &str) -> RemoteGroupId {
    RemoteGroupId::new(id).unwrap()
}

fn user(id: &str) -> RemoteUserId {
    RemoteUserId::new(id).unwrap()
}

fn board() -> DirectoryChange {
    DirectoryChange::GroupUpserted(Box::new(GroupRecord {
        id: group("board"),
        external_id: Some("board".into()),
        display_name: "Board".into(),
        resource: Map::from_iter([("displayName".into(), json!("Board"))]),
    }))
}

/// A user whose id and `externalId` are `x-name`, as pushes in these tests have it.
fn record(name: &str) -> UserRecord {
    let address = format!("{name}@contoso.com");
    UserRecord {
        id: user(&format!("x-{name}")),
        external_id: Some(format!("x-{name}")),
        user_name: address.clone(),
        email: Some(address.clone()),
        display_name: Some(name.into()),
        active: true,
        guest: false,
        resource: Map::from_iter([("userName".into(), json!(address))]),
    }
}

fn upserted(record: UserRecord) -> DirectoryChange {
    DirectoryChange::UserUpserted(Box::new(record))
}

fn added(name: &str) -> DirectoryChange {
    DirectoryChange::MemberAdded {
        group: group("board"),
        member: user(&format!("x-{name}")),
    }
}

fn removed(name: &str) -> DirectoryChange {
    DirectoryChange::MemberRemoved {
        group: group("board"),
        member: user(&format!("x-{name}")),
    }
}

fn seen(name: &str) -> [DirectoryChange; 2] {
    [upserted(record(name)), added(name)]
}

/// The names of those in a room, sorted.
async fn inside(world: &World, room: RoomId) -> Vec<String> {
    let mut names = Vec::new();
    for member in world.inside(room).await {
        let person = member.person;
        let row = world
            .read(move |tx| Box::pin(async move { Ok(query::person::by_ids(tx, [person]).await?.pop()) }))
            .await;
        names.push(row.and_then(|row| row.display_name).unwrap_or_default());
    }
    names.sort();
    names
}

fn checkpoint(text: &str) -> ReadOutcome {
    ReadOutcome {
        checkpoint: Some(Checkpoint(text.into())),
    }
}
