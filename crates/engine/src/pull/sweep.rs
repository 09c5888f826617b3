//! The end of a complete read of a group: who was not seen is judged.
//!
//! | row | seen | not seen |
//! | --- | --- | --- |
//! | of a source that is only read | it is so | ends; without a count that confirms the read, only at the second read |
//! | in effect, beside a push | it is so | doubted; loses its effect at the second read |
//! | without effect, beside a push | doubted; comes back at a second read that began a settle time later | no doubt is left |
//! | removed by a push, no row | becomes a row without effect, doubted | stays so |
//!
//! That a push removed somebody is forgotten when a read does not see them that began a settle time after the removal: until
//! then, one read may have it from an index that is later than the one of the read before.
//!
//! A push that deletes a user or a group removes members, too: a late read that sees them again only begins to bring them
//! back. A read judges only what was written before it began. A read that includes groups inside the group brings nobody
//! back whom a push removed from it: the push speaks of direct members alone.

use std::sync::Arc;

use serde_json::json;
use usher_core::SourceUserId;
use usher_storage::query;
use usher_storage::query::group::GroupRow;
use usher_storage::query::pulled::{JudgedRow, RemovedRow};

use super::Reading;
use crate::engine::Engine;
use crate::unit::{About, Cause, Unit};
use crate::{EngineError, EventKind};

/// Rows that are read together.
const ROWS: u32 = 5_000;
/// Rows of one verdict that one unit applies.
const VERDICTS: usize = 1_000;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Swept {
    pub(super) removed: u64,
    pub(super) reinstated: u64,
    pub(super) doubted: u64,
    /// Whether a further complete read has something to decide.
    pub(super) again: bool,
}

/// What happens to rows.
#[derive(Debug, Clone, Default)]
struct Verdicts {
    remove: Vec<SourceUserId>,
    refute: Vec<SourceUserId>,
    doubt: Vec<SourceUserId>,
    reinstate: Vec<SourceUserId>,
    unsee: Vec<SourceUserId>,
    see_removed: Vec<SourceUserId>,
    forget_removed: Vec<SourceUserId>,
}

impl Verdicts {
    fn is_full(&self) -> bool {
        self.lists().iter().any(|list| list.len() >= VERDICTS)
    }

    fn is_empty(&self) -> bool {
        self.lists().iter().all(|list| list.is_empty())
    }

    fn lists(&self) -> [&Vec<SourceUserId>; 7] {
        [
            &self.remove,
            &self.refute,
            &self.doubt,
            &self.reinstate,
            &self.unsee,
            &self.see_removed,
            &self.forget_removed,
        ]
    }
}

/// Judges the members of a group after a complete read. `seen` is sorted.
pub(super) async fn sweep(
    engine: &Engine,
    cause: &Cause,
    reading: &Arc<Reading>,
    group: &GroupRow,
    seen: &[SourceUserId],
    confirmed: bool,
) -> Result<Swept, EngineError> {
    let (id, begun) = ((group.id, group.created), reading.plan.begun);
    let nested = group
        .remote_id
        .as_deref()
        .is_some_and(|id| reading.plan.nested.iter().any(|nested| nested.as_str() == id));
    let mut swept = Swept::default();
    let mut verdicts = Verdicts::default();
    let mut after = None;
    loop {
        let rows: Vec<JudgedRow> = engine
            .read(move |tx| {
                Box::pin(async move {
                    Ok::<_, EngineError>(query::pulled::rows(tx, id, begun, after, ROWS).await?)
                })
            })
            .await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.user);
        for row in rows {
            let is_seen = seen.binary_search(&row.user).is_ok();
            if reading.beside_push {
                judge_beside_push(reading, nested, row, is_seen, &mut verdicts, &mut swept);
            } else if !is_seen {
                judge_absent(reading, confirmed, row, &mut verdicts, &mut swept);
            }
            if verdicts.is_full() {
                apply(
                    engine,
                    cause,
                    reading,
                    group,
                    std::mem::take(&mut verdicts),
                    &mut swept,
                )
                .await?;
            }
        }
    }
    if reading.beside_push {
        let removed: Vec<RemovedRow> = engine
            .read(move |tx| {
                Box::pin(
                    async move { Ok::<_, EngineError>(query::pulled::removed_before(tx, id, begun).await?) },
                )
            })
            .await?;
        for row in removed {
            if seen.binary_search(&row.user).is_ok() {
                if row.returned || !nested {
                    verdicts.see_removed.push(row.user);
                    swept.again = true;
                }
            } else if row.at < reading.settled() {
                verdicts.forget_removed.push(row.user);
            }
        }
    }
    if !verdicts.is_empty() {
        apply(engine, cause, reading, group, verdicts, &mut swept).await?;
    }
    Ok(swept)
}

