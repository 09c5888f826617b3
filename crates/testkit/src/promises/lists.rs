//! Lists of groups.

use std::collections::BTreeSet;

use usher_core::{GroupQuery, GroupSummary};

use super::{KEPT, company, company_in_pages_of};
use crate::company::group_id;
use crate::promise::ensure;
use crate::{Broken, Outcome, Provider};

/// Each group is in the list once, at every page size of the provider.
pub async fn each_group_is_listed_once_whatever_the_page_size<P: Provider>() -> Outcome {
    for page_size in [1, 2, 3, 100] {
        let (company, provider) = company_in_pages_of::<P>(page_size).await;
        // Of the same name as another: names are not unique.
        let namesake = company.directory.add_group("Board");
        let groups = list(
            &provider,
            GroupQuery {
                limit: 1000,
                ..GroupQuery::default()
            },
        )
        .await?;
        let ids: Vec<_> = groups.iter().map(|group| group.id.as_str()).collect();
        let unique: BTreeSet<_> = ids.iter().copied().collect();
        ensure!(
            unique.len() == ids.len(),
            "with pages of {page_size} a group is listed twice: {ids:?}"
        );
        for id in [
            &company.board,
            &company.audit,
            &company.empty,
            &company.other,
            &namesake,
        ] {
            let name = company.directory.group(id).map(|group| group.name);
            let listed = groups.iter().find(|group| group.id.as_str() == &**id);
            ensure!(
                listed.map(|group| &group.display_name) == name.as_ref(),
                "with pages of {page_size} group {name:?} is listed as {listed:?}"
            );
        }
    }
    KEPT
}

/// No more groups are listed than were asked for, though there are more, and as many as were asked for.
pub async fn at_most_the_limit_of_groups_is_listed<P: Provider>() -> Outcome {
    let (_company, provider) = company::<P>().await;
    for limit in [1, 2, 3] {
        let groups = list(
            &provider,
            GroupQuery {
                limit,
                ..GroupQuery::default()
            },
        )
        .await?;
        ensure!(
            groups.len() == limit,
            "{limit} groups were asked for, there are more, and {} were listed",
            groups.len()
        );
    }
    KEPT
}

/// A prefix leaves the groups whose name begins so, in any case of letters.
pub async fn only_groups_whose_name_begins_so_are_listed<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let longer = company.directory.add_group("Board of trustees");
    company.directory.add_group("Advisory Board");
    // Quotes are part of a name, and of no filter.
    let quoted = company.directory.add_group("\"O'Neill\" \\ friends");
    for (prefix, expected) in [
        ("Board", vec![&company.board, &longer]),
        ("\"O'Neill\" \\", vec![&quoted]),
        ("Nobody knows this", vec![]),
    ] {
        let query = GroupQuery {
            name_prefix: Some(prefix.into()),
            limit: 100,
            ..GroupQuery::default()
        };
        let listed: BTreeSet<_> = list(&provider, query)
            .await?
            .into_iter()
            .map(|group| group.id.as_str().to_owned())
            .collect();
        let expected: BTreeSet<_> = expected.into_iter().map(|id| id.to_string()).collect();
        ensure!(
            listed == expected,
            "the prefix {prefix} lists {listed:?} and not {expected:?}"
        );
    }
    KEPT
}

/// A list of a group that is not there is empty; of one that is there, it is that group.
pub async fn an_unknown_id_lists_no_group<P: Provider>() -> Outcome {
    let (company, provider) = company::<P>().await;
    let elsewhere = usher_fakes::Directory::new(P::IDS);
    for name in 0..50 {
        elsewhere.add_user(&format!("user{name}@contoso.example"));
    }
    let unknown = elsewhere.add_group("Not in this directory");
    for (id, expected) in [(&company.audit, 1), (&unknown, 0)] {
        let query = GroupQuery {
            id: Some(group_id(id)),
            limit: 10,
            ..GroupQuery::default()
        };
        let groups = list(&provider, query).await?;
        let right = groups.len() == expected && groups.iter().all(|group| group.id.as_str() == &**id);
        ensure!(right, "the list of the id {id} is {groups:?}");
    }
    KEPT
}

async fn list<P: Provider>(provider: &P, query: GroupQuery) -> Result<Vec<GroupSummary>, Broken> {
    let adapter = provider.adapter();
    let listed = adapter.list_groups(query).await;
    listed.map_err(|error| Broken::failed("list_groups", &error))
}
