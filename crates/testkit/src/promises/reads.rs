//! The order of changes, and each of them once.

use usher_core::{DirectoryChange, ErrorKind, ReadRequest, ReadScope};

use super::description::only_asked;
use super::{KEPT, company, company_in_pages_of, description, excluded};
use crate::company::{direct, truth};
use crate::order::{group_after_group, members_once, users_first};
use crate::promise::ensure;
use crate::reader::read_once;
use crate::{Model, Outcome, Provider, Reader};

/// Page sizes that a company of nine is cut by in different places.
const PAGES: [usize; 4] = [1, 2, 3, 100];

/// A user is reported before the first change that names it as a member; in a delta it may be known from before.
pub async fn a_user_is_reported_before_it_is_named_as_a_member<P: Provider>() -> Outcome {
    for page_size in PAGES {
        let (company, provider) = company_in_pages_of::<P>(page_size).await;
        let mut reader = Reader::new(&provider, &company.directory, company.wanted());
        let read = reader.full().await?.succeeded()?;
        users_first(read.changes(), &Model::default())?;
        company.change();
        let known = reader.model().clone();
        let read = reader.next().await?.succeeded()?;
        users_first(read.changes(), &known)?;
    }
    KEPT
}

/// Without a checkpoint each group is reported with its members and its completeness, or as unknown, before the next
/// begins.
pub async fn without_a_checkpoint_each_group_is_whole_before_the_next_begins<P: Provider>() -> Outcome {
    for page_size in PAGES {
        let (company, provider) = company_in_pages_of::<P>(page_size).await;
        let mut reader = Reader::new(&provider, &company.directory, company.wanted());
        let read = reader.full().await?.succeeded()?;
        let wanted = [&*company.board, &*company.audit, &*company.empty];
        group_after_group(read.changes(), &wanted)?;
        for group in wanted {
            let complete = read.changes().any(|change| {
                matches!(change, DirectoryChange::GroupMembersComplete { group: id, .. } if id.as_str() == group)
            });
            ensure!(complete, "nothing was wrong, and group {group} was not complete");
        }
        reader.equals_directory("after a complete read")?;
    }
    KEPT
}

/// Each member of a group is reported once, at every page size of the provider.
pub async fn each_member_is_reported_once_whatever_the_page_size<P: Provider>() -> Outcome {
    for page_size in PAGES {
        let (company, provider) = company_in_pages_of::<P>(page_size).await;
        let mut reader = Reader::new(&provider, &company.directory, company.wanted());
        let read = reader.full().await?.succeeded()?;
        members_once(read.changes())?;
        reader.equals_directory("after a complete read")?;
    }
    KEPT
}

/// A group is reported as complete after its last member, at every page size of the provider.
pub async fn completeness_is_reported_after_all_members<P: Provider>() -> Outcome {
    for page_size in PAGES {
        let (company, provider) = company_in_pages_of::<P>(page_size).await;
        let reader = Reader::new(&provider, &company.directory, company.wanted());
        let request = ReadRequest::of_groups(company.wanted());
        let read = read_once(&provider, request, None).await?.succeeded()?;
        let mut model = Model::default();
        for change in read.changes() {
            if let DirectoryChange::GroupMembersComplete { group, .. } = change {
                let there = truth(
                    &company.directory,
                    &direct(group.as_str()),
                    reader.capabilities().disabled_users,
                );
                let told = model.members(group.as_str());
                ensure!(
                    there.as_ref() == Some(&told),
                    "group {group} was reported as complete with {told:?} and has {there:?}"
                );
            }
            model.apply(change);
        }
    }
    KEPT
}

/// Reading and listing only ask.
pub async fn a_read_changes_nothing_at_the_provider<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let before = company.directory.sequence();
    let mut reader = Reader::new(&provider, &company.directory, company.wanted());
    reader.full().await?.succeeded()?;
    reader.catch_up().await?;
    only_asked(&provider)?;
    ensure!(
        company.directory.sequence() == before,
        "the directory was changed"
    );
    KEPT
}

/// A read of all groups reports every group that is there, each whole.
pub async fn all_groups_are_read_when_none_is_named<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let request = ReadRequest {
        scope: ReadScope::AllGroups,
        checkpoint: None,
    };
    let read = read_once(&provider, request, None).await?.succeeded()?;
    let groups = [&company.board, &company.audit, &company.empty, &company.other].map(|id| &**id);
    group_after_group(read.changes(), &groups)?;
    let mut model = Model::default();
    read.changes().for_each(|change| model.apply(change));
    let tells_disabled = description(&provider).capabilities.disabled_users;
    for group in groups {
        let there = truth(&company.directory, &direct(group), tells_disabled);
        let told = model.members(group);
        ensure!(
            there.as_ref() == Some(&told),
            "group {group} has {there:?} and was read as {told:?}"
        );
    }
    KEPT
}

/// More groups than the capabilities allow in one read are refused, and nothing is reported.
pub async fn more_groups_than_a_read_may_name_are_refused<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let Some(most) = description(&provider).capabilities.max_groups_per_read else {
        return excluded("the adapter takes any number of groups");
    };
    let groups = (0..=most).map(|number| direct(&company.directory.add_group(&format!("Group {number}"))));
    let read = read_once(&provider, ReadRequest::of_groups(groups.collect()), None).await?;
    let kind = read.result.as_ref().err().map(usher_core::AdapterError::kind);
    ensure!(
        kind == Some(ErrorKind::Unsupported) && read.changes().next().is_none(),
        "{} groups were asked for, at most {most} may be, and the read ended as {:?}",
        most + 1,
        read.result
    );
    KEPT
}