fn judge_absent(
    reading: &Reading,
    confirmed: bool,
    row: JudgedRow,
    verdicts: &mut Verdicts,
    swept: &mut Swept,
) {
    if confirmed || row.doubt.is_some_and(|first| first < reading.plan.begun) {
        verdicts.remove.push(row.user);
    } else if row.doubts == 0 {
        verdicts.doubt.push(row.user);
        swept.again = true;
    }
}

fn judge_beside_push(
    reading: &Reading,
    nested: bool,
    row: JudgedRow,
    is_seen: bool,
    verdicts: &mut Verdicts,
    swept: &mut Swept,
) {
    let begun = reading.plan.begun;
    match (row.dormant, is_seen) {
        (false, true) => {}
        (true, true) if nested && !row.returned => {}
        (true, true) => match row.doubt {
            None => {
                verdicts.doubt.push(row.user);
                swept.again = true;
            }
            Some(first) if first.plus(reading.plan.settle) <= begun => verdicts.reinstate.push(row.user),
            Some(_) => swept.again = true,
        },
        (false, false) => match row.doubt {
            None => {
                verdicts.doubt.push(row.user);
                swept.again = true;
            }
            Some(first) if first < begun && row.sides == 2 => verdicts.remove.push(row.user),
            Some(first) if first < begun => verdicts.refute.push(row.user),
            Some(_) => {}
        },
        (true, false) if row.sides == 3 || row.doubts > 0 => verdicts.unsee.push(row.user),
        (true, false) if row.sides == 2 && row.named < reading.settled() => verdicts.unsee.push(row.user),
        (true, false) => {}
    }
}

async fn apply(
    engine: &Engine,
    cause: &Cause,
    reading: &Arc<Reading>,
    group: &GroupRow,
    verdicts: Verdicts,
    swept: &mut Swept,
) -> Result<(), EngineError> {
    let (verdicts, reading, id) = (Arc::new(verdicts), Arc::clone(reading), group.id);
    let (removed, reinstated, doubted) = Arc::clone(&reading)
        .write(engine, cause, move |unit| {
            let (verdicts, reading) = (Arc::clone(&verdicts), Arc::clone(&reading));
            Box::pin(async move {
                reading.plan.lease.check(unit.tx).await?;
                let Some(group) = query::group::by_id(unit.tx, reading.source, id).await? else {
                    return Ok::<_, EngineError>((0, 0, 0));
                };
                unit.apply_verdicts(&reading, &group, &verdicts).await
            })
        })
        .await?;
    swept.removed += removed;
    swept.reinstated += reinstated;
    swept.doubted += doubted;
    Ok(())
}

impl Unit<'_, '_> {
    async fn apply_verdicts(
        &mut self,
        reading: &Reading,
        group: &GroupRow,
        verdicts: &Verdicts,
    ) -> Result<(u64, u64, u64), EngineError> {
        let begun = reading.plan.begun;
        let mut removed = Vec::new();
        let mut reinstated = Vec::new();
        if !verdicts.remove.is_empty() {
            removed = query::pulled::remove_absent(self.tx, group.id, &verdicts.remove, begun).await?;
        }
        let mut refuted = Vec::new();
        if !verdicts.refute.is_empty() {
            refuted = query::pulled::refute(self.tx, group.id, &verdicts.refute, begun).await?;
        }
        if !verdicts.doubt.is_empty() {
            query::pulled::doubt(self.tx, group.id, &verdicts.doubt, begun).await?;
        }
        if !verdicts.reinstate.is_empty() {
            reinstated = query::pulled::reinstate(self.tx, group.id, &verdicts.reinstate).await?;
        }
        if !verdicts.unsee.is_empty() {
            query::pulled::unsee(self.tx, group.id, &verdicts.unsee, reading.settled()).await?;
        }
        if !verdicts.see_removed.is_empty() {
            query::pulled::see_removed(self.tx, group.id, &verdicts.see_removed, begun).await?;
        }
        if !verdicts.forget_removed.is_empty() {
            query::pulled::forget_removed(self.tx, group.id, &verdicts.forget_removed).await?;
        }
        let counts = (
            count(&removed) + count(&refuted),
            count(&reinstated),
            count(&verdicts.doubt) + count(&verdicts.see_removed),
        );
        self.tell_differences(group, &refuted, &reinstated);
        reinstated.extend(refuted);
        self.note_pulled_members(group, Vec::new(), reinstated, removed)
            .await?;
        Ok(counts)
    }
}

impl Unit<'_, '_> {
    fn tell_differences(&mut self, group: &GroupRow, refuted: &[SourceUserId], reinstated: &[SourceUserId]) {
        let about = About {
            source: Some(group.source),
            ..About::default()
        };
        for (kind, users) in [
            (EventKind::MembersRefuted, refuted),
            (EventKind::MembersReinstated, reinstated),
        ] {
            for users in users.chunks(VERDICTS) {
                self.tell(kind, about, &json!({ "group": group.id, "users": users }));
            }
        }
    }
}

fn count(users: &[SourceUserId]) -> u64 {
    u64::try_from(users.len()).unwrap_or(u64::MAX)
}
