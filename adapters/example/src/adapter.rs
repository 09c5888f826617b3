//! The provisioning trait for Acme Directory.

use std::time::Duration;

use async_trait::async_trait;
use serde::de::IgnoredAny;
use usher_core::{
    AdapterDescription, AdapterError, Capabilities, ChangeSink, CheckReport, GroupQuery, GroupSummary, Mode,
    Permission, PermissionCheck, PermissionState, ProvisioningAdapter, PushProfile, ReadOutcome, ReadRequest,
    ReadScope,
};
use usher_outbound::Patience;

use crate::client::{Acme, Found};
use crate::config::AcmeConfig;
use crate::read::Reading;
use crate::wire::{Group, Page};
use crate::{KIND, record};

/// How long Acme may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What can be asked for, in Acme's words: the permission, the list that needs it, and what it is for.
const PERMISSIONS: [(&str, &str, &str); 2] = [
    ("directory:groups", "groups", "groups, and who is in them"),
    (
        "directory:people",
        "people",
        "names, addresses, and whether an account is disabled",
    ),
];

/// Reads Acme Directory, where it has a token for that.
#[derive(Debug)]
pub struct AcmeAdapter {
    acme: Option<Acme>,
}

impl AcmeAdapter {
    /// An adapter with these settings.
    ///
    /// # Errors
    /// [`usher_core::ErrorKind::InvalidConfig`] with what is wrong.
    pub fn new(config: &AcmeConfig) -> Result<Self, AdapterError> {
        Self::with(config, Patience::default(), TIMEOUT)
    }

    /// As [`AcmeAdapter::new`], with other bounds on waiting.
    ///
    /// # Errors
    /// [`usher_core::ErrorKind::InvalidConfig`] with what is wrong.
    pub fn with(config: &AcmeConfig, patience: Patience, timeout: Duration) -> Result<Self, AdapterError> {
        let connection = config.connection(patience, timeout)?;
        Ok(Self {
            acme: connection.map(|(client, root)| Acme::new(client, root)),
        })
    }

    fn acme(&self, operation: &'static str) -> Result<&Acme, AdapterError> {
        let message = "this source is only pushed to; give it a base_url and a token to read it";
        self.acme
            .as_ref()
            .ok_or_else(|| AdapterError::unsupported(operation, message))
    }
}

#[async_trait]
impl ProvisioningAdapter for AcmeAdapter {
    fn describe(&self) -> AdapterDescription {
        let pulls = self.acme.is_some();
        let modes = if pulls {
            vec![Mode::Push, Mode::Pull, Mode::Both]
        } else {
            vec![Mode::Push]
        };
        AdapterDescription {
            kind: KIND,
            modes,
            capabilities: Capabilities {
                disabled_users: pulls,
                stable_ids: true,
                application_assignments: pulls,
                person_reads: pulls,
                permissions: if pulls { permissions() } else { Vec::new() },
                ..Capabilities::default()
            },
        }
    }

    fn push_profile(&self) -> PushProfile {
        PushProfile {
            trusts_external_id: true,
            ..PushProfile::default()
        }
    }

    async fn check(&self) -> Result<CheckReport, AdapterError> {
        let guidance = vec![
            "In Acme, under Provisioning, enter Usher's SCIM address and a token of this source.".to_owned(),
            "To let Usher read as well, make a token under API access and put it into source.settings."
                .to_owned(),
        ];
        let mut report = CheckReport {
            guidance,
            ..CheckReport::default()
        };
        let Some(acme) = &self.acme else {
            return Ok(report);
        };
        let mut failed = None;
        for (permission, (_, list, _)) in permissions().into_iter().zip(PERMISSIONS) {
            let state = match acme.get::<Page<IgnoredAny>>("check", &[list], &[]).await {
                Ok(Found::Yes(_)) => PermissionState::Works,
                Ok(Found::No(refusal)) => PermissionState::Missing(refusal.error.to_string()),
                Err(error) => {
                    let state = PermissionState::Unknown(error.to_string());
                    failed = Some(error);
                    state
                }
            };
            report.permissions.push(PermissionCheck { permission, state });
        }
        let known = |found: &PermissionCheck| !matches!(found.state, PermissionState::Unknown(_));
        match failed {
            Some(error) if !report.permissions.iter().any(known) => Err(error),
            _ => Ok(report),
        }
    }

    async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        let acme = self.acme("list_groups")?;
        let mut groups = Vec::new();
        if let Some(id) = &query.id {
            let found = acme.get("list_groups", &["groups", id.as_str()], &[]).await?;
            if let Found::Yes(group) = found {
                groups.push(summary(&group)?);
            }
            groups.truncate(query.limit);
            return Ok(groups);
        }
        let prefix = query.name_prefix.as_deref();
        let mut pages = acme.list("list_groups", &["groups"]).with_prefix(prefix);
        while groups.len() < query.limit {
            match pages.next::<Group>().await? {
                None => break,
                Some(Found::No(refusal)) => return Err(refusal.error),
                Some(Found::Yes(page)) => {
                    for group in &page {
                        groups.push(summary(group)?);
                    }
                }
            }
        }
        groups.truncate(query.limit);
        Ok(groups)
    }

    async fn read(
        &self,
        request: ReadRequest,
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        let mut reading = Reading::new(self.acme("read")?, sink);
        match request.scope {
            ReadScope::Groups(groups) => {
                for wanted in &groups {
                    reading.group(wanted).await?;
                }
            }
            ReadScope::AllGroups => reading.all_groups().await?,
            ReadScope::Person { user, groups } => reading.person(&user, &groups).await?,
        }
        // Acme has no list of changes: every read is from the beginning.
        Ok(ReadOutcome::default())
    }
}

fn permissions() -> Vec<Permission> {
    let permission = |(name, _, why): (&str, &str, &str)| Permission {
        name: name.into(),
        why: why.into(),
    };
    PERMISSIONS.map(permission).into()
}

fn summary(group: &Group) -> Result<GroupSummary, AdapterError> {
    Ok(GroupSummary {
        id: record::group_id(&group.id)?,
        display_name: group.name.clone(),
        kind: "group".into(),
        members: Some(group.people),
        guests: None,
        nested_groups: None,
        assigned: Some(group.assigned),
    })
}
