//! Okta's provisioning of one application, as
//! <https://developer.okta.com/docs/api/openapi/okta-scim/guides/scim-20/> describes its requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::report::{CycleReport, Trouble};
use super::wire::{Exchange, Login, Wire, encoded, quoted};
use crate::{Directory, Life, User};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The two kinds of integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Apps of the catalogue: PATCH for `active`, for groups and their members.
    Patch,
    /// Apps made with the App Integration Wizard: PUT of whole users and groups.
    Put,
}

/// What a disabled account of the directory is at Okta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledMeans {
    /// Deactivated: the application is told.
    Deactivated,
    /// Suspended: the application is not told at all.
    Suspended,
}

/// How the application is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OktaOptions {
    /// The kind of integration.
    pub flavour: Flavour,
    /// How the token is written.
    pub login: Login,
    /// What a disabled account is.
    pub disabled: DisabledMeans,
    /// Whether a group is created with its members, as some integrations do.
    pub members_at_create: bool,
    /// Whether memberships that a user kept are sent again when the user is active again. What Okta does is not documented;
    /// the removals that it left out are not made up for either way.
    pub resends_kept: bool,
}

impl Default for OktaOptions {
    fn default() -> Self {
        Self {
            flavour: Flavour::Patch,
            login: Login::Bearer,
            disabled: DisabledMeans::Deactivated,
            members_at_create: false,
            resends_kept: false,
        }
    }
}

/// An assignment of a user to the application.
#[derive(Debug, Clone)]
pub(super) struct AppUser {
    pub(super) id: String,
    pub(super) active: bool,
    sent: Value,
}

/// A group on the tab "Push Groups".
#[derive(Debug, Clone, Default)]
pub(super) struct Push {
    /// The endpoint's id, once it was pushed.
    pub(super) id: Option<String>,
    pub(super) name: String,
    /// Users whom Okta believes to be members at the endpoint.
    pub(super) sent: BTreeSet<Arc<str>>,
    /// Whether all members are to be sent.
    pub(super) now: bool,
}

/// One application of an Okta org. Users are assigned to it by the groups of the directory that are assigned.
#[derive(Debug)]
pub struct OktaClient {
    pub(super) directory: Directory,
    pub(super) wire: Wire,
    pub(super) options: OktaOptions,
    pub(super) users: BTreeMap<Arc<str>, AppUser>,
    pub(super) pushes: BTreeMap<Arc<str>, Push>,
}

