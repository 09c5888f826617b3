//! An org, an adapter for it, and what a read reports.

use std::time::Duration;

use async_trait::async_trait;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use usher_adapter_okta::{OktaAdapter, OktaConfig};
use usher_core::{
    AdapterError, ChangeSink, Checkpoint, DirectoryChange, ProvisioningAdapter as _, ReadOutcome,
    ReadRequest, ReadScope, RemoteGroupId, RemoteUserId, UnknownScope, WantedGroup,
};
use usher_fakes::okta::{Org, Rights, ServiceApp};
use usher_fakes::{Directory, Fault, Faults, IdStyle, Served};
use usher_outbound::{Builder, Patience};

/// The API token that the org takes.
pub(crate) const TOKEN: &str = "00FakeApiTokenOfAnAdministrator0123456789a";

/// The secret of the event hook.
pub(crate) const HOOK_SECRET: &str = "a-secret-of-the-event-hook-0123456789";

/// The client id of the service application.
pub(crate) const CLIENT: &str = "0oa1serviceapplicat0";

/// An org with a key pair for its service application.
pub(crate) struct World {
    pub(crate) org: Org,
    pub(crate) served: Served,
    pub(crate) faults: Faults,
    pub(crate) key: KeyPair,
}

impl World {
    /// An empty org that takes the API token.
    pub(crate) async fn new() -> Self {
        Self::of(Directory::new(IdStyle::Okta)).await
    }

    /// An org that shows a directory.
    pub(crate) async fn of(directory: Directory) -> Self {
        let org = Org::new(directory);
        let faults = Faults::none();
        let served = org.serve(faults.clone()).await.expect("a free port");
        org.take_api_token(TOKEN, Rights::all());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key pair");
        Self {
            org,
            served,
            faults,
            key,
        }
    }

    /// Registers the service application.
    pub(crate) fn take_app(&self, rights: Rights, dpop: bool) {
        self.org.take_service_app(ServiceApp {
            client_id: CLIENT.into(),
            public_key_pem: self.key.public_key_pem(),
            key_id: Some("the-key".into()),
            rights,
            dpop,
        });
    }

    /// Settings with the API token and these beside it.
    pub(crate) fn with_token(&self, more: &Value) -> Value {
        merged(json!({"org_url": self.served.url(), "api_token": TOKEN}), more)
    }

    /// Settings with the service application and these beside it.
    pub(crate) fn with_app(&self, more: &Value) -> Value {
        let own = json!({
            "org_url": self.served.url(),
            "client_id": CLIENT,
            "private_key": self.key.serialize_pem(),
            "key_id": "the-key",
            "algorithm": "ES256",
        });
        merged(own, more)
    }

    /// An adapter with the API token.
    pub(crate) fn adapter(&self) -> OktaAdapter {
        adapter(&self.with_token(&json!({})))
    }

    /// A group with members of these names, who are new to the org.
    pub(crate) fn group_of(&self, name: &str, people: &[&str]) -> (String, Vec<String>) {
        let directory = self.org.directory();
        let group = directory.add_group(name);
        let ids = people.iter().map(|person| {
            let id = directory.add_user(&format!("{person}@contoso.example"));
            directory.add_member(&group, &id);
            id.to_string()
        });
        let ids = ids.collect();
        (group.to_string(), ids)
    }
}

/// An adapter with these settings. It gives up on the first refusal to answer.
pub(crate) fn adapter(settings: &Value) -> OktaAdapter {
    let config: OktaConfig = serde_json::from_value(settings.clone()).expect("settings");
    OktaAdapter::tuned(&config, impatient).expect("settings that can work")
}

/// The same for a test in which some request gets no answer.
pub(crate) fn hurried_adapter(settings: &Value) -> OktaAdapter {
    let config: OktaConfig = serde_json::from_value(settings.clone()).expect("settings");
    OktaAdapter::tuned(&config, |builder| {
        impatient(builder).timeout(Duration::from_millis(100))
    })
    .expect("settings that can work")
}

/// An adapter for a test with this fault.
pub(crate) fn adapter_under(fault: Fault, settings: &Value) -> OktaAdapter {
    if fault == Fault::NoAnswer {
        hurried_adapter(settings)
    } else {
        adapter(settings)
    }
}

