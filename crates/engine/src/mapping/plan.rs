//! What a mapping would do, before it does.

use std::collections::BTreeSet;

use serde::Serialize;
use usher_core::{EndReason, MappingId, MappingState, PersonId, RoomId, SourceGroupId};
use usher_storage::query::group::GroupRow;
use usher_storage::query::mapping::MappingRow;
use usher_storage::{Tx, query};
use uuid::Uuid;

use super::change::refuse_retired;
use super::{GroupRef, Terms, active_source, candidates, check_ref, check_terms, get, nested};
use crate::engine::Engine;
use crate::plan::{Doorkeeper, Outcome, Premise, Sheet, Tallies, walk_group, walk_room};
use crate::policy::Policy;
use crate::settle::facts::Suppose;
use crate::{EngineError, room};

/// What would happen in a room, and the digest with which exactly this is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingPlan {
    /// The mapping; nothing while a replacement is not made yet.
    pub mapping: Option<MappingId>,
    /// The room.
    pub room: RoomId,
    /// The room's name.
    pub room_name: String,
    /// What is known of the group that people come by; nothing in a plan to retire.
    pub group: Option<GroupNews>,
    /// What would happen to whom.
    pub people: Tallies,
    /// For a room that is being set up: the administrator that its order names.
    pub administrator: Option<PlannedAdministrator>,
    /// What to confirm.
    pub digest: String,
}

/// What is known of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GroupNews {
    /// How a human named it.
    pub group_ref: String,
    /// The group, when it is known and the only one meant.
    pub id: Option<SourceGroupId>,
    /// Its name at the source.
    pub display_name: Option<String>,
    /// How many groups the reference may mean: 0 when none has arrived.
    pub candidates: u32,
    /// Members, pending ones and nested groups included.
    pub members: i64,
    /// Members that name nobody known yet: they come in when their accounts arrive.
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

/// The administrator that an order names, seen from a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedAdministrator {
    /// The company address.
    pub email: String,
    /// Whoever of the group has that address: none, one, or an ambiguity for a human.
    pub found: Vec<(PersonId, Outcome)>,
}

impl Engine {
    /// What confirming a mapping would do.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Refused`] (`mapping_retired`).
    pub async fn plan_mapping(&self, id: MappingId) -> Result<MappingPlan, EngineError> {
        self.read_by_policy(move |tx, policy| Box::pin(async move { plan_confirm(tx, &policy, id).await }))
            .await
    }

    /// What retiring a mapping would do.
    ///
    /// # Errors
    /// As [`Engine::plan_mapping`].
    pub async fn plan_retire_mapping(&self, id: MappingId) -> Result<MappingPlan, EngineError> {
        self.read_by_policy(move |tx, policy| Box::pin(async move { plan_retire(tx, &policy, id).await }))
            .await
    }

    /// What putting another group in the place of a mapping's would do.
    ///
    /// # Errors
    /// As [`Engine::plan_mapping`], and `group_unknown`, `group_ambiguous`: nobody can be desired by a group that
    /// nobody knows, so everybody would leave.
    pub async fn plan_replace_mapping(
        &self,
        id: MappingId,
        group: GroupRef,
        terms: Terms,
    ) -> Result<MappingPlan, EngineError> {
        self.read_by_policy(move |tx, policy| {
            let (group, terms) = (group.clone(), terms.clone());
            Box::pin(async move { Ok(plan_replace(tx, &policy, id, &group, terms).await?.0) })
        })
        .await
    }
}

/// What confirming would do.
pub(super) async fn plan_confirm(
    tx: &mut Tx<'_>,
    policy: &Policy,
    id: MappingId,
) -> Result<MappingPlan, EngineError> {
    let mapping = get(tx, id).await?;
    refuse_retired(&mapping)?;
    let mut sheet = Sheet::new("confirm");
    sheet.note(&mapping.id);
    note_terms(&mut sheet, &mapping);
    let premise = Premise {
        policy,
        what_if: Suppose {
            confirmed: mapping.group.map(|_| mapping.clone()),
            ..Suppose::default()
        },
        removal: EndReason::Removed,
        room: mapping.room,
    };
    let administrator = walk(tx, &premise, mapping.group, 0, &mut sheet).await?;
    finish(tx, sheet, Some(mapping.id), &mapping, true, administrator).await
}

