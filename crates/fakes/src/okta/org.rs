//! The org: what it is made of, and how it is served.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::Value;

use super::behaviour::{Behaviour, Busy};
use super::rights::Rights;
use super::{access, apps, groups, logs, token, users};
use crate::directory::Life;
use crate::{Directory, Faults, Group, Served, User};

/// A fake Okta org. Clones are the same org.
#[derive(Debug, Clone)]
pub struct Org {
    pub(super) directory: Directory,
    state: Arc<Mutex<State>>,
}

/// An application of the type "API Services", which gets tokens with `private_key_jwt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceApp {
    /// The client id.
    pub client_id: String,
    /// The registered public key in PEM.
    pub public_key_pem: String,
    /// The id of the key; a client that sends another one is refused.
    pub key_id: Option<String>,
    /// The scopes granted and the groups that its role covers.
    pub rights: Rights,
    /// Whether "Require Demonstrating Proof of Possession (DPoP) header in token requests" is ticked.
    pub dpop: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) base: String,
    pub(super) behaviour: Behaviour,
    pub(super) statuses: BTreeMap<String, String>,
    pub(super) kinds: BTreeMap<String, String>,
    pub(super) api_tokens: BTreeMap<String, Rights>,
    pub(super) apps: BTreeMap<String, ServiceApp>,
    pub(super) access_tokens: BTreeMap<String, token::Issued>,
    pub(super) jtis: BTreeSet<String>,
    pub(super) busy: VecDeque<Busy>,
    pub(super) labels: BTreeMap<u64, &'static str>,
    /// Whether members were last found to be shown, and when that last became different.
    pub(super) shown: BTreeMap<String, (bool, Option<Timestamp>)>,
    pub(super) remaining: u32,
    pub(super) issued: u64,
}

impl Org {
    /// The id of the org.
    pub const ID: &str = "00o1fakefakefakefake";

    /// The id of the one application that groups can be assigned to.
    pub const APPLICATION: &str = "0oa1fakefakefakefake";

    /// An org that shows this directory and that nobody can call yet.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        let state = State {
            remaining: 600,
            ..State::default()
        };
        Self {
            directory,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Serves the org on a free port of 127.0.0.1. An org is served once.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn serve(&self, faults: Faults) -> io::Result<Served> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        self.with(|state| state.base = base);
        let router = Router::new()
            .route("/.well-known/okta-organization", get(access::organization))
            .route("/oauth2/v1/token", post(token::token))
            .route("/api/v1/org", get(access::org))
            .route("/api/v1/groups", get(groups::list))
            .route("/api/v1/groups/{id}", get(groups::one))
            .route("/api/v1/groups/{id}/users", get(groups::members))
            .route("/api/v1/users", get(users::list))
            .route("/api/v1/users/{id}", get(users::one))
            .route("/api/v1/users/{id}/groups", get(users::groups))
            .route("/api/v1/apps/{app}/groups", get(apps::groups))
            .route("/api/v1/apps/{app}/groups/{id}", get(apps::group))
            .route("/api/v1/logs", get(logs::list))
            .layer(axum::middleware::map_response_with_state(
                self.clone(),
                access::count,
            ))
            .with_state(self.clone());
        Served::start_on(listener, router, faults)
    }

    /// The directory that is shown.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Changes how the org behaves.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        self.with(|state| change(&mut state.behaviour));
    }

    /// Takes this token after the word `SSWS`; once more to change its rights.
    pub fn take_api_token(&self, token: &str, rights: Rights) {
        self.with(|state| state.api_tokens.insert(token.into(), rights));
    }

    /// Takes a service application; once more to change it. Tokens that it has keep their rights.
    pub fn take_service_app(&self, app: ServiceApp) {
        self.with(|state| state.apps.insert(app.client_id.clone(), app));
    }

    /// No access token given so far is taken any longer.
    pub fn expire_access_tokens(&self) {
        self.with(|state| state.access_tokens.clear());
    }

    /// The next requests to the API are answered so, one each.
    pub fn refuse(&self, busy: &[Busy]) {
        self.with(|state| state.busy.extend(busy));
    }

    /// Gives a user a status such as `SUSPENDED` instead of the one that follows from the directory.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn set_status(&self, user: &str, status: &str) {
        let label = match status {
            "ACTIVE" => "user.lifecycle.unsuspend",
            "SUSPENDED" => "user.lifecycle.suspend",
            "DEPROVISIONED" => "user.lifecycle.deactivate",
            "STAGED" => "user.lifecycle.create",
            _ => "user.account.update_profile",
        };
        self.with(|state| state.statuses.insert(user.into(), status.into()));
        self.directory.edit_user(user, |_| {});
        let sequence = self.directory.sequence();
        self.with(|state| state.labels.insert(sequence, label));
    }

    /// Gives a group another type than `OKTA_GROUP`.
    pub fn set_group_type(&self, group: &str, kind: &str) {
        self.with(|state| state.kinds.insert(group.into(), kind.into()));
    }

    /// The body of an event hook's call about every change after a number (see [`Directory::sequence`]).
    #[must_use]
    pub fn event_hook_body(&self, sequence: u64) -> Value {
        logs::event_hook_body(self, sequence)
    }

    pub(super) fn behaviour(&self) -> Behaviour {
        self.with(|state| state.behaviour.clone())
    }

    pub(super) fn base(&self) -> String {
        self.with(|state| state.base.clone())
    }

    pub(super) fn status(&self, user: &User) -> String {
        if let Some(status) = self.with(|state| state.statuses.get(&*user.id).cloned()) {
            return status;
        }
        let usable = user.enabled && user.life == Life::Live;
        if usable { "ACTIVE" } else { "DEPROVISIONED" }.into()
    }

    pub(super) fn kind(&self, group: &str) -> String {
        self.with(|state| state.kinds.get(group).cloned())
            .unwrap_or_else(|| "OKTA_GROUP".into())
    }

    /// Whether a caller sees a group.
    pub(super) fn shows(&self, group: &Group, rights: &Rights) -> bool {
        group.life == Life::Live && rights.sees_group(&group.id, &self.kind(&group.id))
    }

    /// Whether a user who is a member by the directory is shown as one.
    pub(super) fn is_member(&self, user: &User) -> bool {
        self.behaviour().deprovisioned_stay_members || self.status(user) != "DEPROVISIONED"
    }

    /// When it last became different whether a member is shown; `None` when it never did while somebody looked.
    pub(super) fn shown_since(&self, user: &User) -> Option<Timestamp> {
        let shown = self.is_member(user);
        self.with(|state| {
            let found = state.shown.entry(user.id.to_string()).or_insert((shown, None));
            if found.0 != shown {
                *found = (shown, Some(user.modified));
            }
            found.1
        })
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
