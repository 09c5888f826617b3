//! Memberships, sent after the users and groups they are between.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::entra::{Dialect, EntraClient, Stop};
use super::entra_user::patch_operations;
use super::report::CycleReport;
use super::wire::encoded;
use crate::Group;
use crate::directory::Entry;

impl EntraClient {
    /// Sends who came and who left since the watermark. Somebody who was not at the endpoint when they came is never sent
    /// again, until a restart; nor is somebody who came back to their account.
    pub(super) async fn send_members(&mut self, group: &Group, report: &mut CycleReport) -> Result<(), Stop> {
        let Some(link) = self.groups.get(&group.id) else {
            return Ok(());
        };
        let mut touched = link.escrow.clone();
        if link.all {
            touched.extend(group.users.iter().cloned());
            touched.extend(link.sent.iter().cloned());
        }
        for change in self.directory.changes_after(self.watermark, usize::MAX) {
            if let Entry::Member {
                group: id,
                member,
                is_group: false,
                ..
            } = change.entry
                && id == group.id
            {
                touched.insert(member);
            }
        }
        let (id, all, sent) = (link.id.clone(), link.all, link.sent.clone());
        let known = |user: &&Arc<str>| self.links.contains_key(*user);
        let inside = |user: &&Arc<str>| group.users.contains(*user);
        let adds: Vec<_> = touched
            .iter()
            .filter(inside)
            .filter(known)
            .filter(|user| all || !sent.contains(*user))
            .cloned()
            .collect();
        let removes: Vec<_> = touched
            .iter()
            .filter(|user| !inside(user))
            .filter(known)
            .filter(|user| sent.contains(*user))
            .cloned()
            .collect();
        if let Some(link) = self.groups.get_mut(&group.id) {
            link.escrow.clear();
        }
        let batch = self.options.member_batch.max(1);
        for (people, added) in [(removes, false), (adds, true)] {
            for people in people.chunks(batch) {
                let sent = self.send_batch(group, &id, people, added, report).await;
                if let (Err(_), Some(link)) = (&sent, self.groups.get_mut(&group.id)) {
                    link.escrow.extend(touched.iter().cloned());
                }
                sent?;
            }
        }
        if let Some(link) = self.groups.get_mut(&group.id) {
            link.all = false;
        }
        Ok(())
    }

    async fn send_batch(
        &mut self,
        group: &Group,
        id: &str,
        people: &[Arc<str>],
        added: bool,
        report: &mut CycleReport,
    ) -> Result<(), Stop> {
        let ids: Vec<String> = people
            .iter()
            .filter_map(|user| self.id_of(user).map(str::to_owned))
            .collect();
        if self.options.probes
            && let Some(user) = ids.first()
        {
            let filter = format!("id+eq+{}+and+members+eq+{}", encoded(id), encoded(user));
            let probe = self
                .wire
                .get(format!("/Groups?filter={filter}&attributes=id"))
                .await;
            self.resources(&probe, &group.id, report)?;
        }
        let body = patch_operations(&operations(&ids, added, self.dialect()));
        let exchange = self.send_patch(format!("/Groups/{}", encoded(id)), body).await;
        let taken = matches!(exchange.status, 200 | 204);
        if !taken {
            self.failed(&exchange, &group.id, report)?;
        }
        let Some(link) = self.groups.get_mut(&group.id) else {
            return Ok(());
        };
        let people: BTreeSet<_> = people.iter().cloned().collect();
        if !taken {
            link.escrow.extend(people);
        } else if added {
            report.members_added += people.len();
            link.sent.extend(people);
        } else {
            report.members_removed += people.len();
            link.sent.retain(|user| !people.contains(user));
        }
        Ok(())
    }
}

/// The legacy removal has a value, which RFC 7644 §3.5.2.2 does not know; the compliant one has a path for each member.
fn operations(ids: &[String], added: bool, dialect: Dialect) -> Vec<Value> {
    let compliant = dialect == Dialect::Compliant;
    if compliant && !added {
        let paths = ids.iter().map(|id| format!("members[value eq \"{id}\"]"));
        return paths
            .map(|path| json!({ "op": "remove", "path": path }))
            .collect();
    }
    let op = match (added, compliant) {
        (true, true) => "add",
        (true, false) => "Add",
        (false, _) => "Remove",
    };
    let member = |id: &String| {
        if compliant {
            json!({ "value": id })
        } else {
            json!({ "$ref": null, "value": id })
        }
    };
    let value: Vec<_> = ids.iter().map(member).collect();
    vec![json!({ "op": op, "path": "members", "value": value })]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_in_the_forms_of_their_dialect() {
        let ids = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            operations(&ids, false, Dialect::Legacy),
            [json!({ "op": "Remove", "path": "members",
                "value": [{ "$ref": null, "value": "a" }, { "$ref": null, "value": "b" }] })]
        );
        assert_eq!(
            operations(&ids, false, Dialect::Compliant)[1],
            json!({ "op": "remove", "path": "members[value eq \"b\"]" })
        );
    }
}
