//! Mappings and the plans of what they would do.

use serde::Serialize;
use usher_core::{GroupNaming, MappingState, Rejoin};
use usher_engine::mapping::{Complete, GroupNews, MappingPlan, Settled};
use usher_engine::plan::{PlannedPerson, Tallies};
use usher_storage::query::mapping::MappingRow;
use usher_storage::{StorageError, Tx, query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::RoomName;
use super::membership::room_names;
use crate::api::name;
use crate::api::words::{self, Time};

/// A group that leads to a room.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappingView {
    /// The id.
    pub id: Uuid,
    /// The room.
    pub room: RoomName,
    /// The group's source.
    pub source: String,
    /// The group, by its SCIM `id`, once it is bound.
    pub group: Option<Uuid>,
    /// The bound group's name at the source.
    pub group_name: Option<String>,
    /// How a human named the group.
    pub group_ref: String,
    /// What `group_ref` is.
    #[schema(value_type = words::GroupNaming)]
    pub named_by: GroupNaming,
    /// The level at which people start.
    pub level: String,
    /// What happens when somebody comes back.
    #[schema(value_type = words::Rejoin)]
    pub rejoin: Rejoin,
    /// For `auto`: within how many days.
    pub rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too.
    pub nested: bool,
    /// Whether it was made knowing that the group or the room has another one.
    pub additional: bool,
    /// How far it is.
    #[schema(value_type = words::MappingState)]
    pub state: MappingState,
    /// When it was made.
    pub created: Time,
    /// When it was confirmed.
    pub confirmed: Option<Time>,
    /// When it was retired.
    pub retired: Option<Time>,
    /// Rises with every change.
    pub version: i64,
}

/// Mappings with the names of rooms, sources and groups.
///
/// # Errors
/// What the database says.
pub async fn mappings(tx: &mut Tx<'_>, rows: Vec<MappingRow>) -> Result<Vec<MappingView>, StorageError> {
    let rooms = room_names(tx, rows.iter().map(|row| row.room)).await?;
    let sources = name::sources(tx).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let group = match row.group {
            Some(group) => query::group::by_id(tx, row.source, group).await?,
            None => None,
        };
        views.push(MappingView {
            id: row.id.into(),
            room: RoomName {
                id: row.room.into(),
                name: rooms.get(&row.room).cloned().unwrap_or_default(),
            },
            source: sources.get(&row.source).cloned().unwrap_or_default(),
            group: row.group.map(Into::into),
            group_name: group.map(|group| group.display_name),
            group_ref: row.group_ref,
            named_by: row.named_by,
            level: row.level,
            rejoin: row.rejoin,
            rejoin_days: row.rejoin_days,
            nested: row.nested,
            additional: row.additional,
            state: row.state,
            created: row.created.into(),
            confirmed: row.confirmed.map(Time),
            retired: row.retired.map(Time),
            version: row.version,
        });
    }
    Ok(views)
}

/// One mapping with its names.
///
/// # Errors
/// What the database says.
pub async fn mapping(tx: &mut Tx<'_>, row: MappingRow) -> Result<MappingView, StorageError> {
    let mut views = mappings(tx, vec![row]).await?;
    Ok(views.pop().expect("there is a view for each row"))
}

/// A mapping after a plan was confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettledView {
    /// The mapping; the new one after a replacement.
    #[serde(flatten)]
    pub mapping: MappingView,
    /// Whether everybody is decided about already. If not, it goes on in the background.
    pub complete: bool,
}

/// A mapping after a plan was confirmed, with its names.
///
/// # Errors
/// What the database says.
pub async fn settled(tx: &mut Tx<'_>, settled: Settled) -> Result<SettledView, StorageError> {
    Ok(SettledView {
        mapping: mapping(tx, settled.mapping).await?,
        complete: settled.complete == Complete::Now,
    })
}

