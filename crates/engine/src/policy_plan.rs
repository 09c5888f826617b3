//! How rules come into force: the first ones at once, harmless changes at once, and whatever may give or take
//! access as a plan that a human confirms.
//!
//! At once: `sso_url`, `finalise`, the numbers of the brake, `arrival_margin_percent`, `bootstrap_due_days`,
//! `dormant_after_days`, and the behaviour of a source that is new. As a proposal: `domains`, levels, and of a
//! known source its guest marks, what a reactivation means, and whether its `externalId` is trusted. The
//! behaviour of a source that disappeared stays in force while it is frozen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use usher_core::{EndReason, MappingId, MappingState, PersonId, RoomId, Scope, SourceState, SourceUserId};
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::user::UserRow;
use usher_storage::{SourceKey, StorageError, Tx, query};

use crate::directory::stored_scope;
use crate::engine::Engine;
use crate::job::Task;
use crate::plan::{Outcome, PlannedPerson, Sheet, Tallies, check_digest};
use crate::policy::{Policy, SourcePolicy};
use crate::settle::facts::{Suppose, suppose};
use crate::settle::{BATCH, Decision, decide};
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

/// What became of rules that were handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopted {
    /// They are in force already.
    Unchanged,
    /// They are in force now.
    InForce,
    /// What of them is harmless is in force; the rest waits for a confirmation.
    Proposed {
        /// What waits, in words such as `domains`.
        waiting: Vec<String>,
    },
}

/// What proposed rules would do, and the digest with which exactly this is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyPlan {
    /// What changes, in words such as `domains`.
    pub changes: Vec<String>,
    /// Accounts that come into scope.
    pub into_scope: u64,
    /// Accounts that fall out of scope.
    pub out_of_scope: u64,
    /// Memberships that would start, end, or stay for want of another administrator.
    pub people: Tallies,
    /// Active memberships at levels that would no longer exist, by level. They stay, and are shown as invalid.
    pub invalid_levels: BTreeMap<String, i64>,
    /// Mappings whose starting level would no longer exist. They get the lowest that sources may give.
    pub mappings_lowered: Vec<MappingId>,
    /// What to confirm.
    pub digest: String,
}

impl Engine {
    /// What the proposed rules would do; nothing when none wait.
    ///
    /// # Errors
    /// When stored rules cannot be read.
    pub async fn plan_policy(&self) -> Result<Option<PolicyPlan>, EngineError> {
        self.read_by_policy(move |tx, policy| {
            Box::pin(async move {
                match proposed(tx).await? {
                    Some(new) => Ok(Some(plan(tx, &policy, &new).await?)),
                    None => Ok(None),
                }
            })
        })
        .await
    }
}

impl Unit<'_, '_> {
    /// Takes the configured rules. The first ones ever are in force at once; later, what may give or take
    /// access waits as a proposal. Handing in the rules in force withdraws a proposal.
    ///
    /// # Errors
    /// When stored rules cannot be read.
    pub async fn adopt_or_propose(&mut self, new: &Policy) -> Result<Adopted, EngineError> {
        let Some(stored) = query::policy::load(self.tx).await? else {
            self.put_in_force(new.clone()).await?;
            return Ok(Adopted::InForce);
        };
        let active = read(&stored.active)?;
        let new = keep_frozen(&active, new);
        let harmless = only_harmless(&active, &new);
        let waiting = gated_changes(&active, &new);
        let moved = harmless != active;
        if moved {
            self.put_in_force(harmless).await?;
        }
        if waiting.is_empty() {
            if stored.proposed.is_some() && !moved {
                query::policy::propose(self.tx, None).await?;
            }
            return Ok(if moved {
                Adopted::InForce
            } else {
                Adopted::Unchanged
            });
        }
        let text = write(&new);
        let known = stored.proposed.as_ref() == Some(&text);
        if !known || moved {
            query::policy::propose(self.tx, Some(text)).await?;
        }
        if !known {
            let next = "look at the plan of the rules and confirm it";
            let data = json!({ "changes": waiting, "next": next });
            self.tell(EventKind::PolicyProposed, About::default(), &data);
        }
        Ok(Adopted::Proposed { waiting })
    }