impl OktaClient {
    /// An application that nobody was provisioned to yet.
    #[must_use]
    pub fn new(directory: &Directory, base: &str, token: &str, options: OktaOptions) -> Self {
        let agent = Some("Okta SCIM Client 1.0.0");
        Self {
            directory: directory.clone(),
            wire: Wire::new(base, token, options.login, agent),
            options,
            users: BTreeMap::new(),
            pushes: BTreeMap::new(),
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

    /// The endpoint's id of a user of the directory.
    #[must_use]
    pub fn id_of(&self, user: &str) -> Option<&str> {
        self.users.get(user).map(|user| user.id.as_str())
    }

    /// The endpoint's id of a pushed group of the directory.
    #[must_use]
    pub fn id_of_group(&self, group: &str) -> Option<&str> {
        self.pushes.get(group)?.id.as_deref()
    }

    /// Saving the connection: two requests that are always the same.
    ///
    /// # Errors
    /// What the administrator is shown.
    pub async fn connect(&mut self) -> Result<(), Trouble> {
        for target in ["/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"] {
            let exchange = self.wire.get(target.into()).await;
            if exchange.list().is_none() {
                return Err(exchange.trouble("", "Error authenticating"));
            }
        }
        Ok(())
    }

    /// A full import: every user and group of the endpoint, a hundred at a time; how many of each.
    ///
    /// # Errors
    /// What stops the import: an answer that is no list, or numbers that do not fit what was returned.
    pub async fn import(&mut self) -> Result<(usize, usize), Trouble> {
        let users = self.import_all("/Users").await?;
        let groups = self.import_all("/Groups").await?;
        Ok((users, groups))
    }

    /// Puts a group on the tab "Push Groups".
    pub fn push_group(&mut self, group: &str) {
        self.pushes.entry(group.into()).or_default();
    }

    /// The button "Push now": the next cycle sends the whole group.
    pub fn push_now(&mut self, group: &str) {
        if let Some(push) = self.pushes.get_mut(group) {
            push.now = true;
        }
    }

    /// Takes a group off the tab, and deletes it at the endpoint or leaves it there.
    ///
    /// # Errors
    /// What the administrator is shown.
    pub async fn unlink_group(&mut self, group: &str, delete: bool) -> Result<(), Trouble> {
        let push = self.pushes.remove(group);
        let Some(id) = push.and_then(|push| push.id).filter(|_| delete) else {
            return Ok(());
        };
        let target = format!("/Groups/{}", encoded(&id));
        let exchange = self.wire.send(Method::DELETE, target, Value::Null).await;
        if exchange.status == 204 {
            return Ok(());
        }
        Err(exchange.trouble(group, "Unable to delete Group Push mapping target App group"))
    }

    /// Everything that is due: users first, then the pushed groups.
    pub async fn cycle(&mut self) -> CycleReport {
        let mut report = CycleReport::default();
        let mut returned = BTreeSet::new();
        for user in self.directory.users_after(None, usize::MAX) {
            let wanted = self.is_assigned(&user);
            match (self.users.get(&user.id).cloned(), wanted) {
                (None, true) => self.assign(&user, &mut report).await,
                (Some(known), true) if !known.active => {
                    returned.insert(Arc::clone(&user.id));
                    self.assign(&user, &mut report).await;
                }
                (Some(known), true) if known.sent != profile(&user) => {
                    self.update(&user, &known.id, None, &mut report).await;
                }
                (Some(known), false) if known.active => self.deactivate(&user, &known, &mut report).await,
                _ => {}
            }
        }
        let groups: Vec<_> = self.pushes.keys().cloned().collect();
        for group in groups {
            self.push(&group, &returned, &mut report).await;
        }
        report
    }

    /// Whether the directory gives a user to the application. A suspended one stays with it.
    fn is_assigned(&self, user: &User) -> bool {
        let there = user.enabled || self.options.disabled == DisabledMeans::Suspended;
        let groups = self.directory.groups_of(&user.id);
        let mut groups = groups.iter().filter_map(|id| self.directory.group(id));
        there && user.life == Life::Live && groups.any(|group| group.assigned)
    }

    /// Looks for the user by name, always, and creates or takes over.
    async fn assign(&mut self, user: &User, report: &mut CycleReport) {
        let filter = format!("userName%20eq%20{}", quoted(&user.user_name));
        let found = self
            .wire
            .get(format!("/Users?filter={filter}&startIndex=1&count=100"))
            .await;
        let Some(resources) = found.list() else {
            report
                .errors
                .push(found.trouble(&user.id, "Automatic provisioning of user to app failed"));
            return;
        };
        if let Some(id) = resources.first().and_then(|resource| resource["id"].as_str()) {
            let id = id.to_owned();
            report.matched += usize::from(!self.users.contains_key(&user.id));
            self.update(user, &id, Some(true), report).await;
            return;
        }
        let exchange = self
            .wire
            .send(Method::POST, "/Users".into(), creation(user))
            .await;
        match exchange.id().filter(|_| exchange.status == 201) {
            Some(id) => {
                report.created += 1;
                self.keep(user, id, true);
            }
            None => {
                let kind = "Automatic provisioning of user to app failed";
                report.errors.push(exchange.trouble(&user.id, kind));
            }
        }
    }

    /// Reads the user and writes it back whole, changed where the profile differs.
    async fn update(&mut self, user: &User, id: &str, active: Option<bool>, report: &mut CycleReport) {
        let target = format!("/Users/{}", encoded(id));
        let kind = "Unable to update user";
        let there = self.wire.get(target.clone()).await;
        if there.status != 200 {
            report.errors.push(there.trouble(&user.id, kind));
            return;
        }
        let mut body = there.answer;
        merge(&mut body, &profile(user));
        let was_active = body["active"] == true;
        let (mut exchange, mut patched) = (None, false);
        match (active, self.options.flavour) {
            (Some(active), Flavour::Put) => body["active"] = active.into(),
            (Some(active), Flavour::Patch) if active != was_active => {
                let sent = self
                    .wire
                    .send(Method::PATCH, target.clone(), activation(active))
                    .await;
                patched = matches!(sent.status, 200 | 204);
                exchange = (!patched).then_some(sent);
                body["active"] = active.into();
            }
            _ => {}
        }
        if exchange.is_none() {
            let sent = self.wire.send(Method::PUT, target, body).await;
            exchange = (sent.status != 200).then_some(sent);
        }
        if let Some(refused) = exchange {
            report.errors.push(refused.trouble(&user.id, kind));
            return;
        }
        if active == Some(true) && (!was_active || patched) {
            report.enabled += 1;
        } else {
            report.updated += 1;
        }
        self.keep(user, id.into(), active.unwrap_or(was_active));
    }

    async fn deactivate(&mut self, user: &User, known: &AppUser, report: &mut CycleReport) {
        let target = format!("/Users/{}", encoded(&known.id));
        let exchange = match self.options.flavour {
            Flavour::Patch => self.wire.send(Method::PATCH, target, activation(false)).await,
            Flavour::Put => {
                let there = self.wire.get(target.clone()).await;
                let mut body = there.answer;
                body["active"] = false.into();
                self.wire.send(Method::PUT, target, body).await
            }
        };
        if !matches!(exchange.status, 200 | 204) {
            report
                .errors
                .push(exchange.trouble(&user.id, "Unable to deactivate user"));
            return;
        }
        report.disabled += 1;
        if let Some(user) = self.users.get_mut(&user.id) {
            user.active = false;
        }
    }

    async fn import_all(&mut self, path: &str) -> Result<usize, Trouble> {
        let kind = "Import failed";
        let mut seen = 0;
        loop {
            let start = seen + 1;
            let page = self
                .wire
                .get(format!("{path}?startIndex={start}&count=100"))
                .await;
            let trouble = || page.trouble("", kind);
            let found = page.list().ok_or_else(trouble)?.len();
            let number = |name: &str| page.answer[name].as_u64().ok_or_else(trouble);
            let total = usize::try_from(number("totalResults")?).unwrap_or(usize::MAX);
            if number("itemsPerPage")? != found as u64 || number("startIndex")? != start as u64 {
                return Err(page.trouble("", "itemsPerPage or startIndex is not what was returned"));
            }
            seen += found;
            if seen >= total {
                return Ok(seen);
            }
            if found == 0 {
                return Err(trouble());
            }
        }
    }

    fn keep(&mut self, user: &User, id: String, active: bool) {
        let sent = profile(user);
        self.users
            .insert(Arc::clone(&user.id), AppUser { id, active, sent });
    }
}

/// The part of a user that the application's profile has.
fn profile(user: &User) -> Value {
    let mut profile = json!({
        "userName": user.user_name,
        "name": { "givenName": user.given_name, "familyName": user.family_name, "middleName": "" },
        "displayName": user.display_name(),
    });
    if let Some(email) = &user.email {
        profile["emails"] = json!([{ "primary": true, "value": email, "type": "work" }]);
    }
    profile
}

fn creation(user: &User) -> Value {
    let mut body = json!({ "schemas": [USER] });
    merge(&mut body, &profile(user));
    let rest = json!({
        "locale": "en-US",
        "externalId": &*user.id,
        "groups": [],
        // Random at Okta, also where no passwords are synchronised.
        "password": "1mz050nq-never-kept",
        "active": true,
    });
    merge(&mut body, &rest);
    body
}

fn activation(active: bool) -> Value {
    json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "value": { "active": active } }] })
}

fn merge(body: &mut Value, changes: &Value) {
    if let (Some(body), Some(changes)) = (body.as_object_mut(), changes.as_object()) {
        for (key, value) in changes {
            body.insert(key.clone(), value.clone());
        }
    }
}
