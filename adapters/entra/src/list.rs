//! Groups for the order form and for mappings.

use std::collections::HashSet;

use usher_core::{AdapterError, GroupQuery, GroupSummary, RemoteGroupId};

use crate::adapter::Pull;
use crate::assignment::Assigned;
use crate::client::{Consistency, Found, guid, literal};
use crate::pages::Trail;
use crate::presence::GroupPresence;
use crate::record;
use crate::wire::{GROUP_SELECT, Group, Identified, Page};

const OPERATION: &str = "list_groups";

/// The most groups on a page.
const LARGEST_PAGE: usize = 999;

/// Who counts as a guest where only Graph's index is asked. `#EXT#` in a name cannot be searched for.
const GUESTS: &str = "userType eq 'Guest' or externalUserState in ('PendingAcceptance','Accepted')";

impl Pull {
    /// Lists groups by the beginning of their name, or one by its id with its counts.
    pub(crate) async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        if query.limit == 0 {
            return Ok(Vec::new());
        }
        let mut groups = match &query.id {
            Some(id) => self.one_group(id, query.name_prefix.as_deref()).await?,
            None => self.some_groups(&query).await?,
        };
        self.note_assignments(&mut groups).await?;
        Ok(groups)
    }

    async fn one_group(
        &self,
        id: &RemoteGroupId,
        prefix: Option<&str>,
    ) -> Result<Vec<GroupSummary>, AdapterError> {
        let group = match self.group(id.as_str()).await? {
            GroupPresence::There(group) => group,
            GroupPresence::Deleted | GroupPresence::NotFound => return Ok(Vec::new()),
            GroupPresence::Unknown(_) if guid(id.as_str()).is_none() => return Ok(Vec::new()),
            GroupPresence::Unknown(reason) => {
                let (kind, advice) = (usher_core::ErrorKind::Forbidden, usher_core::RetryAdvice::Never);
                return Err(AdapterError::new(kind, advice, OPERATION, reason).with("group", id.as_str()));
            }
        };
        let mut summary = summary(&group)?;
        let begins = |prefix: &str| {
            summary
                .display_name
                .to_lowercase()
                .starts_with(&prefix.to_lowercase())
        };
        if !prefix.is_none_or(begins) {
            return Ok(Vec::new());
        }
        let id = id.as_str();
        let users = ["groups", id, "members", "microsoft.graph.user", "$count"];
        let inner = ["groups", id, "members", "microsoft.graph.group", "$count"];
        summary.members = self.graph.count(OPERATION, &users, &[]).await?;
        summary.nested_groups = self.graph.count(OPERATION, &inner, &[]).await?;
        summary.guests = self.guests(id).await?;
        Ok(vec![summary])
    }

    async fn guests(&self, id: &str) -> Result<Option<u64>, AdapterError> {
        let path = ["groups", id, "members", "microsoft.graph.user"];
        let query = [
            ("$filter", GUESTS),
            ("$count", "true"),
            ("$select", "id"),
            ("$top", "1"),
        ];
        let url = self.graph.url(&path, &query);
        let found = self
            .graph
            .get::<Page<Identified>>(OPERATION, &url, Consistency::Eventual)
            .await?;
        Ok(match found {
            Found::Yes(page) => page.count,
            Found::No(_) => None,
        })
    }

    async fn some_groups(&self, query: &GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        let top = query.limit.min(LARGEST_PAGE).to_string();
        let filter = query
            .name_prefix
            .as_ref()
            .filter(|prefix| !prefix.is_empty())
            .map(|prefix| format!("startswith(displayName,{})", literal(prefix)));
        let mut fields = vec![("$select", GROUP_SELECT), ("$top", top.as_str())];
        if let Some(filter) = &filter {
            fields.push(("$filter", filter));
        }
        let url = self.graph.url(&["groups"], &fields);
        let mut found = self
            .graph
            .get::<Page<Group>>(OPERATION, &url, Consistency::Strong)
            .await?;
        let (mut seen, mut trail, mut groups) = (HashSet::new(), Trail::default(), Vec::new());
        loop {
            let page = match found {
                Found::Yes(page) => page,
                Found::No(refusal) => return Err(refusal.error.with("grant", "GroupMember.Read.All")),
            };
            let before = groups.len();
            for group in &page.value {
                if groups.len() < query.limit && seen.insert(group.id.clone()) {
                    groups.push(summary(group)?);
                }
            }
            let Some(link) = page.next_link.filter(|_| groups.len() < query.limit) else {
                return Ok(groups);
            };
            trail.step(OPERATION, &link, groups.len() > before)?;
            found = self.graph.follow(OPERATION, &link, Consistency::Strong).await?;
        }
    }

    /// Says which of the groups are assigned; nothing where that cannot be told.
    async fn note_assignments(&self, groups: &mut [GroupSummary]) -> Result<(), AdapterError> {
        if self.application.is_none() || groups.is_empty() {
            return Ok(());
        }
        let ids: Vec<RemoteGroupId> = groups.iter().map(|group| group.id.clone()).collect();
        if let Assigned::Seen {
            groups: seen,
            surely_all,
        } = self.assigned(&ids).await?
        {
            for group in groups {
                let assigned = seen.contains(&group.id.as_str().to_ascii_lowercase());
                group.assigned = (assigned || surely_all).then_some(assigned);
            }
        }
        Ok(())
    }
}

fn summary(group: &Group) -> Result<GroupSummary, AdapterError> {
    Ok(GroupSummary {
        id: record::group_id(&group.id)?,
        display_name: group.display_name.clone().unwrap_or_default(),
        kind: group.kind(),
        members: None,
        guests: None,
        nested_groups: None,
        assigned: None,
    })
}
