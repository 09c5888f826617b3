//! Groups of any size stream through.

use usher_core::{DirectoryChange, ReadRequest};
use usher_fakes::Directory;

use super::KEPT;
use crate::company::direct;
use crate::promise::ensure;
use crate::reader::read_once;
use crate::{Outcome, Provider, Shape};

const PAGE: usize = 5;
const MEMBERS: usize = 60;

/// What was read is handed to the sink page by page, each before the next but one is asked for. The provider's page is
/// the measure, or the group where the provider answers all of its members at once.
pub async fn no_more_than_one_page_is_held<P: Provider>() -> Outcome {
    let directory = Directory::new(P::IDS);
    let group = directory.add_group("Board");
    for number in 0..MEMBERS {
        let user = directory.add_user(&format!("user{number}@contoso.example"));
        directory.add_member(&group, &user);
    }
    let provider = P::start(directory, Shape::pages_of(PAGE)).await;
    let request = ReadRequest::of_groups(vec![direct(&group)]);
    let read = read_once(&provider, request, None).await?.succeeded()?;
    let held = if P::PAGED_MEMBERS { PAGE } else { MEMBERS };
    let (mut members, mut asked) = (0, None);
    for page in &read.pages {
        let added = page
            .changes
            .iter()
            .filter(|change| matches!(change, DirectoryChange::MemberAdded { .. }))
            .count();
        ensure!(
            added <= held,
            "the provider's page holds {held} members, and {added} were handed on at once"
        );
        // A user and a membership for each member, and what is said of the group itself.
        let most = 2 * held + 4;
        ensure!(
            page.changes.len() <= most,
            "the provider's page holds {held} members, and {} changes were handed on at once",
            page.changes.len()
        );
        members += added;
        if P::PAGED_MEMBERS && added > 0 {
            // For each page its request and, at most, one for each of its members.
            let since = page.requests - asked.unwrap_or(page.requests);
            ensure!(
                since as usize <= PAGE + 2,
                "{since} requests were made before a page of {added} members was handed on"
            );
            ensure!(
                asked.is_some() || page.requests as usize <= PAGE + 8,
                "{} requests were made before the first members were handed on",
                page.requests
            );
            asked = Some(page.requests);
        }
    }
    ensure!(members == MEMBERS, "{members} of {MEMBERS} members were reported");
    KEPT
}
