//! Which groups are assigned to the application.

use std::collections::BTreeSet;

use usher_core::{AdapterError, WantedGroup};

use super::Reading;
use crate::client::{Page, is_missing, reason};
use crate::wire::Assignment;

const NEEDS: &str = "okta.apps.read";

/// The largest page of this list.
const LIMIT: &str = "200";

impl Reading<'_> {
    /// Finds out which of the groups are assigned, where an application is set. A group that the application's list does
    /// not hold is asked about by itself, so that a page that got lost takes nobody's access.
    pub(super) async fn find_assignments(&mut self, wanted: &[WantedGroup]) -> Result<(), AdapterError> {
        let Some(app) = self.settings.application_id.clone() else {
            return Ok(());
        };
        let mut open: BTreeSet<&str> = wanted.iter().map(|group| group.id.as_str()).collect();
        let url = self.okta.api(&["apps", &app, "groups"], &[("limit", LIMIT)]);
        let mut pages = self.okta.pages("list_assignments", url);
        while !open.is_empty() {
            match pages.next::<Assignment>().await? {
                Page::Items(items) => {
                    for item in items {
                        if open.remove(item.id.as_str()) {
                            self.assigned.insert(item.id, true);
                        }
                    }
                }
                Page::End => break,
                Page::Refused(answer) if answer.status().is_server_error() => {
                    return Err(answer.refused("list_assignments"));
                }
                Page::Refused(answer) => {
                    let what = reason(&answer, "list_assignments", NEEDS);
                    return self.assignments_unknown(what).await;
                }
                Page::Odd(_) => break,
            }
        }
        for id in open {
            let url = self.okta.api(&["apps", &app, "groups", id], &[]);
            let answer = self.okta.get("get_assignment", &url).await?;
            if answer.is_success() {
                self.assigned.insert(id.into(), true);
            } else if is_missing(&answer) {
                self.assigned.insert(id.into(), false);
            } else {
                let what = reason(&answer, "get_assignment", NEEDS);
                return self.assignments_unknown(what).await;
            }
        }
        Ok(())
    }

    async fn assignments_unknown(&mut self, what: String) -> Result<(), AdapterError> {
        let what = format!("which groups are assigned to the application is not known: {what}");
        self.unknown_rest(what).await
    }
}
