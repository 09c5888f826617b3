//! Groups: names, ends, nesting, assignment.

use usher_core::{DirectoryChange, UnknownScope};
use usher_fakes::Life;

use super::{KEPT, company, company_in_pages_of, excluded};
use crate::company::{direct, nested};
use crate::order::members_once;
use crate::promise::ensure;
use crate::{Outcome, Provider, Reader};

/// Another name is no other group, and its members stay.
pub async fn a_renamed_group_is_the_same_group<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.full().await?.succeeded()?;
    company
        .directory
        .rename_group(&company.board, "Supervisory board");
    // Another group takes over the name that became free.
    let namesake = company.directory.add_group("Board");
    company.directory.add_member(&namesake, &company.people[7]);
    let mut complete = reader.clone();
    complete.full().await?.succeeded()?;
    complete.equals_directory("after a group was renamed, and a complete read")?;
    reader.catch_up().await?;
    reader.equals_directory("after a group was renamed, and a delta")?;
    KEPT
}

/// A group that was deleted is gone or unknown; it is not complete and without members. The others are read as ever.
pub async fn a_deleted_group_is_never_an_empty_group<P: Provider>() -> Outcome {
    for life in [Life::SoftDeleted, Life::Deleted] {
        let (company, provider) = company::<P>().await;
        let mut reader = Reader::new(&provider, &company.directory, company.wanted());
        reader.settle().await?;
        company.directory.delete_group(&company.board, life);
        company.directory.add_member(&company.audit, &company.people[8]);
        let mut complete = reader.clone();
        let delta = reader.next().await?.succeeded()?;
        let full = complete.full().await?.succeeded()?;
        for (read, name) in [(&delta, "a delta"), (&full, "a complete read")] {
            let board = company.board.as_ref();
            let reported = read.changes().any(|change| {
                matches!(change, DirectoryChange::GroupMembersComplete { group, .. } if group.as_str() == board)
            });
            ensure!(
                !reported,
                "group {board} is {life:?}, and {name} reported it as complete"
            );
        }
        let told = full.changes().any(|change| match change {
            DirectoryChange::GroupGone(group)
            | DirectoryChange::Unknown {
                scope: UnknownScope::Group(group),
                ..
            } => group.as_str() == &*company.board,
            _ => false,
        });
        ensure!(
            told,
            "group {} is {life:?}, and a complete read said nothing of it",
            company.board
        );
        reader.equals_directory("after another group was deleted, and a delta")?;
        complete.equals_directory("after another group was deleted, and a complete read")?;
    }
    KEPT
}

/// Members of groups inside a group count where that is wanted, each once, also when the groups form a circle; where it is
/// not wanted they do not. An adapter that cannot tell answers unknown.
pub async fn members_of_groups_inside_groups_count_where_they_are_wanted<P: Provider>() -> Outcome {
    for page_size in [1, 2, 100] {
        let (company, provider) = company_in_pages_of::<P>(page_size).await;
        let directory = &company.directory;
        directory.add_member(&company.board, &company.audit);
        directory.add_member(&company.audit, &company.other);
        directory.add_member(&company.other, &company.board);
        let mut plain = Reader::new(&provider, directory, vec![direct(&company.board)]);
        plain.settle().await?;
        plain.equals_directory("with groups inside the group that do not count")?;
        let mut reader = Reader::new(&provider, directory, vec![nested(&company.board)]);
        if !reader.capabilities().nested_groups {
            let read = reader.full().await?.succeeded()?;
            let unknown = read.changes().any(|change| {
                matches!(change, DirectoryChange::Unknown { scope: UnknownScope::Group(group), .. } if group.as_str() == &*company.board)
            });
            ensure!(
                unknown,
                "the adapter cannot tell who is in groups inside a group, and did not answer unknown"
            );
            return excluded("the adapter does not look into groups inside groups");
        }
        let read = reader.full().await?.succeeded()?;
        members_once(read.changes())?;
        reader.equals_directory("with groups inside the group that count")?;
        directory.add_member(&company.other, &company.people[8]);
        directory.remove_member(&company.audit, &company.people[5]);
        reader.catch_up().await?;
        reader.equals_directory("after people came to and left groups inside the group")?;
    }
    KEPT
}

/// Whether a group is assigned to the application is reported as the provider says it, now and when it changes. An adapter
/// that is not told reports nothing.
pub async fn an_assignment_is_reported_as_it_is<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    let told = |reader: &Reader<'_, P>| {
        [&company.board, &company.audit].map(|id| reader.model().group(id).and_then(|group| group.assigned))
    };
    let knows = reader.capabilities().application_assignments;
    reader.full().await?.succeeded()?;
    if !knows {
        ensure!(
            told(&reader) == [None, None],
            "the adapter does not claim to be told of assignments, and reported {:?}",
            told(&reader)
        );
        return excluded("the provider does not tell which groups are assigned");
    }
    ensure!(
        told(&reader) == [Some(true), Some(false)],
        "the first of two groups is assigned, and they were reported as {:?}",
        told(&reader)
    );
    company.directory.assign(&company.board, false);
    company.directory.assign(&company.audit, true);
    reader.catch_up().await?;
    ensure!(
        told(&reader) == [Some(false), Some(true)],
        "now the second of two groups is assigned, and they were reported as {:?}",
        told(&reader)
    );
    KEPT
}