/// What retiring would do.
pub(super) async fn plan_retire(
    tx: &mut Tx<'_>,
    policy: &Policy,
    id: MappingId,
) -> Result<MappingPlan, EngineError> {
    let mapping = get(tx, id).await?;
    refuse_retired(&mapping)?;
    let mut sheet = Sheet::new("retire");
    sheet.note(&mapping.id);
    if mapping.state == MappingState::Confirmed {
        let premise = Premise {
            policy,
            what_if: Suppose {
                retired: BTreeSet::from([id]),
                ..Suppose::default()
            },
            removal: EndReason::MappingRetired,
            room: mapping.room,
        };
        walk_room(tx, &premise, &mut sheet).await?;
    }
    finish(tx, sheet, Some(id), &mapping, false, None).await
}

/// What replacing would do, and the mapping that would be made, with an id of zeros.
pub(super) async fn plan_replace(
    tx: &mut Tx<'_>,
    policy: &Policy,
    id: MappingId,
    group: &GroupRef,
    terms: Terms,
) -> Result<(MappingPlan, MappingRow), EngineError> {
    let old = get(tx, id).await?;
    refuse_retired(&old)?;
    let room = room::get(tx, old.room).await?;
    room::refuse_archived(&room)?;
    let source = active_source(tx, group.source).await?;
    let group_ref = check_ref(group)?;
    let bound = only_candidate(tx, group).await?;
    if old.group == Some(bound.id) {
        return Err(EngineError::refused(
            "group_mapped",
            format!("mapping {id} leads from this very group"),
            "name another group, or change the terms of the mapping",
        ));
    }
    let other = (old.source == source.key)
        .then_some(old.nested)
        .filter(|nested| *nested);
    let wish = terms.nested.or(other);
    let nested = nested::choose(tx, &source, group, Some(&bound), wish, Some(id)).await?;
    let terms = Terms {
        level: terms.level.or_else(|| Some(old.level.clone())),
        rejoin: terms.rejoin.or(Some(old.rejoin)),
        rejoin_days: terms.rejoin_days.or(old
            .rejoin_days
            .filter(|_| terms.rejoin.is_none_or(|rejoin| rejoin == old.rejoin))),
        nested: Some(nested),
    };
    let (level, rejoin, rejoin_days) = check_terms(policy, room.model, terms)?;
    let new = MappingRow {
        id: MappingId::from_uuid(Uuid::nil()),
        source: group.source,
        group: Some(bound.id),
        group_ref,
        named_by: group.named_by,
        level,
        rejoin,
        rejoin_days,
        nested,
        version: 1,
        ..old.clone()
    };
    let mut sheet = Sheet::new("replace");
    sheet.note(&old.id);
    note_terms(&mut sheet, &new);
    let premise = Premise {
        policy,
        what_if: Suppose {
            confirmed: (old.state == MappingState::Confirmed).then(|| new.clone()),
            retired: BTreeSet::from([id]),
            ..Suppose::default()
        },
        removal: EndReason::MappingRetired,
        room: old.room,
    };
    let mut leavers = Sheet::new("leave");
    walk_room(tx, &premise, &mut leavers).await?;
    let leaving = leavers.take();
    sheet.note(&leavers.digest());
    let group = new.group.filter(|_| old.state == MappingState::Confirmed);
    let leaves = leaving.count(Outcome::Leaves);
    let administrator = walk(tx, &premise, group, leaves, &mut sheet).await?;
    let mut plan = finish(tx, sheet, None, &new, true, administrator).await?;
    plan.people.add_leavers(leaving);
    Ok((plan, new))
}