/// What would happen, and the digest with which exactly this is confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanView {
    /// The mapping; nothing while a replacement is not made yet.
    pub mapping: Option<Uuid>,
    /// The room.
    pub room: RoomName,
    /// What is known of the group that people come by; nothing in a plan to retire.
    pub group: Option<GroupNewsView>,
    /// What would happen to whom.
    pub people: Vec<TallyView>,
    /// For a room that is being set up: the administrator that its order names.
    pub administrator: Option<PlannedAdministratorView>,
    /// What to confirm.
    pub digest: String,
}

/// What is known of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupNewsView {
    /// How a human named it.
    pub group_ref: String,
    /// The group, by its SCIM `id`, when it is known and the only one meant.
    pub id: Option<Uuid>,
    /// Its name at the source.
    pub display_name: Option<String>,
    /// How many groups the reference may mean: 0 when none has arrived.
    pub candidates: u32,
    /// Members, unknown ones and nested groups included.
    pub members: i64,
    /// Members that name nobody known yet.
    pub pending: i64,
    /// Members that are groups: nobody in them gets access by this group.
    pub nested_groups: i64,
    /// Accounts that are guests.
    pub guests: i64,
    /// Accounts that have no address of the organisation.
    pub out_of_scope: i64,
    /// Accounts that are inactive.
    pub inactive: i64,
}

/// Everybody with one outcome: all counted, the first hundred named.
#[derive(Debug, Serialize, ToSchema)]
pub struct TallyView {
    /// What would happen: `joins`, `inside`, `override`, `leaves`, `kept_last_administrator`, `kept_otherwise`,
    /// `archived`; or why not: `same_address`, `beyond_expected`, `no_address`, `foreign_domain`, `guest`,
    /// `inactive`, `dormant`.
    pub outcome: &'static str,
    /// To how many.
    pub count: u64,
    /// To whom, the first of them.
    pub first: Vec<PlannedPersonView>,
}

/// A person in a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlannedPersonView {
    /// The person.
    pub person: Uuid,
    /// The company address.
    pub email: Option<String>,
    /// The name that people see.
    pub name: Option<String>,
    /// The level at which they would start, or that they have.
    pub level: Option<String>,
}

/// The administrator that an order names, seen from a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlannedAdministratorView {
    /// The company address.
    pub email: String,
    /// Whoever of the group has that address: none, one, or an ambiguity for a human.
    pub found: Vec<FoundView>,
}

/// Somebody with the address of an order's administrator.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundView {
    /// The person.
    pub person: Uuid,
    /// What would happen to them.
    pub outcome: &'static str,
}

impl From<MappingPlan> for PlanView {
    fn from(plan: MappingPlan) -> Self {
        Self {
            mapping: plan.mapping.map(Into::into),
            room: RoomName {
                id: plan.room.into(),
                name: plan.room_name,
            },
            group: plan.group.map(GroupNewsView::from),
            people: tallies(&plan.people),
            administrator: plan.administrator.map(|administrator| PlannedAdministratorView {
                email: administrator.email,
                found: administrator
                    .found
                    .into_iter()
                    .map(|(person, outcome)| FoundView {
                        person: person.into(),
                        outcome: outcome.as_str(),
                    })
                    .collect(),
            }),
            digest: plan.digest,
        }
    }
}

impl From<GroupNews> for GroupNewsView {
    fn from(news: GroupNews) -> Self {
        Self {
            group_ref: news.group_ref,
            id: news.id.map(Into::into),
            display_name: news.display_name,
            candidates: news.candidates,
            members: news.members,
            pending: news.pending,
            nested_groups: news.nested_groups,
            guests: news.guests,
            out_of_scope: news.out_of_scope,
            inactive: news.inactive,
        }
    }
}

/// What would happen to whom.
pub(super) fn tallies(tallies: &Tallies) -> Vec<TallyView> {
    tallies
        .iter()
        .map(|tally| TallyView {
            outcome: tally.outcome.as_str(),
            count: tally.count,
            first: tally.first.iter().map(planned).collect(),
        })
        .collect()
}

fn planned(person: &PlannedPerson) -> PlannedPersonView {
    PlannedPersonView {
        person: person.person.into(),
        email: person.email.clone(),
        name: person.name.clone(),
        level: person.level.clone(),
    }
}
