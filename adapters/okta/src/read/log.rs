//! The System Log: a hint which groups and people to read again, and never the truth.

use std::collections::BTreeSet;

use usher_core::AdapterError;

use super::{Reading, written};
use crate::client::{Page, reason};
use crate::wire::Event;

/// The events that are asked for.
const FILTER: &str = "eventType sw \"group.\" or eventType sw \"user.lifecycle.\" or eventType eq \"user.account.update_profile\"";

/// At most so many pages of events in one read; the rest waits for the next.
const PAGES: usize = 20;

/// At most so many people are read again because of events. More are found by the list of changed users.
const PEOPLE: usize = 200;

/// What events speak of.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    pub(crate) groups: BTreeSet<String>,
    pub(crate) users: BTreeSet<String>,
}

/// What events speak of: the groups of events about groups, and the people of events about people.
pub(crate) fn hints_of(events: &[Event], hints: &mut Hints) {
    for event in events {
        if event.kind.starts_with("group.") {
            hints.groups.extend(event.targets("UserGroup").map(str::to_owned));
        } else if event.kind.starts_with("user.") {
            hints.users.extend(event.targets("User").map(str::to_owned));
        }
    }
}

impl Reading<'_> {
    /// Reads on in the System Log, where that is switched on, and remembers where it ended.
    pub(super) async fn hints(&mut self) -> Result<Hints, AdapterError> {
        let mut hints = Hints::default();
        if !self.settings.system_log {
            return Ok(hints);
        }
        let since = self.position.groups_since.map(written);
        let start = || {
            let mut query = vec![("filter", FILTER), ("sortOrder", "ASCENDING"), ("limit", "1000")];
            query.extend(since.as_deref().map(|since| ("since", since)));
            self.okta.api(&["logs"], &query)
        };
        let mut pages = match self.position.log.take() {
            Some(link) => self.okta.pages_from("read_log", link),
            None => self.okta.pages("read_log", start()),
        };
        for _ in 0..PAGES {
            match pages.next::<Event>().await? {
                Page::Items(events) => {
                    hints_of(&events, &mut hints);
                    self.position.log = pages.position().map(str::to_owned);
                    // A polling request always has a next link, which leads to what has not happened yet.
                    if events.is_empty() {
                        break;
                    }
                }
                Page::Refused(answer) if answer.status().is_server_error() => {
                    return Err(answer.refused("read_log"));
                }
                Page::Refused(answer) if crate::client::is_bad_request(&answer) => {
                    // The link is older than the log. Other reads find what changed; the next one begins anew here.
                    self.position.log = None;
                    break;
                }
                Page::Refused(answer) => {
                    let what = reason(&answer, "read_log", "okta.logs.read");
                    let what = format!("the System Log gives no hints: {what}");
                    self.unknown_rest(what).await?;
                    break;
                }
                Page::Odd(_) | Page::End => break,
            }
        }
        if hints.users.len() > PEOPLE {
            hints.users.clear();
        }
        Ok(hints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_about_groups_point_at_groups_and_events_about_people_at_people() {
        let events: Vec<Event> = serde_json::from_str(
            r#"[{"eventType": "group.user_membership.add",
                 "target": [{"id": "00u1", "type": "User"}, {"id": "00g1", "type": "UserGroup"}]},
                {"eventType": "user.lifecycle.suspend", "target": [{"id": "00u2", "type": "User"}]},
                {"eventType": "application.lifecycle.update", "target": [{"id": "00g9", "type": "UserGroup"}]}]"#,
        )
        .unwrap();
        let mut hints = Hints::default();
        hints_of(&events, &mut hints);
        assert_eq!(hints.groups, BTreeSet::from(["00g1".to_owned()]));
        assert_eq!(hints.users, BTreeSet::from(["00u2".to_owned()]));
    }
}
