//! The trait.

use async_trait::async_trait;
use usher_core::{
    AdapterDescription, AdapterError, Capabilities, ChangeSink, CheckReport, Clock, ErrorKind, GroupQuery,
    GroupSummary, Mode, ProvisioningAdapter, PushProfile, ReadOutcome, ReadRequest, ReadScope, RetryAdvice,
};

use crate::announced::Announced;
use crate::client::{Calls, Found, ScimClient};
use crate::read::Asked;
use crate::reading::Reading;
use crate::{KIND, MembersFrom, PullConfig, ScimConfig, check, groups};

/// A provider that speaks SCIM and that is known by nothing else.
#[derive(Debug)]
pub struct ScimAdapter {
    profile: PushProfile,
    pull: Option<Pull>,
}

/// What reading takes.
#[derive(Debug)]
struct Pull {
    client: ScimClient,
    config: PullConfig,
    calls: Calls,
}

impl ScimAdapter {
    /// An adapter with these settings. No I/O.
    ///
    /// # Errors
    /// [`usher_core::ErrorKind::InvalidConfig`] for settings for reading that cannot work.
    pub fn new(config: &ScimConfig) -> Result<Self, AdapterError> {
        Self::with(config, Calls::default())
    }

    /// An adapter that makes its calls so.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(config: &ScimConfig, calls: Calls) -> Result<Self, AdapterError> {
        let pull = config.pull.clone().map(|config| {
            let client = ScimClient::new(&config, &calls)?;
            Ok(Pull {
                client,
                config,
                calls,
            })
        });
        Ok(Self {
            profile: PushProfile::from(config),
            pull: pull.transpose()?,
        })
    }

    fn pull(&self, operation: &'static str) -> Result<&Pull, AdapterError> {
        self.pull.as_ref().ok_or_else(|| {
            AdapterError::unsupported(
                operation,
                "this source is pushed to and cannot be read; wait for its next push, or add source.settings.pull",
            )
        })
    }
}

impl Pull {
    /// What is announced; nothing where that cannot be read.
    async fn announced(&self) -> Result<Announced, AdapterError> {
        Ok(match self.client.announced().await? {
            Found::There(announced) => announced,
            Found::NotThere | Found::Forbidden(_) | Found::Odd(_) => Announced::default(),
        })
    }
}

#[async_trait]
impl ProvisioningAdapter for ScimAdapter {
    fn describe(&self) -> AdapterDescription {
        let pulls = self.pull.is_some();
        let modes = if pulls {
            vec![Mode::Push, Mode::Pull, Mode::Both]
        } else {
            vec![Mode::Push]
        };
        AdapterDescription {
            kind: KIND,
            modes,
            capabilities: Capabilities {
                delta_reads: self.pull.as_ref().is_some_and(|pull| pull.config.tells_changes()),
                nested_groups: self
                    .pull
                    .as_ref()
                    .is_some_and(|pull| pull.config.members != MembersFrom::Users),
                disabled_users: true,
                stable_ids: pulls || self.profile.trusts_external_id,
                person_reads: pulls,
                permissions: if pulls { check::permissions() } else { Vec::new() },
                ..Capabilities::default()
            },
        }
    }

    fn push_profile(&self) -> PushProfile {
        self.profile.clone()
    }

    async fn check(&self) -> Result<CheckReport, AdapterError> {
        let report = match &self.pull {
            Some(pull) => check::check(&pull.client).await?,
            None => CheckReport::default(),
        };
        let to_push = [
            "to push: enter the SCIM URL of this source and a token made with `usher token create` at the identity provider",
            "to push: users go before groups; a group has no effect until its mapping is confirmed",
            "to push: send a group's immutable id as externalId where the provider allows it",
        ];
        let to_pull = [
            "to pull: make a credential at the identity provider that may read /Users and /Groups, and nothing else",
            "to pull: let it see every user and group that matters; what it does not see stays as it is",
        ];
        let both = ["leave guests and people from outside out of the assignment: they get into no room"];
        let to_pull = to_pull.iter().filter(|_| self.pull.is_some());
        let guidance = to_push.iter().chain(to_pull).chain(&both);
        Ok(CheckReport {
            guidance: guidance.map(|line| String::from(*line)).collect(),
            ..report
        })
    }

    async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        let pull = self.pull("list_groups")?;
        let announced = pull.announced().await?;
        let listed = groups::list(&pull.client, &announced, pull.config.page_size, &query).await;
        listed.map_err(begin_again)
    }

    async fn read(
        &self,
        request: ReadRequest,
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        let pull = self.pull("read")?;
        let began = pull.calls.clock.now();
        let announced = pull.announced().await?;
        let config = &pull.config;
        let guests = &self.profile.guest_marks;
        let mut reading = Reading::new(
            &pull.client,
            announced,
            config.page_size,
            config.members,
            guests,
            sink,
        );
        let wanted = match &request.scope {
            ReadScope::Groups(groups) => Some(groups.as_slice()),
            ReadScope::AllGroups => None,
            ReadScope::Person { user, groups } => {
                let told = reading.person(user, groups, config.members).await;
                told.map_err(begin_again)?;
                return Ok(ReadOutcome::default());
            }
        };
        let asked = Asked {
            groups: wanted,
            checkpoint: request.checkpoint.as_ref(),
            detect_changes: config.tells_changes(),
        };
        let clock: &dyn Clock = &*pull.calls.clock;
        let read = reading.groups(&asked, || clock.now().since(began)).await;
        let checkpoint = match asked.checkpoint {
            Some(_) => read?,
            None => read.map_err(begin_again)?,
        };
        Ok(ReadOutcome { checkpoint })
    }
}

/// Without a checkpoint nothing can have expired but the place in a list: the same call may do better.
fn begin_again(error: AdapterError) -> AdapterError {
    if error.kind() != ErrorKind::CheckpointExpired {
        return error;
    }
    let message = "the provider forgot the place in a list";
    AdapterError::new(
        ErrorKind::Unavailable,
        RetryAdvice::Now,
        error.operation(),
        message,
    )
    .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_pull_nothing_is_read_and_the_guidance_says_what_to_do() {
        let adapter = ScimAdapter::new(&ScimConfig::default()).expect("no settings are needed");
        let error = adapter
            .list_groups(GroupQuery::default())
            .await
            .expect_err("push only");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let report = adapter.check().await.expect("no call is made");
        assert!(report.permissions.is_empty() && !report.guidance.is_empty());
        assert_eq!(adapter.describe().modes, [Mode::Push]);
    }
}
