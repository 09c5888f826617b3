//! Microsoft Entra ID's provisioning service, as
//! <https://learn.microsoft.com/entra/identity/app-provisioning/how-provisioning-works> describes its cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::entra_user::{attributes, creation, differences, manager_path, patch, patch_of};
use super::report::{CycleReport, Trouble};
use super::wire::{Exchange, Login, Wire, encoded, quoted};
use crate::directory::Entry;
use crate::{Directory, Group, Life, User};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ADSCIM_GROUP: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";

/// The forms of PATCH requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// What is sent by default: `Add`, `Replace`, `Remove`, booleans as strings, removals with a value.
    Legacy,
    /// With `aadOptscim062020` in the tenant URL.
    Compliant,
    /// Both in turn, as one tenant sends them whose flag is set and who also provisions on demand.
    Mixed,
}

/// The attribute that finds a user at the endpoint before its id is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchingAttribute {
    /// `userName`.
    UserName,
    /// `externalId`.
    ExternalId,
    /// `emails[type eq "work"].value`.
    WorkEmail,
}

/// Where `externalId` comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternalIdSource {
    /// `mailNickname`, as the mapping is shipped: neither unique nor immutable.
    MailNickname,
    /// `objectId`, as it should be.
    ObjectId,
}

/// Which name a guest is sent by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestName {
    /// The address at home: nothing shows that it is a guest.
    Home,
    /// `originalUserPrincipalName`, with `#EXT#`.
    Original,
}

/// How the enterprise application is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntraOptions {
    /// The forms of PATCH requests.
    pub dialect: Dialect,
    /// What finds a user at the endpoint.
    pub matching: MatchingAttribute,
    /// Where `externalId` comes from.
    pub external_id: ExternalIdSource,
    /// How many members one PATCH adds or removes; the service's own number is not known.
    pub member_batch: usize,
    /// Whether the name of a user in the recycle bin is sent, which begins with the object id.
    pub tombstones: bool,
    /// Which name a guest is sent by.
    pub guest_name: GuestName,
    /// Whether references are asked about before they are changed.
    pub probes: bool,
}

impl Default for EntraOptions {
    fn default() -> Self {
        Self {
            dialect: Dialect::Legacy,
            matching: MatchingAttribute::UserName,
            external_id: ExternalIdSource::MailNickname,
            member_batch: 1,
            tombstones: false,
            guest_name: GuestName::Home,
            probes: false,
        }
    }
}

/// A user at the endpoint.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) id: String,
    active: bool,
    /// Not after it went out of scope: its later deletion is none of the client's business then.
    managed: bool,
    manager: Option<String>,
}

/// A group at the endpoint.
#[derive(Debug, Clone)]
pub(super) struct GroupLink {
    pub(super) id: String,
    /// Users whose membership was sent.
    pub(super) sent: BTreeSet<Arc<str>>,
    /// Users whose membership the endpoint did not take.
    pub(super) escrow: BTreeSet<Arc<str>>,
    /// Whether all members are to be sent.
    pub(super) all: bool,
}

/// Why a cycle stops in the middle.
pub(super) struct Stop(pub(super) String);

/// The provisioning service of one enterprise application, whose scope is "assigned users and groups".
#[derive(Debug)]
pub struct EntraClient {
    pub(super) directory: Directory,
    pub(super) wire: Wire,
    pub(super) options: EntraOptions,
    pub(super) links: BTreeMap<Arc<str>, Link>,
    pub(super) groups: BTreeMap<Arc<str>, GroupLink>,
    managers: BTreeMap<Arc<str>, Arc<str>>,
    escrow: BTreeSet<Arc<str>>,
    pub(super) watermark: u64,
    patches: usize,
}

impl EntraClient {
    /// A job that has not run yet.
    #[must_use]
    pub fn new(directory: &Directory, base: &str, token: &str, options: EntraOptions) -> Self {
        Self {
            directory: directory.clone(),
            wire: Wire::new(base, token, Login::Bearer, None),
            options,
            links: BTreeMap::new(),
            groups: BTreeMap::new(),
            managers: BTreeMap::new(),
            escrow: BTreeSet::new(),
            watermark: 0,
            patches: 0,
        }
    }

