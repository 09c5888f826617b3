//! The rows that the judgements are made of, read at one moment.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, IsolationLevel, Row};
use uuid::Uuid;

use super::Facts;

const USERS: &str =
    "SELECT u.id, u.person_id, u.user_name, u.remote_id, u.active = 1, u.scope = 'in', u.gone_us IS NOT NULL
    FROM source_user u";

const GROUPS: &str = "SELECT id, display_name, remote_id, gone_us IS NOT NULL FROM source_group";

const MEMBERS: &str = "SELECT group_id, user_id, dormant = 1 FROM group_member";

const MAPPINGS: &str = "SELECT room_id, group_id, state = 'confirmed' FROM mapping";

const MEMBERSHIPS: &str = "SELECT id, room_id, person_id, kind, active = 1 FROM membership";

const PERIODS: &str = "SELECT membership_id, from_us, to_us FROM period";

const PARKED: &str = "SELECT room_id, person_id FROM parked";

const ARCHIVED: &str = "SELECT id FROM room WHERE state = 'archived'";

const HOLDS: &str = "SELECT id, room_id, state, closed_us FROM hold WHERE kind = 'endings'";

const HELD: &str = "SELECT hold_id, person_id FROM hold_item";

/// What reads of providers wrote. A read names itself as the request.
const WRITES: &str =
    "SELECT r.source_id::text, r.id, e.seq FROM pull_run r JOIN change c ON c.request_id = r.id::text
    JOIN event e ON e.change_id = c.id WHERE c.actor_kind = 'source' ORDER BY e.seq";

const EVENTS: &str = "SELECT seq, kind, room_id FROM event ORDER BY seq";

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    /// Whose it is.
    pub person: String,
    /// Its name.
    pub name: String,
    /// Its id at a provider that is read.
    pub remote: Option<String>,
    /// Whether it may be used.
    pub active: bool,
    /// Whether it is one of the organisation's own.
    pub in_scope: bool,
    /// Whether it was deleted.
    pub gone: bool,
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its id at a provider that is read.
    pub remote: Option<String>,
    /// Whether it was deleted.
    pub gone: bool,
}

/// A group that leads to a room.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The room.
    pub room: String,
    /// The group, where it is known.
    pub group: Option<String>,
    /// Whether it counts.
    pub is_confirmed: bool,
}

/// A stay in a room.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Its id.
    pub id: String,
    /// The room.
    pub room: String,
    /// The person.
    pub person: String,
    /// `managed`, `manual` or `bootstrap`.
    pub kind: String,
    /// Whether it goes on.
    pub active: bool,
}

/// A time of a stay, in microseconds.
#[derive(Clone, Debug)]
pub struct Period {
    /// The membership.
    pub membership: String,
    /// When it began.
    pub from: i64,
    /// When it ended.
    pub to: Option<i64>,
}

/// Endings that the brake stopped.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The room.
    pub room: String,
    /// `open`, `approved`, `rejected`, `applied` or `released`.
    pub state: String,
    /// When it was decided, in microseconds.
    pub closed: Option<i64>,
    /// Who is in it.
    pub people: BTreeSet<String>,
}

/// An event that a read of a provider wrote.
#[derive(Clone, Debug)]
pub struct Write {
    /// The source that was read.
    pub source: String,
    /// The read.
    pub run: String,
    /// The event's place in the feed.
    pub event: i64,
}

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the feed.
    pub seq: i64,
    /// What happened.
    pub kind: String,
    /// The room that it is about.
    pub room: Option<String>,
}

/// What the database holds.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// All accounts there ever were, by id.
    pub users: BTreeMap<String, User>,
    /// All groups there ever were, by id.
    pub groups: BTreeMap<String, Group>,
    /// The members, as group and user, and whether they are distrusted.
    pub members: BTreeMap<(String, String), bool>,
    /// The mappings.
    pub mappings: Vec<Mapping>,
    /// All memberships there ever were.
    pub memberships: Vec<Membership>,
    /// All periods there ever were.
    pub periods: Vec<Period>,
    /// Who waits at which room's door.
    pub parked: BTreeSet<(String, String)>,
    /// Rooms that nobody is let into.
    pub archived: BTreeSet<String>,
    /// All holds of endings there ever were.
    pub holds: Vec<Hold>,
    /// What reads wrote, in order.
    pub writes: Vec<Write>,
    /// All events, in order.
    pub events: Vec<Event>,
}

