//! A directory, a fake Graph over it, and an adapter in front.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use usher_adapter_entra::{EntraAdapter, EntraConfig};
use usher_core::{
    AdapterError, ChangeSink, Checkpoint, DirectoryChange, ProvisioningAdapter as _, ReadOutcome,
    ReadRequest, ReadScope, RemoteGroupId, RemoteUserId, UnknownScope, WantedGroup,
};
use usher_fakes::graph::{Graph, Options};
use usher_fakes::{Directory, Fault, Faults, IdStyle};
use usher_outbound::Patience;

/// The time for an answer where all will come: a busy machine may take longer than a client should.
const PLENTY: Duration = Duration::from_secs(30);

/// The time for an answer where some will not come.
const LITTLE: Duration = Duration::from_millis(100);

pub(crate) struct World {
    pub(crate) directory: Directory,
    pub(crate) graph: Graph,
    pub(crate) faults: Faults,
}

/// What a read reported.
#[derive(Default)]
pub(crate) struct Report(pub(crate) Vec<DirectoryChange>);

#[async_trait]
impl ChangeSink for Report {
    async fn take(&mut self, changes: Vec<DirectoryChange>) -> Result<(), AdapterError> {
        self.0.extend(changes);
        Ok(())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(Directory::new(IdStyle::Guid)).await
    }

    pub(crate) async fn over(directory: Directory) -> Self {
        let faults = Faults::none();
        let options = Options {
            page_size: Some(2),
            ..Options::default()
        };
        let graph = Graph::start(directory.clone(), options, faults.clone())
            .await
            .expect("a free port");
        Self {
            directory,
            graph,
            faults,
        }
    }

    /// Settings that fit the fake, with a secret.
    pub(crate) fn settings(&self) -> Value {
        let options = self.graph.options();
        json!({
            "tenant_id": options.tenant,
            "client_id": options.client_id,
            "client_secret": options.secret,
            "application_id": options.application_id,
            "login_url": self.graph.url(),
            "graph_url": self.graph.url(),
        })
    }

    pub(crate) fn adapter(&self) -> EntraAdapter {
        if self.faults.holds(Fault::NoAnswer) {
            self.hasty_adapter()
        } else {
            adapter(self.settings())
        }
    }

    /// The same for a test in which some request gets no answer.
    pub(crate) fn hasty_adapter(&self) -> EntraAdapter {
        adapter_that_waits(self.settings(), LITTLE)
    }

    /// A group with these people, made as `<name>@contoso.example`; answers the ids.
    pub(crate) fn group(&self, name: &str, people: &[&str]) -> (String, Vec<String>) {
        let group = self.directory.add_group(name);
        let people = people
            .iter()
            .map(|name| {
                let id = self.directory.add_user(&format!("{name}@contoso.example"));
                self.directory.add_member(&group, &id);
                id.to_string()
            })
            .collect();
        (group.to_string(), people)
    }

    pub(crate) async fn read(
        &self,
        scope: ReadScope,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(Report, ReadOutcome), AdapterError> {
        let mut report = Report::default();
        let request = ReadRequest { scope, checkpoint };
        let outcome = self.adapter().read(request, &mut report).await?;
        Ok((report, outcome))
    }

    /// A read of groups that has to work.
    pub(crate) async fn read_groups(
        &self,
        groups: &[WantedGroup],
        checkpoint: Option<Checkpoint>,
    ) -> (Report, Option<Checkpoint>) {
        let scope = ReadScope::Groups(groups.to_vec());
        let (report, outcome) = self.read(scope, checkpoint).await.expect("a read");
        (report, outcome.checkpoint)
    }
}

pub(crate) fn adapter(settings: Value) -> EntraAdapter {
    adapter_that_waits(settings, PLENTY)
}

fn adapter_that_waits(settings: Value, timeout: Duration) -> EntraAdapter {
    let config: EntraConfig = serde_json::from_value(settings).expect("known settings");
    EntraAdapter::with_bounds(&config, Patience::none(), timeout).expect("settings that fit")
}

pub(crate) fn direct(id: &str) -> WantedGroup {
    WantedGroup {
        id: group_id(id),
        nested: false,
    }
}

pub(crate) fn nested(id: &str) -> WantedGroup {
    WantedGroup {
        id: group_id(id),
        nested: true,
    }
}

pub(crate) fn group_id(id: &str) -> RemoteGroupId {
    RemoteGroupId::new(id).expect("a short id")
}

pub(crate) fn user_id(id: &str) -> RemoteUserId {
    RemoteUserId::new(id).expect("a short id")
}

impl Report {
    /// Who was reported as a member of a group, in the order of ids.
    pub(crate) fn added(&self, to: &str) -> Vec<String> {
        let mut added: Vec<String> = self
            .0
            .iter()
            .filter_map(|change| match change {
                DirectoryChange::MemberAdded { group, member } if group.as_str() == to => {
                    Some(member.to_string())
                }
                _ => None,
            })
            .collect();
        added.sort();
        added
    }

    /// Who was reported to have left a group.
    pub(crate) fn removed(&self, from: &str) -> Vec<String> {
        self.0
            .iter()
            .filter_map(|change| match change {
                DirectoryChange::MemberRemoved { group, member } if group.as_str() == from => {
                    Some(member.to_string())
                }
                _ => None,
            })
            .collect()
    }

    /// Whether a group was reported as complete, and whether that was confirmed.
    pub(crate) fn complete(&self, id: &str) -> Option<bool> {
        self.0.iter().find_map(|change| match change {
            DirectoryChange::GroupMembersComplete { group, confirmed } if group.as_str() == id => {
                Some(*confirmed)
            }
            _ => None,
        })
    }

    /// Why a group was reported as unknown.
    pub(crate) fn unknown(&self, id: &str) -> Option<&str> {
        self.0.iter().find_map(|change| match change {
            DirectoryChange::Unknown {
                scope: UnknownScope::Group(group),
                reason,
            } if group.as_str() == id => Some(reason.as_str()),
            _ => None,
        })
    }

    /// Whether a user was reported as active and as a guest.
    pub(crate) fn user(&self, id: &str) -> Option<(bool, bool)> {
        self.0.iter().rev().find_map(|change| match change {
            DirectoryChange::UserUpserted(user) if user.id.as_str() == id => Some((user.active, user.guest)),
            _ => None,
        })
    }

    pub(crate) fn user_gone(&self, id: &str) -> bool {
        self.0.contains(&DirectoryChange::UserGone(user_id(id)))
    }

    pub(crate) fn group_gone(&self, id: &str) -> bool {
        self.0.contains(&DirectoryChange::GroupGone(group_id(id)))
    }

    /// Whether a group was reported to be assigned.
    pub(crate) fn assigned(&self, id: &str) -> Option<bool> {
        self.0.iter().find_map(|change| match change {
            DirectoryChange::ApplicationAssignment { group, assigned } if group.as_str() == id => {
                Some(*assigned)
            }
            _ => None,
        })
    }
}
