//! Which groups are assigned to the enterprise application.
//!
//! <https://learn.microsoft.com/graph/api/serviceprincipal-list-approleassignedto>

use std::collections::HashSet;

use usher_core::{AdapterError, ChangeSink, DirectoryChange, RemoteGroupId, UnknownScope};

use crate::adapter::Pull;
use crate::client::{Consistency, Found, literal};
use crate::pages::Trail;
use crate::wire::{Assignment, Page};

const OPERATION: &str = "list_assignments";

/// The most assignments asked for on one page.
const PAGE: &str = "999";

/// Which of some groups are assigned.
#[derive(Debug)]
pub(crate) enum Assigned {
    /// Those seen in the list, in lower case, and whether the others are surely not in it.
    Seen {
        groups: HashSet<String>,
        surely_all: bool,
    },
    /// The list could not be read.
    Unknown(String),
}

impl Pull {
    /// Says of each group whether it is assigned. A group that was not seen is reported as not assigned only where a count
    /// or a second look agrees.
    pub(crate) async fn report_assignments(
        &self,
        groups: &[RemoteGroupId],
        sink: &mut dyn ChangeSink,
    ) -> Result<(), AdapterError> {
        if self.application.is_none() || groups.is_empty() {
            return Ok(());
        }
        let changes = match self.assigned(groups).await? {
            Assigned::Unknown(reason) => vec![DirectoryChange::Unknown {
                scope: UnknownScope::Rest,
                reason: format!("cannot tell which groups are assigned to the application: {reason}"),
            }],
            Assigned::Seen {
                groups: seen,
                surely_all,
            } => groups
                .iter()
                .map(|group| (group, seen.contains(&group.as_str().to_ascii_lowercase())))
                .filter(|(_, assigned)| *assigned || surely_all)
                .map(|(group, assigned)| DirectoryChange::ApplicationAssignment {
                    group: group.clone(),
                    assigned,
                })
                .collect(),
        };
        sink.take(changes).await
    }

    /// Which of these groups are assigned.
    pub(crate) async fn assigned(&self, groups: &[RemoteGroupId]) -> Result<Assigned, AdapterError> {
        let wanted: HashSet<String> = groups
            .iter()
            .map(|group| group.as_str().to_ascii_lowercase())
            .collect();
        let (mut seen, count, rows) = match self.list_assignments(&wanted).await? {
            Ok(listed) => listed,
            Err(reason) => return Ok(Assigned::Unknown(reason)),
        };
        let surely_all = match count {
            _ if seen.len() == wanted.len() => true,
            Some(count) => count == rows,
            None => {
                let before = seen.len();
                match self.list_assignments(&wanted).await? {
                    Ok((again, _, rows_again)) => {
                        seen.extend(again);
                        seen.len() == before && rows == rows_again
                    }
                    Err(_) => false,
                }
            }
        };
        Ok(Assigned::Seen {
            groups: seen,
            surely_all,
        })
    }

    /// Walks over all assignments: which of the groups are there, what Graph counts, and how many there were.
    async fn list_assignments(
        &self,
        wanted: &HashSet<String>,
    ) -> Result<Result<(HashSet<String>, Option<u64>, u64), String>, AdapterError> {
        let application = self.application.as_deref().unwrap_or_default();
        let principal = format!("servicePrincipals(appId={})", literal(application));
        let path = [principal.as_str(), "appRoleAssignedTo"];
        let counted = self.graph.url(&path, &[("$top", PAGE), ("$count", "true")]);
        let mut consistency = Consistency::Eventual;
        let mut found = self
            .graph
            .get::<Page<Assignment>>(OPERATION, &counted, consistency)
            .await?;
        if matches!(&found, Found::No(refusal) if refusal.status == 400) {
            consistency = Consistency::Strong;
            let plain = self.graph.url(&path, &[("$top", PAGE)]);
            found = self.graph.get(OPERATION, &plain, consistency).await?;
        }
        let mut page = match found {
            Found::Yes(page) => page,
            Found::No(refusal) => return Ok(Err(refusal.reason("Application.Read.All"))),
        };
        let count = page.count;
        let (mut seen, mut rows, mut trail) = (HashSet::new(), 0, Trail::default());
        loop {
            rows += page.value.len() as u64;
            let news = !page.value.is_empty();
            let principals = page.value.into_iter().filter_map(|row| row.principal_id);
            seen.extend(
                principals
                    .map(|id| id.to_ascii_lowercase())
                    .filter(|id| wanted.contains(id)),
            );
            let Some(link) = page.next_link else {
                return Ok(Ok((seen, count, rows)));
            };
            trail.step(OPERATION, &link, news)?;
            page = match self.graph.follow(OPERATION, &link, consistency).await? {
                Found::Yes(page) => page,
                Found::No(refusal) => return Ok(Err(refusal.reason("Application.Read.All"))),
            };
        }
    }
}
