//! Many users without asking the server for each: rows as it would have written them, by way of the storage.

use std::sync::Arc;

use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use usher_core::{
    ChangeId, Clock as _, Draw, MappingId, MembershipId, MembershipKind, PersonId, RoomId, Scope,
    SourceGroupId, SourceUserId, StartReason, SystemClock, Timestamp,
};
use usher_storage::query::event::{NewChange, NewEvent};
use usher_storage::query::group::GroupRow;
use usher_storage::query::membership::MembershipRow;
use usher_storage::{SourceKey, Storage, StorageError, Tx, Value, query};
use uuid::Uuid;

use crate::scim;
use crate::world::{LEVEL, mapping, room};

/// Users in one unit of work.
const TOGETHER: usize = 2_000;

/// The number in the name of the first room: further ones are made by hand.
const FIRST_ROOM: usize = 1_000_000;

/// Units of work at once.
const AT_ONCE: usize = 3;

const PERSON: &str = "INSERT INTO person (id, email, display_name, created_us) VALUES ($1, $2, $3, $4)";

const USER: &str = "INSERT INTO source_user (id, source_id, person_id, external_id, user_name, user_key, email, display_name,
        active, scope, version, created_us, modified_us, resource, pushed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

const MEMBER: &str = "INSERT INTO group_member (group_id, user_id, named_us) VALUES ($1, $2, $3)";

/// What was loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Users, in the order of their creation.
    pub(crate) users: Vec<Uuid>,
    /// The people behind them, in the same order.
    pub(crate) persons: Vec<Uuid>,
    /// Rooms, in the order of the people in them.
    pub(crate) rooms: Vec<Uuid>,
    /// How many people who follow each other are in each.
    each: usize,
}

impl Loaded {
    /// The room that somebody is in.
    pub(crate) fn room_of(&self, place: usize) -> Uuid {
        self.rooms[place / self.each]
    }
}

/// One unit of work.
#[derive(Clone)]
struct Part {
    source: SourceKey,
    change: ChangeId,
    at: Timestamp,
    groups: Vec<Group>,
}

/// A group, its room, and its people.
#[derive(Clone)]
struct Group {
    number: usize,
    id: SourceGroupId,
    room: RoomId,
    mapping: MappingId,
    people: Vec<Human>,
}

#[derive(Clone)]
struct Human {
    number: usize,
    user: SourceUserId,
    person: PersonId,
    membership: MembershipId,
}

/// Loads users, each in one group and in one room, into the source `idp`. So many are in `each` group, which leads to a room
/// of its own: with more users, groups and rooms become more, not larger.
pub(crate) async fn load(storage: &Storage, users: usize, each: usize) -> Result<Loaded> {
    let source = storage
        .read(|tx| {
            Box::pin(async move {
                let source = query::source::by_name(tx, "idp").await?;
                Ok::<_, StorageError>(source.ok_or(StorageError::NoRow)?.key)
            })
        })
        .await?;
    let groups = users.div_ceil(each);
    let mut loaded = Loaded {
        users: Vec::with_capacity(users),
        persons: Vec::with_capacity(users),
        rooms: Vec::with_capacity(groups),
        each,
    };
    let at_once = (TOGETHER / each).max(1);
    // Each part draws its ids when it is its turn, so that they ascend as if people came one after another.
    let mut parts = stream::iter((0..groups).step_by(at_once))
        .map(|first| {
            let part = Arc::new(part(source, first..groups.min(first + at_once), users, each));
            let written = Arc::clone(&part);
            let unit = storage.write(move |tx| {
                let part = Arc::clone(&written);
                Box::pin(async move { write(tx, &part).await })
            });
            async move { unit.await.map(|()| part) }
        })
        .buffered(AT_ONCE);
    while let Some(part) = parts.try_next().await? {
        for group in &part.groups {
            loaded.rooms.push(group.room.as_uuid());
            for human in &group.people {
                loaded.users.push(human.user.as_uuid());
                loaded.persons.push(human.person.as_uuid());
            }
        }
    }
    Ok(loaded)
}

fn part(source: SourceKey, numbers: std::ops::Range<usize>, users: usize, each: usize) -> Part {
    let mut ids = Draw::new(&SystemClock).ids();
    Part {
        source,
        change: ids.make(),
        at: SystemClock.now(),
        groups: numbers
            .map(|number| Group {
                number,
                id: ids.make(),
                room: ids.make(),
                mapping: ids.make(),
                people: (number * each..users.min((number + 1) * each))
                    .map(|number| Human {
                        number,
                        user: ids.make(),
                        person: ids.make(),
                        membership: ids.make(),
                    })
                    .collect(),
            })
            .collect(),
    }
}