/// The one group that a reference means.
async fn only_candidate(tx: &mut Tx<'_>, group: &GroupRef) -> Result<GroupRow, EngineError> {
    let mut found = candidates(tx, group).await?;
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(EngineError::refused(
            "group_unknown",
            format!("no group '{}' has arrived from this source", group.group),
            "add the group to the application at the identity provider, then try again",
        )),
        (_, others) => Err(EngineError::refused(
            "group_ambiguous",
            format!("{} groups are called '{}'", others + 1, group.group),
            "name the group by its id",
        )),
    }
}

fn note_terms(sheet: &mut Sheet, mapping: &MappingRow) {
    sheet.note(&mapping.room);
    sheet.note(&mapping.source.0);
    sheet.note(&mapping.group.map(|group| group.to_string()).unwrap_or_default());
    sheet.note(&mapping.level);
    sheet.note(&mapping.rejoin);
    sheet.note(&mapping.rejoin_days.unwrap_or_default());
    sheet.note(&mapping.nested);
}

/// Walks over the group, when there is one, with an eye on the administrator that an order names.
async fn walk(
    tx: &mut Tx<'_>,
    premise: &Premise<'_>,
    group: Option<SourceGroupId>,
    leaving: u64,
    sheet: &mut Sheet,
) -> Result<Option<PlannedAdministrator>, EngineError> {
    let order = query::order::of_room(tx, premise.room).await?;
    let email = order
        .filter(|order| !crate::order::is_over(order.state))
        .map(|order| order.administrator);
    let found = match group {
        Some(group) => {
            let mut doorkeeper = Doorkeeper::new(tx, premise.room, group, leaving).await?;
            walk_group(tx, premise, group, &mut doorkeeper, email.as_deref(), sheet).await?
        }
        None => Vec::new(),
    };
    Ok(email.map(|email| PlannedAdministrator { email, found }))
}

async fn finish(
    tx: &mut Tx<'_>,
    mut sheet: Sheet,
    id: Option<MappingId>,
    mapping: &MappingRow,
    tell_group: bool,
    administrator: Option<PlannedAdministrator>,
) -> Result<MappingPlan, EngineError> {
    let room = room::get(tx, mapping.room).await?;
    sheet.note(&room.state);
    let news = match tell_group {
        true => {
            let reference = GroupRef {
                source: mapping.source,
                group: mapping.group_ref.clone(),
                named_by: mapping.named_by,
            };
            Some(group_news(tx, &reference, mapping.group).await?)
        }
        false => None,
    };
    if let Some(news) = &news {
        sheet.note(&news.candidates);
        sheet.note(&news.pending);
        sheet.note(&news.nested_groups);
    }
    if let Some(administrator) = &administrator {
        sheet.note(&administrator.email);
    }
    let people = sheet.take();
    Ok(MappingPlan {
        mapping: id,
        room: room.id,
        room_name: room.name,
        group: news,
        people,
        administrator,
        digest: sheet.digest(),
    })
}

/// What is known of a group.
pub(crate) async fn group_news(
    tx: &mut Tx<'_>,
    group: &GroupRef,
    bound: Option<SourceGroupId>,
) -> Result<GroupNews, EngineError> {
    let found = match bound {
        Some(id) => query::group::by_id(tx, group.source, id)
            .await?
            .into_iter()
            .collect(),
        None => candidates(tx, group).await?,
    };
    let mut news = GroupNews {
        group_ref: group.group.clone(),
        candidates: u32::try_from(found.len()).unwrap_or(u32::MAX),
        ..GroupNews::default()
    };
    if let [only] = found.as_slice() {
        let (pending, nested_groups) = query::plan::pending_counts(tx, only.id).await?;
        let (_, guests, out_of_scope, inactive) = query::plan::group_counts(tx, only.id).await?;
        news = GroupNews {
            id: Some(only.id),
            display_name: Some(only.display_name.clone()),
            members: only.member_count,
            pending,
            nested_groups,
            guests,
            out_of_scope,
            inactive,
            ..news
        };
    }
    Ok(news)
}
