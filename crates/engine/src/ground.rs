//! Why somebody is, or is not, wanted in a room: in words, with the next step.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use usher_core::{MappingId, MappingState, PersonId, RoomId, Scope, SourceUserId, Timestamp};
use usher_storage::query::ground::GroundRow;
use usher_storage::{Tx, query};

use crate::{EngineError, Refusal};

/// What a source said about a person on the spot is acted upon for so long.
const ASKED: Duration = Duration::from_secs(60);

/// For so long a source that is pushed and read is believed by its pushes alone. Microsoft Entra ID pushes about every
/// 40 minutes.
const PUSHED: Duration = Duration::from_secs(3600);

/// Whether a mapping and an account together make the person desired in the room, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It counts.
    Counts,
    /// The account is a member, but the row was written before the account was deactivated.
    Dormant,
    /// The account is a member, but the group is not assigned to the application.
    Unassigned,
    /// The account is a member, but is none of the organisation's own.
    OutOfScope,
    /// The account is inactive.
    AccountInactive,
    /// The account is not a member of the group.
    NotInGroup,
    /// The source deleted the account.
    AccountGone,
    /// The person has no account in the source.
    NoAccount,
    /// The source deleted the group.
    GroupGone,
    /// The group did not arrive yet.
    GroupUnknown,
    /// The mapping waits for a confirmation.
    MappingPending,
}

/// One mapping of the room, as it stands to one account of the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ground {
    /// The mapping.
    pub mapping: MappingId,
    /// The source.
    pub source: String,
    /// The group's name, else what the mapping calls it.
    pub group: String,
    /// The account.
    pub user: Option<SourceUserId>,
    /// The account's `userName`.
    pub user_name: Option<String>,
    /// Whether it counts, and if not, why.
    pub standing: Standing,
    /// Whether the last read of the source says the opposite. A second one decides.
    pub doubted: bool,
}

/// How fresh the knowledge of a source is. A push source is only as fresh as its last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// The source.
    pub source: String,
    /// Push, pull or both.
    pub mode: String,
    /// Whether the source is listened to.
    pub state: String,
    /// When it last wrote about the person or a group that leads to the room; for a frozen source, when it wrote
    /// anything last.
    pub last_write: Option<Timestamp>,
    /// When it changed the person's account last.
    pub account_changed: Option<Timestamp>,
    /// When it changed a group that leads to the room last.
    pub group_changed: Option<Timestamp>,
    /// When it was asked about the person on the spot.
    pub asked: Option<Timestamp>,
    /// Why it did not answer then.
    pub unreachable: Option<String>,
}

impl Freshness {
    /// Whether what it said is fresh enough to restore somebody by: a source that is pushed to said all it knows, one that
    /// is read was asked just now. One that is both and cannot be asked is believed while its pushes are recent.
    fn is_fresh(&self, now: Timestamp) -> bool {
        let answered = self.unreachable.is_none() && self.asked.is_some_and(|at| now.since(at) <= ASKED);
        match self.mode.as_str() {
            "push" => true,
            "pull" => answered,
            _ => answered || self.last_write.is_some_and(|at| now.since(at) <= PUSHED),
        }
    }
}

/// All that speaks for and against a person in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grounds {
    /// Each mapping of the room against each account of the person.
    pub grounds: Vec<Ground>,
    /// Other rooms that the person is led to: room and group.
    pub elsewhere: Vec<(String, String)>,
    /// How fresh the knowledge is, by source.
    pub freshness: Vec<Freshness>,
}

