//! Members of a group: what requests say of them, and how answers show them.

use serde_json::Value;
use usher_core::SourceGroupId;
use usher_engine::{MemberName, MembersChange, Unit};
use usher_scim::schema::GROUP_TYPE;
use usher_scim::{Attributes, MemberDelta, MemberKind, MemberRef, Projection};
use usher_storage::query::group::GroupRow;
use usher_storage::{Tx, query};

use super::Failure;

/// Rows read at once.
const CHUNK: u32 = 1000;

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

/// The members of a group as the elements of a JSON list, with commas between; nothing where the projection leaves
/// them out.
pub(super) async fn elements(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    base: &str,
    projection: &Projection,
) -> Result<Vec<u8>, Failure> {
    if !projection.wants_members() {
        return Ok(Vec::new());
    }
    let shape = Shape::of(projection);
    let mut bytes = Vec::new();
    walk(tx, group, |member| shape.write(&member, base, &mut bytes)).await?;
    Ok(bytes)
}

/// All members as JSON values, for a filter that asks for them.
pub(super) async fn values(tx: &mut Tx<'_>, group: SourceGroupId, base: &str) -> Result<Vec<Value>, Failure> {
    let mut values = Vec::new();
    walk(tx, group, |member| values.push(member.to_json(base))).await?;
    Ok(values)
}

/// Calls `each` for every member, known ones in the order of their ids, then those that nobody knows yet.
async fn walk(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    mut each: impl FnMut(MemberRef) + Send,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let page = query::group::members(tx, group, after, CHUNK).await?;
        after = page.last().map(|member| member.user);
        let is_last = page.len() < CHUNK as usize;
        for member in page {
            each(MemberRef {
                value: member.user.to_string(),
                kind: Some(MemberKind::User),
                display: Some(member.display),
            });
        }
        if is_last {
            break;
        }
    }
    for (value, kind) in query::group::pending(tx, group).await? {
        let kind = kind.as_deref().and_then(MemberKind::parse);
        each(MemberRef {
            value,
            kind,
            display: None,
        });
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