    /// Puts the proposed rules in force as the plan with this digest showed them, and decides again about
    /// everybody whose account comes into or falls out of scope; in steps where they are many.
    ///
    /// # Errors
    /// [`EngineError::PlanChanged`]; [`EngineError::Refused`] (`no_proposal`).
    pub async fn confirm_policy(&mut self, digest: &str) -> Result<(), EngineError> {
        let Some(new) = proposed(self.tx).await? else {
            return Err(EngineError::refused(
                "no_proposal",
                "no rules wait for a confirmation",
                "change the configuration and restart first",
            ));
        };
        let active = Arc::clone(&self.policy);
        let plan = plan(self.tx, &active, &new).await?;
        check_digest(digest, &plan.digest)?;
        self.put_in_force(new.clone()).await?;
        let flags = administrator_flags(&active, &new);
        for (level, administrator) in flags {
            for room in query::policy::flag_level(self.tx, &level, administrator).await? {
                self.check_administrators(room).await?;
            }
        }
        for mapping in mappings_without_level(self.tx, &new).await? {
            let level = new.levels.starting().key.clone();
            let lowered = MappingRow { level, ..mapping };
            query::mapping::update(self.tx, &lowered).await?;
            self.tell_mapping(EventKind::MappingChanged, &lowered, &json!({}));
        }
        for source in query::source::all(self.tx).await? {
            if source.state == SourceState::Retired {
                continue;
            }
            if let (_, Some(rest)) = self.step_rescope(source.key, None).await? {
                self.put_job(rest).await?;
            }
        }
        Ok(())
    }

    /// Finds out for the next accounts of a source whether they are in scope, and decides about those for
    /// whom this changed.
    pub(crate) async fn step_rescope(
        &mut self,
        source: SourceKey,
        after: Option<SourceUserId>,
    ) -> Result<(usize, Option<Task>), EngineError> {
        let rules = self.source_policy(source).await?;
        let users = query::user::page(self.tx, source, after, batch()).await?;
        let mut changed = Vec::new();
        for user in &users {
            let scope = stored_scope(&self.policy, &rules, user);
            if scope != user.scope {
                changed.push((user.id, scope));
                self.touch_person(user.person);
            }
        }
        query::policy::set_scopes(self.tx, &changed).await?;
        self.settle_now().await?;
        let next = users
            .last()
            .filter(|_| users.len() == BATCH)
            .map(|last| Task::Rescope {
                source: source.0,
                after: Some(last.id),
            });
        Ok((users.len(), next))
    }

    async fn put_in_force(&mut self, policy: Policy) -> Result<(), EngineError> {
        query::policy::put_in_force(self.tx, write(&policy)).await?;
        self.policy = Arc::new(policy);
        let data = json!({ "domains": self.policy.domains });
        self.tell(EventKind::PolicyConfirmed, About::default(), &data);
        Ok(())
    }
}

/// The rules that wait.
async fn proposed(tx: &mut Tx<'_>) -> Result<Option<Policy>, EngineError> {
    let stored = query::policy::load(tx).await?;
    stored
        .and_then(|stored| stored.proposed)
        .map(|text| read(&text))
        .transpose()
}

/// What would happen under new rules.
async fn plan(tx: &mut Tx<'_>, active: &Policy, new: &Policy) -> Result<PolicyPlan, EngineError> {
    let changes = gated_changes(active, new);
    let mut sheet = Sheet::new("policy");
    sheet.note(&write(new));
    let (mut into_scope, mut out_of_scope) = (0, 0);
    for source in query::source::all(tx).await? {
        let Ok(name) = source.name.parse() else { continue };
        if source.state == SourceState::Retired {
            continue;
        }
        let rules = new.source(&name);
        let mut after = None;
        loop {
            let users = query::user::page(tx, source.key, after, batch()).await?;
            let Some(last) = users.last() else { break };
            after = Some(last.id);
            let mut what_if = Suppose::default();
            let mut persons = BTreeSet::new();
            for user in &users {
                let scope = stored_scope(new, &rules, user);
                if scope != user.scope {
                    match (user.scope, scope) {
                        (Scope::In, _) => out_of_scope += 1,
                        (_, Scope::In) => into_scope += 1,
                        _ => {}
                    }
                    what_if.scopes.insert(user.id, scope);
                    persons.insert(user.person);
                }
            }
            note_people(tx, new, &what_if, persons, &users, &mut sheet).await?;
        }
    }
    let mut invalid_levels = BTreeMap::new();
    for level in active
        .levels
        .iter()
        .filter(|level| new.levels.get(&level.key).is_none())
    {
        let count = query::policy::count_at_level(tx, &level.key).await?;
        if count > 0 {
            sheet.note(&level.key);
            sheet.note(&count);
            invalid_levels.insert(level.key.clone(), count);
        }
    }
    let mappings_lowered: Vec<MappingId> = mappings_without_level(tx, new)
        .await?
        .iter()
        .map(|mapping| mapping.id)
        .collect();
    for mapping in &mappings_lowered {
        sheet.note(mapping);
    }
    Ok(PolicyPlan {
        changes,
        into_scope,
        out_of_scope,
        people: sheet.take(),
        invalid_levels,
        mappings_lowered,
        digest: sheet.digest(),
    })
}