/// Reads what speaks for and against a person in a room.
///
/// # Errors
/// What the database says.
pub async fn grounds(tx: &mut Tx<'_>, room: RoomId, person: PersonId) -> Result<Grounds, EngineError> {
    let rows = query::ground::of_pair(tx, room, person).await?;
    let elsewhere = query::ground::elsewhere(tx, room, person).await?;
    let mut freshness: Vec<Freshness> = Vec::new();
    for row in &rows {
        let account_changed = row.account.as_ref().map(|account| account.modified);
        match freshness.iter_mut().find(|known| known.source == row.source) {
            Some(known) => {
                known.account_changed = known.account_changed.max(account_changed);
                known.group_changed = known.group_changed.max(row.group_modified);
            }
            None => freshness.push(Freshness {
                source: row.source.clone(),
                mode: row.source_mode.clone(),
                state: row.source_state.as_str().to_owned(),
                last_write: row.source_wrote.max(account_changed).max(row.group_modified),
                account_changed,
                group_changed: row.group_modified,
                asked: None,
                unreachable: None,
            }),
        }
    }
    if freshness.iter().any(|known| known.mode != "push") {
        for asked in query::pull_run::asked_about(tx, person).await? {
            for known in freshness.iter_mut().filter(|known| known.source == asked.source) {
                known.asked = Some(asked.at);
                known.unreachable.clone_from(&asked.error);
            }
        }
    }
    let grounds = rows
        .into_iter()
        .map(|row| Ground {
            standing: standing(&row),
            doubted: row.account.as_ref().is_some_and(|account| account.doubted),
            mapping: row.mapping,
            source: row.source,
            group: row.group_name,
            user: row.account.as_ref().map(|account| account.user),
            user_name: row.account.map(|account| account.user_name),
        })
        .collect();
    Ok(Grounds {
        grounds,
        elsewhere,
        freshness,
    })
}

fn standing(row: &GroundRow) -> Standing {
    if row.mapping_state != MappingState::Confirmed {
        return Standing::MappingPending;
    }
    if row.group.is_none() {
        return Standing::GroupUnknown;
    }
    if row.group_gone.is_some() {
        return Standing::GroupGone;
    }
    let Some(account) = &row.account else {
        return Standing::NoAccount;
    };
    match (account.gone, account.active, account.dormant) {
        (Some(_), _, _) => Standing::AccountGone,
        (None, false, _) => Standing::AccountInactive,
        (None, true, None) => Standing::NotInGroup,
        (None, true, Some(true)) => Standing::Dormant,
        (None, true, Some(false)) if account.scope != Scope::In => Standing::OutOfScope,
        (None, true, Some(false)) if account.unassigned => Standing::Unassigned,
        (None, true, Some(false)) => Standing::Counts,
    }
}

impl Grounds {
    /// Whether the person is desired in the room.
    #[must_use]
    pub fn desired(&self) -> bool {
        self.best() == Some(Standing::Counts)
    }

    /// The names of the groups that make the person desired, each once.
    #[must_use]
    pub fn backing_groups(&self) -> Vec<&str> {
        let counting = self
            .grounds
            .iter()
            .filter(|ground| ground.standing == Standing::Counts);
        counting
            .map(|ground| ground.group.as_str())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// Why the person is desired in the room only until a further read, and what to do about it; nothing when a ground
    /// counts that no read contradicts.
    #[must_use]
    pub fn doubt(&self) -> Option<Refusal> {
        let mut counting = self
            .grounds
            .iter()
            .filter(|ground| ground.standing == Standing::Counts);
        let first = counting.clone().next()?;
        if !counting.all(|ground| ground.doubted) {
            return None;
        }
        let (group, source) = (&first.group, &first.source);
        Some(Refusal {
            code: "doubted",
            message: format!(
                "the last read of source '{source}' did not see the person in group '{group}', though nobody removed them"
            ),
            next: format!(
                "look at group '{group}' in source '{source}'; if the person is in it, read the source again"
            ),
        })
    }

    /// Why the person is not desired in the room, and what to do about it; nothing when they are.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let standing = self.best();
        let ground = self
            .grounds
            .iter()
            .find(|ground| Some(ground.standing) == standing);
        let group = ground.map_or("", |ground| ground.group.as_str());
        let source = ground.map_or("", |ground| ground.source.as_str());
        let (code, message, next) = match standing {
            Some(Standing::Counts) => return None,
            None => (
                "no_mapping",
                "no group leads to this room".to_owned(),
                "map a group to the room and confirm the mapping".to_owned(),
            ),
            Some(Standing::MappingPending) => (
                "mapping_pending",
                format!("the mapping of group '{group}' to this room is not confirmed"),
                "look at the mapping's plan and confirm it".to_owned(),
            ),
            Some(Standing::GroupUnknown) => (
                "group_unknown",
                format!("group '{group}' did not arrive from source '{source}' yet"),
                format!("add group '{group}' to the application in source '{source}'"),
            ),
            Some(Standing::GroupGone) => (
                "group_gone",
                format!("source '{source}' deleted group '{group}'"),
                "map another group to the room, or bring the group back in the source".to_owned(),
            ),
            Some(Standing::NoAccount) => (
                "no_account",
                format!("the person has no account in source '{source}'"),
                format!("add the person to group '{group}' in source '{source}', or add them by hand"),
            ),
            Some(Standing::AccountGone) => (
                "account_gone",
                format!("source '{source}' deleted the person's account"),
                format!("provide the account again in source '{source}' with group '{group}'"),
            ),
            Some(Standing::AccountInactive) => (
                "account_inactive",
                format!("the person's account is inactive in source '{source}'"),
                format!("activate the account in source '{source}' first"),
            ),
            Some(Standing::OutOfScope) => (
                "out_of_scope",
                format!(
                    "the person is in group '{group}', but as a guest or with an address outside the organisation's domains"
                ),
                format!(
                    "give the account a company address in source '{source}', or add the domain to the configuration"
                ),
            ),
            Some(Standing::Unassigned) => (
                "unassigned",
                format!(
                    "the person is in group '{group}', which is not assigned to the application in source '{source}'"
                ),
                format!("assign group '{group}' to the application in source '{source}'"),
            ),
            Some(Standing::Dormant) => (
                "dormant",
                format!(
                    "the person was in group '{group}' before the account was deactivated, and source '{source}' has not named them since"
                ),
                format!(
                    "remove the person from group '{group}' in source '{source}' and add them again, or push the group again"
                ),
            ),
            Some(Standing::NotInGroup) => return Some(self.not_in_group(source)),
        };
        Some(Refusal { code, message, next })
    }

