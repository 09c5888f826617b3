//! Group push: the group's name, then who came and who left.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::okta::{Flavour, OktaClient};
use super::report::CycleReport;
use super::wire::{Exchange, encoded, quoted};
use crate::{Group, Life};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const FAILED: &str = "Unable to update Group Push mapping target App group";

impl OktaClient {
    /// Brings a group on the tab "Push Groups" up to date. `returned` are users who became active again in this cycle.
    ///
    /// Users who are inactive in the application are skipped: their leaving is not sent, and it is not made up for later.
    pub(super) async fn push(
        &mut self,
        group: &Arc<str>,
        returned: &BTreeSet<Arc<str>>,
        report: &mut CycleReport,
    ) {
        let Some(group) = self
            .directory
            .group(group)
            .filter(|group| group.life == Life::Live)
        else {
            return;
        };
        let members: BTreeSet<_> = group
            .users
            .iter()
            .filter(|user| self.is_active(user))
            .cloned()
            .collect();
        let Some(push) = self.pushes.get(&group.id) else {
            return;
        };
        let Some(id) = push.id.clone() else {
            self.create_group(&group, members, report).await;
            return;
        };
        let mut sent = push.sent.clone();
        if self.options.resends_kept {
            sent.retain(|user| !returned.contains(user));
        }
        let adds: Vec<_> = members.difference(&sent).cloned().collect();
        let left: Vec<_> = sent
            .iter()
            .filter(|user| !group.users.contains(*user))
            .cloned()
            .collect();
        let removes: Vec<_> = left.iter().filter(|user| self.is_active(user)).cloned().collect();
        let (now, renamed) = (push.now, push.name != group.name);
        // Okta holds the matter of those who left while inactive to be settled.
        sent.retain(|user| !left.contains(user));
        sent.extend(adds.iter().cloned());
        if !now && !renamed && adds.is_empty() && removes.is_empty() {
            self.settle(&group, id, sent);
            return;
        }
        let taken = match self.options.flavour {
            Flavour::Put => self.put_group(&group, &id, &members).await,
            Flavour::Patch => {
                self.patch_group(&group, &id, now.then_some(&members), &adds, &removes)
                    .await
            }
        };
        match taken {
            Ok(()) => {
                report.groups_renamed += usize::from(renamed);
                report.members_added += adds.len();
                report.members_removed += removes.len();
                let sent = if self.options.flavour == Flavour::Put || now {
                    members
                } else {
                    sent
                };
                self.settle(&group, id, sent);
            }
            Err(exchange) => report.errors.push(exchange.trouble(&group.id, FAILED)),
        }
    }

    async fn create_group(&mut self, group: &Group, members: BTreeSet<Arc<str>>, report: &mut CycleReport) {
        let filter = format!("displayName%20eq%20{}", quoted(&group.name));
        let found = self
            .wire
            .get(format!("/Groups?filter={filter}&startIndex=1&count=100"))
            .await;
        let Some(resources) = found.list() else {
            report.errors.push(found.trouble(&group.id, FAILED));
            return;
        };
        let mut at_once = false;
        let id = match resources.first().and_then(|resource| resource["id"].as_str()) {
            Some(id) => id.to_owned(),
            None => {
                at_once = self.options.members_at_create;
                let list = if at_once {
                    self.values(members.iter())
                } else {
                    Vec::new()
                };
                let body = json!({ "schemas": [GROUP], "displayName": group.name, "members": list });
                let exchange = self.wire.send(Method::POST, "/Groups".into(), body).await;
                let Some(id) = exchange.id().filter(|_| exchange.status == 201) else {
                    report.errors.push(exchange.trouble(&group.id, FAILED));
                    return;
                };
                id
            }
        };
        report.groups_created += 1;
        self.settle(group, id.clone(), BTreeSet::new());
        if !at_once {
            let adds: Vec<_> = members.iter().cloned().collect();
            let taken = match self.options.flavour {
                Flavour::Put => {
                    // Seen straight after the creation.
                    let first = self.put_group(group, &id, &BTreeSet::new()).await;
                    match first {
                        Ok(()) => self.put_group(group, &id, &members).await,
                        refused => refused,
                    }
                }
                Flavour::Patch if adds.is_empty() => Ok(()),
                Flavour::Patch => self.patch_group(group, &id, None, &adds, &[]).await,
            };
            if let Err(exchange) = taken {
                report.errors.push(exchange.trouble(&group.id, FAILED));
                return;
            }
        }
        report.members_added += members.len();
        self.settle(group, id, members);
    }

    /// The name first, changed or not; then the members: all of them, or those who came and went.
    async fn patch_group(
        &mut self,
        group: &Group,
        id: &str,
        all: Option<&BTreeSet<Arc<str>>>,
        adds: &[Arc<str>],
        removes: &[Arc<str>],
    ) -> Result<(), Exchange> {
        let target = format!("/Groups/{}", encoded(id));
        let name = json!([{ "op": "replace", "value": { "id": id, "displayName": group.name } }]);
        self.patch(&target, &name).await?;
        if let Some(all) = all {
            let value = self.values(all.iter());
            let whole = json!([{ "op": "replace", "path": "members", "value": value }]);
            return self.patch(&target, &whole).await;
        }
        let gone = removes.iter().filter_map(|user| self.id_of(user));
        let mut operations: Vec<_> = gone
            .map(|id| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }))
            .collect();
        if !adds.is_empty() {
            let value = self.values(adds.iter());
            operations.push(json!({ "op": "add", "path": "members", "value": value }));
        }
        if operations.is_empty() {
            return Ok(());
        }
        self.patch(&target, &operations.into()).await
    }

    async fn patch(&mut self, target: &str, operations: &Value) -> Result<(), Exchange> {
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        let exchange = self.wire.send(Method::PATCH, target.into(), body).await;
        if matches!(exchange.status, 200 | 204) {
            Ok(())
        } else {
            Err(exchange)
        }
    }

    async fn put_group(
        &mut self,
        group: &Group,
        id: &str,
        members: &BTreeSet<Arc<str>>,
    ) -> Result<(), Exchange> {
        let value = self.values(members.iter());
        let body = json!({ "schemas": [GROUP], "id": id, "displayName": group.name, "members": value });
        let target = format!("/Groups/{}", encoded(id));
        let exchange = self.wire.send(Method::PUT, target, body).await;
        if matches!(exchange.status, 200 | 204) {
            Ok(())
        } else {
            Err(exchange)
        }
    }

    fn values<'u>(&self, users: impl Iterator<Item = &'u Arc<str>>) -> Vec<Value> {
        let values = users.filter_map(|user| {
            let id = self.id_of(user)?;
            let name = self.directory.user(user).map(|user| user.user_name);
            Some(json!({ "value": id, "display": name }))
        });
        values.collect()
    }

    fn is_active(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.active)
    }

    fn settle(&mut self, group: &Group, id: String, sent: BTreeSet<Arc<str>>) {
        if let Some(push) = self.pushes.get_mut(&group.id) {
            push.id = Some(id);
            push.name.clone_from(&group.name);
            push.sent = sent;
            push.now = false;
        }
    }
}
