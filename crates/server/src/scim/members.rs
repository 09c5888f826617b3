//! Members of a group: what requests say of them, and how answers show them.

use serde_json::Value;
use usher_core::{SourceGroupId, SourceUserId};
use usher_engine::{EngineError, MemberName, MembersChange, Unit};
use usher_scim::schema::GROUP_TYPE;
use usher_scim::{Attributes, MemberDelta, MemberKind, MemberRef, Projection};
use usher_storage::query::group::GroupRow;
use usher_storage::{SourceKey, StorageError, Tx, query};

use super::Failure;

/// Members read at once: an answer with more is sent piece by piece.
pub(super) const CHUNK: u32 = 1000;

/// Members as the engine takes them.
pub(super) fn names(members: &[MemberRef]) -> Vec<MemberName> {
    members
        .iter()
        .map(|member| MemberName {
            value: member.value.clone(),
            kind: member.kind.map(|kind| match kind {
                MemberKind::User => usher_core::MemberKind::User,
                MemberKind::Group => usher_core::MemberKind::Group,
            }),
        })
        .collect()
}

/// Says that these changes follow, and no others.
pub(super) async fn foresee(
    unit: &mut Unit<'_, '_>,
    group: SourceGroupId,
    source: SourceKey,
    deltas: &[MemberDelta],
) -> Result<(), EngineError> {
    if deltas.is_empty() {
        return Ok(());
    }
    let removes = deltas.iter().any(|delta| !matches!(delta, MemberDelta::Add(_)));
    unit.foresee_members(group, source, removes).await
}

/// Applies changes of the members, in order. Only a remove by another attribute than the id reads them.
pub(super) async fn apply(
    unit: &mut Unit<'_, '_>,
    group: GroupRow,
    deltas: &[MemberDelta],
) -> Result<GroupRow, Failure> {
    let mut group = group;
    let mut changes = Vec::with_capacity(deltas.len());
    for delta in deltas {
        match delta {
            MemberDelta::Add(members) => changes.push(MembersChange::Add(names(members))),
            MemberDelta::Remove(ids) => changes.push(MembersChange::Remove(ids.clone())),
            MemberDelta::RemoveAll => changes.push(MembersChange::RemoveAll),
            MemberDelta::ReplaceAll(members) => changes.push(MembersChange::Replace(names(members))),
            MemberDelta::RemoveWhere(filter) => {
                if !changes.is_empty() {
                    group = unit.change_members(&group, std::mem::take(&mut changes)).await?;
                }
                let mut matching = Vec::new();
                walk(unit.tx(), group.id, |member| {
                    if member.matches(filter) {
                        matching.push(member.value);
                    }
                })
                .await?;
                changes.push(MembersChange::Remove(matching));
            }
        }
    }
    if changes.is_empty() {
        return Ok(group);
    }
    Ok(unit.change_members(&group, changes).await?)
}

/// How far a walk over the members of a group is: the known ones in the order of their ids, then those that nobody knows
/// yet in the order of their values.
///
/// Each step may be a read of its own. Whoever is in the group from the first step to the last is met once, whatever
/// changes meanwhile; of those who come or go meanwhile nothing is said. Who was not known and becomes known on the way has
/// two names: such a member is met by either or by both, and missed only if its account is older than those met so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    known: Option<SourceUserId>,
    stage: Stage,
}

#[derive(Debug, Clone, Default)]
enum Stage {
    #[default]
    Known,
    /// After this value.
    Unknown(String),
    /// Those that became known while the unknown ones were read.
    Late,
}