/// Everything of a part, table by table.
async fn write(tx: &mut Tx<'_>, part: &Part) -> Result<(), StorageError> {
    let now = part.at;
    let people = || part.groups.iter().flat_map(|group| &group.people);
    let change = NewChange {
        id: part.change,
        at: now,
        actor_kind: "source",
        actor: "idp",
        request_id: None,
        reason: None,
    };
    query::event::append(tx, &change, events(part)).await?;

    let persons: Vec<[Value; 4]> = people()
        .map(|human| {
            let name = scim::user_name(human.number);
            [
                human.person.into(),
                name.into(),
                scim::display_name(human.number).into(),
                now.into(),
            ]
        })
        .collect();
    tx.execute_many(PERSON, &persons).await?;
    let users: Vec<[Value; 15]> = people().map(|human| user(part, human)).collect();
    tx.execute_many(USER, &users).await?;
    for group in &part.groups {
        query::group::insert(tx, &group_row(part, group)).await?;
        query::room::insert(tx, &room(group.room, FIRST_ROOM + group.number)).await?;
        let reference = group.id.to_string();
        let mapping = mapping(group.mapping, group.room, part.source, Some(group.id), reference);
        query::mapping::insert(tx, &mapping).await?;
    }
    let members: Vec<[Value; 3]> = part
        .groups
        .iter()
        .flat_map(|group| {
            let people = group.people.iter();
            people.map(|human| [group.id.into(), human.user.into(), now.into()])
        })
        .collect();
    tx.execute_many(MEMBER, &members).await?;
    let memberships: Vec<MembershipRow> = part
        .groups
        .iter()
        .flat_map(|group| group.people.iter().map(|human| membership(part, group, human)))
        .collect();
    query::membership::insert(tx, &memberships).await?;
    let periods: Vec<(MembershipId, u32, StartReason)> = memberships
        .iter()
        .map(|membership| (membership.id, 1, StartReason::Arrived))
        .collect();
    query::membership::open_periods(tx, &periods, now, part.change).await
}

/// What the feed would say of it.
fn events(part: &Part) -> Vec<NewEvent> {
    let event = |kind, data: String| NewEvent {
        change_id: part.change,
        kind,
        at: part.at,
        source: Some(part.source),
        room: None,
        person: None,
        membership: None,
        data,
    };
    let mut events = Vec::new();
    for group in &part.groups {
        for human in &group.people {
            let data = format!(
                r#"{{"user":"{}","user_name":"{}","active":true,"scope":"in"}}"#,
                human.user,
                scim::user_name(human.number)
            );
            events.push(NewEvent {
                person: Some(human.person),
                ..event("directory.user.created", data)
            });
            let data = format!(r#"{{"level":"{LEVEL}","mapping":"{}"}}"#, group.mapping);
            events.push(NewEvent {
                room: Some(group.room),
                person: Some(human.person),
                membership: Some(human.membership),
                ..event("membership.started", data)
            });
        }
        let added: Vec<String> = group
            .people
            .iter()
            .map(|human| format!("\"{}\"", human.user))
            .collect();
        let data = format!(
            r#"{{"group":"{}","added":[{}],"removed":[]}}"#,
            group.id,
            added.join(",")
        );
        events.push(event("directory.group.members_changed", data));
    }
    events
}

fn user(part: &Part, human: &Human) -> [Value; 15] {
    let name = scim::user_name(human.number);
    [
        human.user.into(),
        part.source.into(),
        human.person.into(),
        scim::external_user_id(human.number).to_string().into(),
        name.clone().into(),
        name.clone().into(),
        name.into(),
        scim::display_name(human.number).into(),
        true.into(),
        Scope::In.into(),
        1_i64.into(),
        part.at.into(),
        part.at.into(),
        scim::stored_user(human.number).into(),
        true.into(),
    ]
}

fn group_row(part: &Part, group: &Group) -> GroupRow {
    let name = format!("Loaded group {}", group.number);
    GroupRow {
        id: group.id,
        source: part.source,
        remote_id: None,
        external_id: None,
        resource: format!(r#"{{"displayName":"{name}"}}"#),
        display_name: name,
        member_count: group.people.len() as i64,
        gone: None,
        version: 1,
        created: part.at,
        modified: part.at,
        pushed: true,
        assigned: true,
    }
}

fn membership(part: &Part, group: &Group, human: &Human) -> MembershipRow {
    MembershipRow {
        id: human.membership,
        room: group.room,
        person: human.person,
        kind: MembershipKind::Managed,
        level: LEVEL.to_owned(),
        administrator: false,
        active: true,
        source: Some(part.source),
        user: Some(human.user),
        mapping: Some(group.mapping),
        started: part.at,
        ended: None,
        end_reason: None,
        stray: None,
        stray_since: None,
        hold: None,
        owner: None,
        note: None,
        until: None,
        version: 1,
    }
}

#[cfg(test)]
mod tests {
    use usher_storage::StorageConfig;

    use super::*;

    #[tokio::test]
    async fn everybody_is_in_one_room_and_explained_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("usher.db").display());
        let storage = Storage::open(StorageConfig::new(url)).await.unwrap();
        storage
            .write(|tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO source (name, kind, mode, state, first_seen_us)
                        VALUES ('idp', 'scim', 'push', 'active', 1)";
                    tx.execute(sql, &[]).await
                })
            })
            .await
            .unwrap();
        let loaded = load(&storage, 2_030, 50).await.unwrap();
        assert_eq!(
            (loaded.users.len(), loaded.persons.len(), loaded.rooms.len()),
            (2_030, 2_030, 41)
        );
        assert!(loaded.users.is_sorted());
        assert_eq!(loaded.room_of(2_029), loaded.rooms[40]);
        let last = (loaded.room_of(2_029), loaded.persons[2_029]);
        let stay = storage
            .read(move |tx| {
                Box::pin(async move {
                    let (room, person) = (RoomId::from_uuid(last.0), PersonId::from_uuid(last.1));
                    query::membership::active(tx, &[room], &[person]).await
                })
            })
            .await
            .unwrap();
        assert_eq!(stay.len(), 1);
        storage.close().await;
    }
}
