//! An adapter that reads a directory in memory, and fails or waits as a test tells it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;
use usher_core::{
    AdapterDescription, AdapterError, Capabilities, ChangeSink, CheckReport, Checkpoint, DirectoryChange,
    ErrorKind, GroupQuery, GroupRecord, GroupSummary, Mode, Notification, NotificationAnswer, Permission,
    PermissionCheck, PermissionState, ProvisioningAdapter, PushProfile, ReadOutcome, ReadRequest, ReadScope,
    RemoteGroupId, RemoteUserId, RetryAdvice, Settings, UserRecord,
};
use usher_server::Usher;

/// What a call shall fail with.
pub(crate) type Failure = fn() -> AdapterError;

/// The directory of one test, and what happened to it.
#[derive(Debug, Default)]
pub(crate) struct Script {
    inner: Mutex<Inner>,
    /// A read waits here before its second half, when there is one.
    pub(crate) gate: Mutex<Option<Arc<Gate>>>,
    /// How many calls to the provider were made.
    pub(crate) calls: AtomicU64,
}

/// Where a read waits.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) reached: Notify,
    pub(crate) open: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    groups: BTreeMap<String, BTreeSet<String>>,
    failure: Option<Failure>,
    once: Option<Failure>,
    tenant: Option<String>,
    missing: Option<String>,
    reads: Vec<ReadRequest>,
}

impl Script {
    /// Puts people into a group, and nobody else.
    pub(crate) fn group(&self, group: &str, people: &[&str]) {
        let people = people.iter().map(|&name| name.to_owned()).collect();
        self.inner
            .lock()
            .expect("no panic")
            .groups
            .insert(group.to_owned(), people);
    }

    /// From now on every call fails so, or none.
    pub(crate) fn fail(&self, failure: Option<Failure>) {
        self.inner.lock().expect("no panic").failure = failure;
    }

    /// The next call fails so.
    pub(crate) fn fail_once(&self, failure: Failure) {
        self.inner.lock().expect("no panic").once = Some(failure);
    }

    /// From now on this tenant answers.
    pub(crate) fn tenant(&self, tenant: &str) {
        self.inner.lock().expect("no panic").tenant = Some(tenant.to_owned());
    }

    /// From now on the one permission is missing.
    pub(crate) fn missing(&self, what_breaks: &str) {
        self.inner.lock().expect("no panic").missing = Some(what_breaks.to_owned());
    }

    /// The reads that were asked for so far.
    pub(crate) fn reads(&self) -> Vec<ReadRequest> {
        self.inner.lock().expect("no panic").reads.clone()
    }

    fn call(&self) -> Result<(), AdapterError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.inner.lock().expect("no panic");
        match inner.once.take().or(inner.failure) {
            Some(failure) => Err(failure()),
            None => Ok(()),
        }
    }

    fn members(&self, group: &RemoteGroupId) -> Option<BTreeSet<String>> {
        self.inner
            .lock()
            .expect("no panic")
            .groups
            .get(group.as_str())
            .cloned()
    }
}

/// Scripts by the name that the settings of a source give.
static SCRIPTS: LazyLock<Mutex<HashMap<String, Arc<Script>>>> = LazyLock::new(Mutex::default);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    script: String,
}

/// The script with a name; an empty one at first.
pub(crate) fn script(name: &str) -> Arc<Script> {
    let mut scripts = SCRIPTS.lock().expect("no panic");
    Arc::clone(scripts.entry(name.to_owned()).or_default())
}

/// The program with this adapter.
pub(crate) fn usher() -> Usher {
    Usher::new().register("stub", |settings: &Settings| {
        let named: Named = settings.read()?;
        Ok(Arc::new(Stub(script(&named.script))))
    })
}

#[derive(Debug)]
struct Stub(Arc<Script>);

#[async_trait]
impl ProvisioningAdapter for Stub {
    fn describe(&self) -> AdapterDescription {
        AdapterDescription {
            kind: "stub",
            modes: vec![Mode::Pull, Mode::Both],
            capabilities: Capabilities {
                delta_reads: true,
                disabled_users: true,
                stable_ids: true,
                person_reads: true,
                notifications: true,
                permissions: vec![permission()],
                ..Capabilities::default()
            },
        }
    }

    fn push_profile(&self) -> PushProfile {
        PushProfile::default()
    }

    async fn check(&self) -> Result<CheckReport, AdapterError> {
        self.0.call()?;
        let inner = self.0.inner.lock().expect("no panic");
        let state = inner
            .missing
            .clone()
            .map_or(PermissionState::Works, PermissionState::Missing);
        Ok(CheckReport {
            permissions: vec![PermissionCheck {
                permission: permission(),
                state,
            }],
            guidance: vec!["grant Directory.Read to the application".into()],
            tenant: inner.tenant.clone(),
        })
    }