    /// Every request so far and its answer.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        self.wire.exchanges()
    }

    /// Forgets the requests so far, not what came of them.
    pub fn forget_exchanges(&mut self) {
        self.wire.forget();
    }

    /// Uses another token from now on.
    pub fn log_in(&mut self, token: &str) {
        self.wire.log_in(token, Login::Bearer);
    }

    /// The endpoint's id of a user of the directory.
    #[must_use]
    pub fn id_of(&self, user: &str) -> Option<&str> {
        self.links.get(user).map(|link| link.id.as_str())
    }

    /// The endpoint's id of a group of the directory.
    #[must_use]
    pub fn id_of_group(&self, group: &str) -> Option<&str> {
        self.groups.get(group).map(|link| link.id.as_str())
    }

    /// Makes one user the manager of another; sent in the next cycle, when both are at the endpoint.
    pub fn set_manager(&mut self, user: &str, manager: &str) {
        self.managers.insert(user.into(), manager.into());
        self.escrow.insert(user.into());
    }

    /// The button "Test Connection": asks for a user that is not there.
    ///
    /// # Errors
    /// What the administrator is shown.
    pub async fn test_connection(&mut self) -> Result<(), Trouble> {
        let target = self.users_where("7c1fb1d5-2a0e-4b1f-9a4d-0d5b0d3a1f11");
        let exchange = self.wire.get(target).await;
        match exchange.list() {
            Some([]) => Ok(()),
            _ => Err(exchange.trouble("", "SystemForCrossDomainIdentityManagementServiceIncompatible")),
        }
    }

    /// "Restart provisioning": the next cycle looks at everything again and sends every member again. What is known of the
    /// endpoint stays.
    pub fn restart(&mut self) {
        self.watermark = 0;
        for link in self.groups.values_mut() {
            link.all = true;
        }
    }

    /// One cycle: the first is the initial one, later ones look at what changed.
    pub async fn cycle(&mut self) -> CycleReport {
        let mut report = CycleReport::default();
        let now = self.directory.sequence();
        match self.run(&mut report).await {
            Ok(()) => self.watermark = now,
            Err(Stop(reason)) => report.quarantined = Some(reason),
        }
        report
    }

    async fn run(&mut self, report: &mut CycleReport) -> Result<(), Stop> {
        let groups: Vec<_> = self
            .directory
            .groups_after(None, usize::MAX)
            .into_iter()
            .filter(|group| group.assigned && group.life == Life::Live)
            .filter_map(|group| self.directory.group(&group.id))
            .collect();
        let scope: BTreeSet<_> = groups
            .iter()
            .flat_map(|group| group.users.iter().cloned())
            .collect();
        let changed = self.changed();
        for user in self.directory.users_after(None, usize::MAX) {
            let wanted = scope.contains(&user.id);
            self.user(&user, wanted, changed.contains(&user.id), report)
                .await?;
        }
        let assigned: BTreeSet<_> = groups.iter().map(|group| Arc::clone(&group.id)).collect();
        for group in &groups {
            self.group(group, changed.contains(&group.id), report).await?;
        }
        let gone: Vec<_> = self
            .groups
            .keys()
            .filter(|id| !assigned.contains(*id))
            .cloned()
            .collect();
        for id in gone {
            self.delete_group(&id, report).await?;
        }
        self.send_managers(report).await?;
        for group in &groups {
            self.send_members(group, report).await?;
        }
        Ok(())
    }

    /// Users and groups that changed since the watermark, or that did not work last time.
    fn changed(&self) -> BTreeSet<Arc<str>> {
        let mut changed = self.escrow.clone();
        for change in self.directory.changes_after(self.watermark, usize::MAX) {
            match change.entry {
                Entry::User(id) | Entry::Group(id) | Entry::Assignment(id) => changed.insert(id),
                // It may have brought the user into scope.
                Entry::Member { member, .. } => changed.insert(member),
            };
        }
        changed
    }

    async fn user(
        &mut self,
        user: &User,
        assigned: bool,
        changed: bool,
        report: &mut CycleReport,
    ) -> Result<(), Stop> {
        let wanted = assigned && user.enabled && user.life == Life::Live;
        let Some(link) = self.links.get(&user.id).cloned() else {
            if wanted {
                self.provision(user, report).await?;
            }
            return Ok(());
        };
        if user.life == Life::Deleted {
            if link.managed {
                self.delete_user(user, &link, report).await?;
            }
            return Ok(());
        }
        if !wanted {
            if link.active {
                self.disable(user, &link, assigned, report).await?;
            }
            return Ok(());
        }
        if changed || !link.active || self.watermark == 0 {
            self.update(user, &link.id, report).await?;
        }
        Ok(())
    }

    async fn provision(&mut self, user: &User, report: &mut CycleReport) -> Result<(), Stop> {
        let value = match self.options.matching {
            MatchingAttribute::UserName => 0,
            MatchingAttribute::ExternalId => 1,
            MatchingAttribute::WorkEmail => 5,
        };
        let attributes = attributes(user, &self.options);
        let Some((_, Value::String(value))) = attributes.get(value) else {
            let kind = "MissingMatchingAttribute";
            let exchange = Trouble {
                object: user.id.to_string(),
                kind,
                status: 0,
                detail: "the user has no value to be found by".into(),
            };
            report.errors.push(exchange);
            return Ok(());
        };
        let found = self.wire.get(self.users_where(value)).await;
        let resources = self.resources(&found, &user.id, report)?;
        match resources.as_deref() {
            None => {}
            Some([]) => {
                let body = creation(user, &self.options);
                let exchange = self.wire.send(Method::POST, "/Users".into(), body).await;
                match exchange.id().filter(|_| exchange.status == 201) {
                    Some(id) => {
                        self.link(user, id);
                        report.created += 1;
                    }
                    None => self.failed(&exchange, &user.id, report)?,
                }
            }
            Some([resource]) => {
                let id = resource["id"].as_str().unwrap_or_default().to_owned();
                self.link(user, id.clone());
                report.matched += 1;
                let resource = resource.clone();
                self.patch_user(user, &id, &resource, report).await?;
            }
            Some(_) => report
                .errors
                .push(found.trouble(&user.id, "DuplicateTargetEntries")),
        }
        Ok(())
    }

    async fn update(&mut self, user: &User, id: &str, report: &mut CycleReport) -> Result<(), Stop> {
        let there = self.wire.get(format!("/Users/{}", encoded(id))).await;
        match there.status {
            200 => self.patch_user(user, id, &there.answer, report).await,
            404 => {
                report.errors.push(there.trouble(&user.id, "InvalidAnchor"));
                Ok(())
            }
            _ => self.failed(&there, &user.id, report),
        }
    }

    /// Sends what differs, and `active` where it is not true.
    async fn patch_user(
        &mut self,
        user: &User,
        id: &str,
        resource: &Value,
        report: &mut CycleReport,
    ) -> Result<(), Stop> {
        let changes = differences(attributes(user, &self.options), resource);
        let active = (resource["active"] != true).then_some(true);
        if changes.is_empty() && active.is_none() {
            self.settled(user, true);
            return Ok(());
        }
        let (changes_sent, enabled) = (!changes.is_empty(), active.is_some());
        let dialect = self.dialect();
        let body = patch(changes, active, dialect);
        let exchange = self.send_patch(format!("/Users/{}", encoded(id)), body).await;
        if !matches!(exchange.status, 200 | 204) {
            return self.failed(&exchange, &user.id, report);
        }
        report.updated += usize::from(changes_sent);
        report.enabled += usize::from(enabled);
        self.settled(user, true);
        Ok(())
    }

    async fn disable(
        &mut self,
        user: &User,
        link: &Link,
        assigned: bool,
        report: &mut CycleReport,
    ) -> Result<(), Stop> {
        let mut changes = Vec::new();
        if self.options.tombstones && user.life == Life::SoftDeleted {
            let name = attributes(user, &self.options).remove(0).1;
            changes.push(("userName", name, true));
        }
        let body = patch(changes, Some(false), self.dialect());
        let exchange = self
            .send_patch(format!("/Users/{}", encoded(&link.id)), body)
            .await;
        if !matches!(exchange.status, 200 | 204) {
            return self.failed(&exchange, &user.id, report);
        }
        report.disabled += 1;
        self.settled(user, false);
        if let Some(link) = self.links.get_mut(&user.id) {
            link.managed = assigned;
        }
        Ok(())
    }

    async fn delete_user(&mut self, user: &User, link: &Link, report: &mut CycleReport) -> Result<(), Stop> {
        let target = format!("/Users/{}", encoded(&link.id));
        let exchange = self.wire.send(Method::DELETE, target, Value::Null).await;
        if !matches!(exchange.status, 204 | 404) {
            return self.failed(&exchange, &user.id, report);
        }
        report.deleted += 1;
        self.links.remove(&user.id);
        Ok(())
    }

    async fn group(&mut self, group: &Group, changed: bool, report: &mut CycleReport) -> Result<(), Stop> {
        let Some(link) = self.groups.get(&group.id).cloned() else {
            return self.provision_group(group, report).await;
        };
        if !changed && self.watermark > 0 {
            return Ok(());
        }
        let there = self
            .wire
            .get(format!(
                "/Groups/{}?excludedAttributes=members",
                encoded(&link.id)
            ))
            .await;
        match there.status {
            200 if there.answer["displayName"] == *group.name => {
                self.escrow.remove(&group.id);
                Ok(())
            }
            200 => {
                let op = if self.dialect() == Dialect::Compliant {
                    "replace"
                } else {
                    "Replace"
                };
                let body = patch_of(op, "displayName", &group.name);
                let target = format!("/Groups/{}", encoded(&link.id));
                let exchange = self.send_patch(target, body).await;
                if !matches!(exchange.status, 200 | 204) {
                    return self.failed(&exchange, &group.id, report);
                }
                report.groups_renamed += 1;
                self.escrow.remove(&group.id);
                Ok(())
            }
            404 => {
                report.errors.push(there.trouble(&group.id, "InvalidAnchor"));
                Ok(())
            }
            _ => self.failed(&there, &group.id, report),
        }
    }

    async fn provision_group(&mut self, group: &Group, report: &mut CycleReport) -> Result<(), Stop> {
        let filter = format!("displayName+eq+{}", quoted(&group.name));
        let found = self
            .wire
            .get(format!("/Groups?excludedAttributes=members&filter={filter}"))
            .await;
        let resources = self.resources(&found, &group.id, report)?;
        let id = match resources.as_deref() {
            None => return Ok(()),
            Some([]) => {
                let body = json!({
                    "schemas": [GROUP, ADSCIM_GROUP],
                    "externalId": &*group.id,
                    "displayName": group.name,
                    "meta": { "resourceType": "Group" },
                });
                let exchange = self.wire.send(Method::POST, "/Groups".into(), body).await;
                match exchange.id().filter(|_| exchange.status == 201) {
                    Some(id) => id,
                    None => return self.failed(&exchange, &group.id, report),
                }
            }
            Some([resource]) => {
                let id = resource["id"].as_str().unwrap_or_default().to_owned();
                if self.groups.values().any(|link| link.id == id) {
                    report.errors.push(found.trouble(&group.id, "EntryConflict"));
                    return Ok(());
                }
                id
            }
            Some(_) => {
                report
                    .errors
                    .push(found.trouble(&group.id, "DuplicateTargetEntries"));
                return Ok(());
            }
        };
        report.groups_created += 1;
        let link = GroupLink {
            id,
            sent: BTreeSet::new(),
            escrow: BTreeSet::new(),
            all: true,
        };
        self.groups.insert(Arc::clone(&group.id), link);
        self.escrow.remove(&group.id);
        Ok(())
    }

    async fn delete_group(&mut self, group: &Arc<str>, report: &mut CycleReport) -> Result<(), Stop> {
        let Some(link) = self.groups.get(group) else {
            return Ok(());
        };
        let target = format!("/Groups/{}", encoded(&link.id));
        let exchange = self.wire.send(Method::DELETE, target, Value::Null).await;
        if !matches!(exchange.status, 204 | 404) {
            return self.failed(&exchange, group, report);
        }
        report.groups_deleted += 1;
        self.groups.remove(group);
        Ok(())
    }

    /// References come after the users that they name; a manager is a bare string.
    async fn send_managers(&mut self, report: &mut CycleReport) -> Result<(), Stop> {
        for (user, manager) in self.managers.clone() {
            let (Some(link), Some(manager)) = (self.links.get(&user), self.links.get(&manager)) else {
                continue;
            };
            let (id, manager) = (link.id.clone(), manager.id.clone());
            if link.manager.as_ref() == Some(&manager) {
                continue;
            }
            if self.options.probes {
                let filter = format!("id+eq+{}+and+manager+eq+{}", encoded(&id), encoded(&manager));
                let probe = self
                    .wire
                    .get(format!("/Users?filter={filter}&attributes=id"))
                    .await;
                if self.resources(&probe, &user, report)?.is_none() {
                    continue;
                }
            }
            let body = patch_of("Add", &manager_path(), &manager);
            let exchange = self.send_patch(format!("/Users/{}", encoded(&id)), body).await;
            if !matches!(exchange.status, 200 | 204) {
                self.failed(&exchange, &user, report)?;
                continue;
            }
            report.updated += 1;
            if let Some(link) = self.links.get_mut(&user) {
                link.manager = Some(manager);
            }
        }
        Ok(())
    }

    pub(super) async fn send_patch(&mut self, target: String, body: Value) -> Exchange {
        self.patches += 1;
        self.wire.send(Method::PATCH, target, body).await
    }

    /// The forms of the next PATCH.
    pub(super) const fn dialect(&self) -> Dialect {
        match self.options.dialect {
            Dialect::Mixed if self.patches.is_multiple_of(2) => Dialect::Legacy,
            Dialect::Mixed => Dialect::Compliant,
            other => other,
        }
    }

    /// The resources of a list; `None` when this object has to wait for the next cycle.
    pub(super) fn resources(
        &mut self,
        exchange: &Exchange,
        object: &str,
        report: &mut CycleReport,
    ) -> Result<Option<Vec<Value>>, Stop> {
        if exchange.status == 404 {
            return Err(Stop(format!(
                "{} was answered 404: this is not SCIM",
                exchange.target
            )));
        }
        match exchange.list() {
            Some(resources) => Ok(Some(resources.to_vec())),
            None => self.failed(exchange, object, report).map(|()| None),
        }
    }

    /// Notes what did not work; bad credentials stop everything.
    pub(super) fn failed(
        &mut self,
        exchange: &Exchange,
        object: &str,
        report: &mut CycleReport,
    ) -> Result<(), Stop> {
        let kind = match exchange.status {
            401 => return Err(Stop("the credentials are no longer taken".into())),
            409 => "EntryConflict",
            429 => "TooManyRequests",
            500.. => "ServiceUnavailable",
            _ => "SystemForCrossDomainIdentityManagementServiceIncompatible",
        };
        report.errors.push(exchange.trouble(object, kind));
        self.escrow.insert(object.into());
        Ok(())
    }

    fn users_where(&self, value: &str) -> String {
        let attribute = match self.options.matching {
            MatchingAttribute::UserName => "userName",
            MatchingAttribute::ExternalId => "externalId",
            MatchingAttribute::WorkEmail => "emails%5Btype+eq+%22work%22%5D.value",
        };
        format!("/Users?filter={attribute}+eq+{}", quoted(value))
    }

    fn link(&mut self, user: &User, id: String) {
        let link = Link {
            id,
            active: true,
            managed: true,
            manager: None,
        };
        self.links.insert(Arc::clone(&user.id), link);
        self.escrow.remove(&user.id);
    }

    fn settled(&mut self, user: &User, active: bool) {
        if let Some(link) = self.links.get_mut(&user.id) {
            link.active = active;
            link.managed = true;
        }
        self.escrow.remove(&user.id);
    }
}
