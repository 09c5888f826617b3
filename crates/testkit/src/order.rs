//! The order that the contract asks of the changes of a read.

use std::collections::BTreeSet;

use usher_core::{DirectoryChange, UnknownScope};

use crate::promise::ensure;
use crate::{Broken, Model};

/// What a change is about, where that is a group.
pub(crate) fn group_of(change: &DirectoryChange) -> Option<&str> {
    match change {
        DirectoryChange::GroupUpserted(group) => Some(group.id.as_str()),
        DirectoryChange::GroupGone(group)
        | DirectoryChange::MemberAdded { group, .. }
        | DirectoryChange::MemberRemoved { group, .. }
        | DirectoryChange::GroupMembersComplete { group, .. }
        | DirectoryChange::ApplicationAssignment { group, .. }
        | DirectoryChange::Unknown {
            scope: UnknownScope::Group(group),
            ..
        } => Some(group.as_str()),
        DirectoryChange::UserUpserted(_) | DirectoryChange::UserGone(_) | DirectoryChange::Unknown { .. } => {
            None
        }
    }
}

/// A user is reported, in this read or known from an earlier one, before a change names it as a member.
pub(crate) fn users_first<'c>(
    changes: impl IntoIterator<Item = &'c DirectoryChange>,
    known: &Model,
) -> Result<(), Broken> {
    let mut reported = BTreeSet::new();
    for change in changes {
        match change {
            DirectoryChange::UserUpserted(user) => {
                reported.insert(user.id.as_str());
            }
            DirectoryChange::MemberAdded { group, member } => {
                let id = member.as_str();
                ensure!(
                    reported.contains(id) || known.user(id).is_some(),
                    "user {member} was named as a member of group {group} before it was reported"
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each group that is wanted is reported whole, or as unknown, before the next begins.
pub(crate) fn group_after_group<'c>(
    changes: impl IntoIterator<Item = &'c DirectoryChange>,
    wanted: &[&str],
) -> Result<(), Broken> {
    let mut open: Option<&str> = None;
    let mut ended = BTreeSet::new();
    for change in changes {
        let Some(group) = group_of(change) else { continue };
        match change {
            DirectoryChange::GroupUpserted(_) => {
                ensure!(
                    open.is_none_or(|open| open == group),
                    "group {group} began before group {} had ended",
                    open.unwrap_or_default()
                );
                ensure!(!ended.contains(group), "group {group} was reported twice");
                open = Some(group);
            }
            DirectoryChange::MemberAdded { .. } | DirectoryChange::MemberRemoved { .. } => {
                ensure!(
                    open == Some(group),
                    "a member of group {group} was reported outside of the group"
                );
            }
            DirectoryChange::GroupMembersComplete { .. } => {
                ensure!(
                    open == Some(group),
                    "group {group} was reported as complete and had not begun"
                );
                open = None;
                ended.insert(group);
            }
            DirectoryChange::Unknown { .. } | DirectoryChange::GroupGone(_) => {
                open = open.filter(|open| *open != group);
                ended.insert(group);
            }
            _ => {}
        }
    }
    ensure!(open.is_none(), "group {open:?} was begun and not ended");
    for group in wanted {
        ensure!(ended.contains(group), "group {group} was not reported at all");
    }
    Ok(())
}

/// No member of a group is reported twice.
pub(crate) fn members_once<'c>(changes: impl IntoIterator<Item = &'c DirectoryChange>) -> Result<(), Broken> {
    let mut reported = BTreeSet::new();
    for change in changes {
        if let DirectoryChange::MemberAdded { group, member } = change {
            ensure!(
                reported.insert((group.as_str(), member.as_str())),
                "user {member} was reported twice as a member of group {group}"
            );
        }
    }
    Ok(())
}