/// No second tries. The time for an answer is long enough for a machine that has other work to do.
pub(crate) fn impatient(builder: Builder) -> Builder {
    builder
        .patience(Patience::none())
        .timeout(Duration::from_secs(10))
}

fn merged(mut settings: Value, more: &Value) -> Value {
    if let (Some(settings), Some(more)) = (settings.as_object_mut(), more.as_object()) {
        settings.extend(more.clone());
    }
    settings
}

/// A group that is wanted.
pub(crate) fn wanted(id: &str) -> WantedGroup {
    WantedGroup {
        id: RemoteGroupId::new(id).expect("a short id"),
        nested: false,
    }
}

/// A complete read of groups.
pub(crate) fn groups(ids: &[&str]) -> ReadRequest {
    ReadRequest::of_groups(ids.iter().map(|id| wanted(id)).collect())
}

/// A read of groups from a checkpoint.
pub(crate) fn groups_since(ids: &[&str], checkpoint: &Option<Checkpoint>) -> ReadRequest {
    ReadRequest {
        checkpoint: checkpoint.clone(),
        ..groups(ids)
    }
}

/// A read of a person.
pub(crate) fn person(user: &str, groups: &[&str]) -> ReadRequest {
    ReadRequest {
        scope: ReadScope::Person {
            user: RemoteUserId::new(user).expect("a short id"),
            groups: groups.iter().map(|id| wanted(id)).collect(),
        },
        checkpoint: None,
    }
}

/// What a read reported, and how it ended.
pub(crate) struct Report {
    pub(crate) changes: Vec<DirectoryChange>,
    pub(crate) outcome: Result<ReadOutcome, AdapterError>,
}

#[derive(Default)]
struct Sink(Vec<DirectoryChange>);

#[async_trait]
impl ChangeSink for Sink {
    async fn take(&mut self, changes: Vec<DirectoryChange>) -> Result<(), AdapterError> {
        self.0.extend(changes);
        Ok(())
    }
}

/// Reads.
pub(crate) async fn read(adapter: &OktaAdapter, request: ReadRequest) -> Report {
    let mut sink = Sink::default();
    let outcome = adapter.read(request, &mut sink).await;
    Report {
        changes: sink.0,
        outcome,
    }
}

impl Report {
    /// Where the read ended.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        self.outcome
            .as_ref()
            .expect("a read that worked")
            .checkpoint
            .clone()
    }

    /// Ids of the members reported of a group, in order.
    pub(crate) fn members(&self, group: &str) -> Vec<&str> {
        let members = self.changes.iter().filter_map(|change| match change {
            DirectoryChange::MemberAdded { group: id, member } if id.as_str() == group => {
                Some(member.as_str())
            }
            _ => None,
        });
        members.collect()
    }

    /// Whether a group was complete, and confirmed.
    pub(crate) fn complete(&self, group: &str) -> Option<bool> {
        self.changes.iter().find_map(|change| match change {
            DirectoryChange::GroupMembersComplete { group: id, confirmed } if id.as_str() == group => {
                Some(*confirmed)
            }
            _ => None,
        })
    }

    /// Why a group is unknown.
    pub(crate) fn unknown_group(&self, group: &str) -> Option<&str> {
        self.unknown(|scope| matches!(scope, UnknownScope::Group(id) if id.as_str() == group))
    }

    /// Why a user is unknown.
    pub(crate) fn unknown_user(&self, user: &str) -> Option<&str> {
        self.unknown(|scope| matches!(scope, UnknownScope::User(id) if id.as_str() == user))
    }

    /// Why the rest is unknown.
    pub(crate) fn unknown_rest(&self) -> Option<&str> {
        self.unknown(|scope| *scope == UnknownScope::Rest)
    }

    /// Whether a user was reported, and as active.
    pub(crate) fn active(&self, user: &str) -> Option<bool> {
        self.changes.iter().rev().find_map(|change| match change {
            DirectoryChange::UserUpserted(record) if record.id.as_str() == user => Some(record.active),
            _ => None,
        })
    }

    fn unknown(&self, about: impl Fn(&UnknownScope) -> bool) -> Option<&str> {
        self.changes.iter().find_map(|change| match change {
            DirectoryChange::Unknown { scope, reason } if about(scope) => Some(reason.as_str()),
            _ => None,
        })
    }
}