impl Place {
    /// Calls `each` for at most `limit` more members. Answers how many these were, and where it goes on.
    async fn step(
        mut self,
        tx: &mut Tx<'_>,
        group: SourceGroupId,
        limit: u32,
        mut each: impl FnMut(MemberRef) + Send,
    ) -> Result<(u32, Option<Self>), StorageError> {
        let mut left = limit;
        // Else the known ones are read in this very step.
        let are_known_old = matches!(self.stage, Stage::Unknown(_));
        loop {
            let count = match &mut self.stage {
                Stage::Known | Stage::Late => {
                    let page = query::group::members(tx, group, self.known, left).await?;
                    self.known = page.last().map(|member| member.user).or(self.known);
                    let count = page.len();
                    for member in page {
                        each(MemberRef {
                            value: member.user.to_string(),
                            kind: Some(MemberKind::User),
                            display: Some(member.display),
                        });
                    }
                    count
                }
                Stage::Unknown(after) => {
                    let page = query::group::pending(tx, group, after, left).await?;
                    let count = page.len();
                    for (value, kind) in page {
                        after.clone_from(&value);
                        each(MemberRef {
                            value,
                            kind: kind.as_deref().and_then(MemberKind::parse),
                            display: None,
                        });
                    }
                    count
                }
            };
            left = left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            if left == 0 {
                return Ok((limit, Some(self)));
            }
            self.stage = match self.stage {
                Stage::Known => Stage::Unknown(String::new()),
                Stage::Unknown(_) if are_known_old => Stage::Late,
                Stage::Unknown(_) | Stage::Late => return Ok((limit - left, None)),
            };
        }
    }
}

/// Members of a group as elements of a JSON list.
#[derive(Debug, Default)]
pub(super) struct Elements {
    /// With commas between.
    pub(super) bytes: Vec<u8>,
    /// How many were read for it.
    pub(super) count: u32,
    /// Where it goes on.
    pub(super) rest: Option<Place>,
}

/// At most `limit` of the members that come next; nothing where the projection leaves members out.
pub(super) async fn elements(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    place: Place,
    limit: u32,
    base: &str,
    projection: &Projection,
) -> Result<Elements, StorageError> {
    if !projection.wants_members() {
        return Ok(Elements::default());
    }
    let shape = Shape::of(projection);
    let mut bytes = Vec::new();
    let (count, rest) = place
        .step(tx, group, limit, |member| shape.write(&member, base, &mut bytes))
        .await?;
    Ok(Elements { bytes, count, rest })
}

/// All members as JSON values, for a filter that asks for them.
pub(super) async fn values(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    base: &str,
) -> Result<Vec<Value>, StorageError> {
    let mut values = Vec::new();
    walk(tx, group, |member| values.push(member.to_json(base))).await?;
    Ok(values)
}

/// Calls `each` for every member.
async fn walk(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    mut each: impl FnMut(MemberRef) + Send,
) -> Result<(), StorageError> {
    let mut place = Some(Place::default());
    while let Some(from) = place {
        place = from.step(tx, group, CHUNK, &mut each).await?.1;
    }
    Ok(())
}

/// How members are written: whole, or through the projection where it names parts of them.
enum Shape<'a> {
    Whole,
    Projected(&'a Projection),
}

impl<'a> Shape<'a> {
    fn of(projection: &'a Projection) -> Self {
        let paths = match projection {
            Projection::Default => return Self::Whole,
            Projection::Only(paths) | Projection::Except(paths) => paths,
        };
        let names_parts = paths
            .iter()
            .any(|path| path.name.eq_ignore_ascii_case("members") && path.sub.is_some());
        if names_parts {
            Self::Projected(projection)
        } else {
            Self::Whole
        }
    }

    fn write(&self, member: &MemberRef, base: &str, bytes: &mut Vec<u8>) {
        let mut element = member.to_json(base);
        match self {
            // Names are returned on request: what a client did not write must not look like what it wrote.
            Self::Whole => {
                if let Some(parts) = element.as_object_mut() {
                    parts.remove("display");
                }
            }
            Self::Projected(projection) => {
                let mut resource = Attributes::new();
                resource.insert("members".into(), Value::Array(vec![element]));
                projection.apply(&mut resource, &GROUP_TYPE);
                match resource.get_mut("members").and_then(|members| members.get_mut(0)) {
                    Some(part) => element = part.take(),
                    None => return,
                }
            }
        }
        if !bytes.is_empty() {
            bytes.push(b',');
        }
        serde_json::to_writer(&mut *bytes, &element).expect("JSON can be written");
    }
}