    async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        self.0.call()?;
        let inner = self.0.inner.lock().expect("no panic");
        let found = inner.groups.iter().filter(|(name, _)| match &query.id {
            Some(id) => id.as_str() == *name,
            None => query
                .name_prefix
                .as_ref()
                .is_none_or(|prefix| name.starts_with(prefix)),
        });
        let found = found.take(query.limit).map(|(name, members)| GroupSummary {
            id: group_id(name),
            display_name: name.clone(),
            kind: "security".into(),
            members: Some(members.len() as u64),
            guests: Some(1),
            nested_groups: Some(2),
            assigned: Some(true),
        });
        Ok(found.collect())
    }

    async fn read(
        &self,
        request: ReadRequest,
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        self.0.call()?;
        self.0.inner.lock().expect("no panic").reads.push(request.clone());
        match request.scope {
            ReadScope::Groups(groups) => {
                for group in groups {
                    self.read_group(group.id, sink).await?;
                }
            }
            ReadScope::Person { user, groups } => {
                let mut changes = vec![DirectoryChange::UserUpserted(Box::new(record(user.as_str())))];
                for group in groups {
                    let inside = self
                        .0
                        .members(&group.id)
                        .is_some_and(|people| people.contains(user.as_str()));
                    let (group, member) = (group.id, user.clone());
                    changes.push(if inside {
                        DirectoryChange::MemberAdded { group, member }
                    } else {
                        DirectoryChange::MemberRemoved { group, member }
                    });
                }
                sink.take(changes).await?;
                return Ok(ReadOutcome::default());
            }
            ReadScope::AllGroups => {}
        }
        let checkpoint = Some(Checkpoint(json!({ "v": 1 }).to_string()));
        Ok(ReadOutcome { checkpoint })
    }

    async fn notification(&self, notification: Notification) -> Result<NotificationAnswer, AdapterError> {
        if let Some((_, challenge)) = notification
            .query
            .iter()
            .find(|(name, _)| name == "validationToken")
        {
            return Ok(NotificationAnswer {
                body: Some(("text/plain", challenge.clone())),
                ..NotificationAnswer::default()
            });
        }
        if notification.header("x-secret") != Some("agreed") {
            let message = "the call does not carry the secret";
            let (kind, advice) = (ErrorKind::Unauthorised, RetryAdvice::Never);
            return Err(AdapterError::new(kind, advice, "notification", message));
        }
        let user = String::from_utf8_lossy(&notification.body).into_owned();
        Ok(NotificationAnswer {
            users: RemoteUserId::new(user).into_iter().collect(),
            ..NotificationAnswer::default()
        })
    }
}

impl Stub {
    /// All of a group. The whole answer may wait at the gate after the first half.
    async fn read_group(&self, group: RemoteGroupId, sink: &mut dyn ChangeSink) -> Result<(), AdapterError> {
        let Some(people) = self.0.members(&group) else {
            sink.take(vec![DirectoryChange::GroupGone(group)]).await?;
            return Ok(());
        };
        let upserted = DirectoryChange::GroupUpserted(Box::new(GroupRecord {
            id: group.clone(),
            external_id: Some(format!("x-{group}")),
            display_name: group.to_string(),
            resource: serde_json::Map::new(),
        }));
        let mut changes = vec![upserted];
        for name in &people {
            let member = record(name);
            let added = DirectoryChange::MemberAdded {
                group: group.clone(),
                member: member.id.clone(),
            };
            changes.extend([DirectoryChange::UserUpserted(Box::new(member)), added]);
        }
        sink.take(changes).await?;
        let gate = self.0.gate.lock().expect("no panic").clone();
        if let Some(gate) = gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        let confirmed = true;
        sink.take(vec![DirectoryChange::GroupMembersComplete { group, confirmed }])
            .await
    }
}

fn permission() -> Permission {
    Permission {
        name: "Directory.Read".into(),
        why: "to see who is in a group".into(),
    }
}

fn group_id(name: &str) -> RemoteGroupId {
    RemoteGroupId::new(name).expect("a short name")
}

fn record(name: &str) -> UserRecord {
    let email = format!("{name}@contoso.com");
    let resource = json!({ "userName": email, "displayName": name, "active": true,
        "emails": [{ "value": email, "type": "work", "primary": true }] });
    let serde_json::Value::Object(resource) = resource else {
        unreachable!("an object");
    };
    UserRecord {
        id: RemoteUserId::new(name).expect("a short name"),
        external_id: Some(name.to_owned()),
        user_name: email.clone(),
        email: Some(email),
        display_name: Some(name.to_owned()),
        active: true,
        guest: false,
        resource,
    }
}