impl State {
    /// Everything, as it is at one moment.
    pub async fn read(client: &mut Client) -> Self {
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await
            .expect("the database runs");
        let rows = async |statement: &str| {
            transaction
                .query(statement, &[])
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error:?}"))
        };
        let held = rows(HELD).await;
        let people_of = |hold: &str| {
            let people = held.iter().map(pair).filter(|(of, _)| of == hold);
            people.map(|(_, person)| person).collect()
        };
        Self {
            holds: rows(HOLDS)
                .await
                .iter()
                .map(|row| Hold {
                    people: people_of(&id(row, 0)),
                    room: id(row, 1),
                    state: row.get(2),
                    closed: row.get(3),
                })
                .collect(),
            writes: rows(WRITES)
                .await
                .iter()
                .map(|row| Write {
                    source: row.get(0),
                    run: id(row, 1),
                    event: row.get(2),
                })
                .collect(),
            users: rows(USERS).await.iter().map(user).collect(),
            groups: rows(GROUPS).await.iter().map(group).collect(),
            members: rows(MEMBERS)
                .await
                .iter()
                .map(|row| (pair(row), row.get(2)))
                .collect(),
            mappings: rows(MAPPINGS)
                .await
                .iter()
                .map(|row| Mapping {
                    room: id(row, 0),
                    group: row.get::<_, Option<Uuid>>(1).map(|id| id.to_string()),
                    is_confirmed: row.get(2),
                })
                .collect(),
            memberships: rows(MEMBERSHIPS)
                .await
                .iter()
                .map(|row| Membership {
                    id: id(row, 0),
                    room: id(row, 1),
                    person: id(row, 2),
                    kind: row.get(3),
                    active: row.get(4),
                })
                .collect(),
            periods: rows(PERIODS)
                .await
                .iter()
                .map(|row| Period {
                    membership: id(row, 0),
                    from: row.get(1),
                    to: row.get(2),
                })
                .collect(),
            parked: rows(PARKED).await.iter().map(pair).collect(),
            archived: rows(ARCHIVED).await.iter().map(|row| id(row, 0)).collect(),
            events: rows(EVENTS)
                .await
                .iter()
                .map(|row| Event {
                    seq: row.get(0),
                    kind: row.get(1),
                    room: row.get::<_, Option<Uuid>>(2).map(|id| id.to_string()),
                })
                .collect(),
        }
    }

    /// The members of a group: whether they are distrusted, and who they are.
    pub fn members_of<'s>(&'s self, group: &'s str) -> impl Iterator<Item = (bool, &'s str)> {
        self.members
            .iter()
            .filter(move |((of, _), _)| of == group)
            .map(|((_, user), dormant)| (*dormant, user.as_str()))
    }

    /// What it says of users, groups and members.
    pub fn facts(&self) -> Facts {
        let users = self.users.iter().filter(|(_, user)| !user.gone);
        let groups = self.groups.iter().filter(|(_, group)| !group.gone);
        Facts {
            users: users
                .map(|(id, user)| (id.clone(), (user.name.clone(), user.active)))
                .collect(),
            groups: groups
                .map(|(id, group)| (id.clone(), group.name.clone()))
                .collect(),
            members: self.members.keys().cloned().collect(),
        }
    }
}

fn id(row: &Row, column: usize) -> String {
    row.get::<_, Uuid>(column).to_string()
}

fn pair(row: &Row) -> (String, String) {
    (id(row, 0), id(row, 1))
}

fn user(row: &Row) -> (String, User) {
    let user = User {
        person: id(row, 1),
        name: row.get(2),
        remote: row.get(3),
        active: row.get(4),
        in_scope: row.get(5),
        gone: row.get(6),
    };
    (id(row, 0), user)
}

fn group(row: &Row) -> (String, Group) {
    let group = Group {
        name: row.get(1),
        remote: row.get(2),
        gone: row.get(3),
    };
    (id(row, 0), group)
}