/// Mappings that start people at a level which rules do not have, or do not let sources give.
async fn mappings_without_level(tx: &mut Tx<'_>, rules: &Policy) -> Result<Vec<MappingRow>, EngineError> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = query::mapping::page(tx, after, batch()).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        found.extend(page.into_iter().filter(|mapping| {
            mapping.state != MappingState::Retired
                && rules.levels.get(&mapping.level).is_none_or(|level| level.by_hand)
        }));
    }
}

/// Decides about people whose accounts change their scope, in each of their rooms.
async fn note_people(
    tx: &mut Tx<'_>,
    new: &Policy,
    what_if: &Suppose,
    persons: BTreeSet<PersonId>,
    users: &[UserRow],
    sheet: &mut Sheet,
) -> Result<(), EngineError> {
    if persons.is_empty() {
        return Ok(());
    }
    let mut by_room: BTreeMap<RoomId, Vec<PersonId>> = BTreeMap::new();
    for (room, person) in query::facts::pairs_of_persons(tx, persons).await? {
        by_room.entry(room).or_default().push(person);
    }
    let names: BTreeMap<PersonId, &UserRow> = users.iter().map(|user| (user.person, user)).collect();
    for (room, persons) in by_room {
        sheet.note(&room);
        let batch = suppose(tx, new, EndReason::Removed, what_if, &[room], &persons).await?;
        for pair in batch.pairs {
            let held = pair
                .membership
                .as_ref()
                .map(|membership| membership.level.clone());
            let (outcome, level) = match decide(&pair.facts) {
                Decision::Start(desired) => (Outcome::Joins, Some(desired.level)),
                Decision::End(_) => (Outcome::Leaves, held),
                _ => continue,
            };
            let user = names.get(&pair.person);
            sheet.add(
                outcome,
                PlannedPerson {
                    person: pair.person,
                    email: user.and_then(|user| user.email.clone()),
                    name: user.and_then(|user| user.display_name.clone()),
                    level,
                },
            );
        }
    }
    Ok(())
}

/// New rules, with the behaviour of sources that they no longer name.
fn keep_frozen(active: &Policy, new: &Policy) -> Policy {
    let mut kept = new.clone();
    for (name, rules) in &active.sources {
        kept.sources.entry(name.clone()).or_insert_with(|| rules.clone());
    }
    kept
}

/// The rules in force with what of the new ones gives and takes no access.
fn only_harmless(active: &Policy, new: &Policy) -> Policy {
    let sources = new.sources.iter().map(|(name, rules)| {
        let kept = match active.sources.get(name) {
            Some(known) => SourcePolicy {
                dormant_after_days: rules.dormant_after_days,
                ..known.clone()
            },
            None => rules.clone(),
        };
        (name.clone(), kept)
    });
    Policy {
        domains: active.domains.clone(),
        levels: active.levels.clone(),
        sources: sources.collect(),
        ..new.clone()
    }
}

/// What may give or take access, in words.
fn gated_changes(active: &Policy, new: &Policy) -> Vec<String> {
    let mut changes = Vec::new();
    if active.domains != new.domains {
        changes.push("domains".to_owned());
    }
    if active.levels != new.levels {
        changes.push("levels".to_owned());
    }
    for (name, rules) in &new.sources {
        let Some(known) = active.sources.get(name) else {
            continue;
        };
        for (changed, word) in [
            (known.guest_marks != rules.guest_marks, "guest_marks"),
            (known.reactivation != rules.reactivation, "reactivation"),
            (
                (known.trusts_external_id, known.only_guids) != (rules.trusts_external_id, rules.only_guids),
                "trusts_external_id",
            ),
        ] {
            if changed {
                changes.push(format!("source.{name}.{word}"));
            }
        }
    }
    changes
}

/// Levels that begin or cease to administer.
fn administrator_flags(active: &Policy, new: &Policy) -> Vec<(String, bool)> {
    let keys: BTreeSet<&str> = active
        .levels
        .iter()
        .chain(new.levels.iter())
        .map(|level| level.key.as_str())
        .collect();
    keys.into_iter()
        .filter(|key| active.levels.is_administrator(key) != new.levels.is_administrator(key))
        .map(|key| (key.to_owned(), new.levels.is_administrator(key)))
        .collect()
}

fn read(text: &str) -> Result<Policy, EngineError> {
    serde_json::from_str(text)
        .map_err(|error| StorageError::Corrupt(format!("the stored rules cannot be read: {error}")).into())
}

fn write(policy: &Policy) -> String {
    serde_json::to_string(policy).expect("rules are plain structs")
}

fn batch() -> u32 {
    u32::try_from(BATCH).expect("a batch is small")
}