    /// Why what speaks for the person is too old to restore them by; nothing when some of it is not, or when nothing
    /// speaks for them.
    #[must_use]
    pub fn stale(&self, now: Timestamp) -> Option<Refusal> {
        let mut old = None;
        for ground in self
            .grounds
            .iter()
            .filter(|ground| ground.standing == Standing::Counts)
        {
            let known = self
                .freshness
                .iter()
                .find(|known| known.source == ground.source)?;
            if known.is_fresh(now) {
                return None;
            }
            old.get_or_insert(known);
        }
        let old = old?;
        let source = &old.source;
        Some(Refusal {
            code: "source_not_asked",
            message: match &old.unreachable {
                Some(reason) => {
                    format!("source '{source}' could not be asked about the person just now: {reason}")
                }
                None => format!("source '{source}' was not asked about the person just now"),
            },
            next: format!(
                "try again; `usher source check {source}` says what is wrong with the connection if it stays so"
            ),
        })
    }

    fn not_in_group(&self, source: &str) -> Refusal {
        let groups: BTreeSet<&str> = self
            .grounds
            .iter()
            .filter(|ground| ground.standing == Standing::NotInGroup)
            .map(|ground| ground.group.as_str())
            .collect();
        let groups = quoted(&groups);
        let next = format!("add the person to group {groups} in source '{source}', then try again");
        match self.elsewhere.first() {
            Some((room, group)) => Refusal {
                code: "other_rooms_group",
                message: format!(
                    "the person is in group '{group}', which leads to room '{room}', and not in {groups}, which leads here"
                ),
                next,
            },
            None => Refusal {
                code: "not_in_group",
                message: format!("the person is not in group {groups}, which leads to this room"),
                next,
            },
        }
    }

    fn best(&self) -> Option<Standing> {
        self.grounds.iter().map(|ground| ground.standing).min()
    }
}

/// The reason why a person is not desired, as an error.
pub(crate) async fn refuse_undesired(
    tx: &mut Tx<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<EngineError, EngineError> {
    let refusal = grounds(tx, room, person).await?.refusal();
    Ok(EngineError::Refused(Box::new(refusal.unwrap_or(Refusal {
        code: "not_desired",
        message: "no group asks for this person in this room".to_owned(),
        next: "explain the person in the room to see why".to_owned(),
    }))))
}

fn quoted(names: &BTreeSet<&str>) -> String {
    names
        .iter()
        .map(|name| format!("'{name}'"))
        .collect::<Vec<_>>()
        .join(" or ")
}
