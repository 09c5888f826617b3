//! The trait, for a provider that only pushes.

use async_trait::async_trait;
use usher_core::{
    AdapterDescription, AdapterError, Capabilities, ChangeSink, CheckReport, GroupQuery, GroupSummary, Mode,
    ProvisioningAdapter, PushProfile, ReadOutcome, ReadRequest,
};

use crate::{KIND, ScimConfig};

/// A provider that pushes over SCIM and that is known by nothing else.
#[derive(Debug)]
pub struct ScimAdapter {
    profile: PushProfile,
}

impl ScimAdapter {
    /// An adapter with these settings.
    #[must_use]
    pub fn new(config: &ScimConfig) -> Self {
        Self {
            profile: PushProfile::from(config),
        }
    }
}

#[async_trait]
impl ProvisioningAdapter for ScimAdapter {
    fn describe(&self) -> AdapterDescription {
        AdapterDescription {
            kind: KIND,
            modes: vec![Mode::Push],
            capabilities: Capabilities {
                disabled_users: true,
                stable_ids: self.profile.trusts_external_id,
                ..Capabilities::default()
            },
        }
    }

    fn push_profile(&self) -> PushProfile {
        self.profile.clone()
    }

    async fn check(&self) -> Result<CheckReport, AdapterError> {
        let guidance = [
            "enter the SCIM URL of this source and a token made with `usher token create` at the identity provider",
            "push users before groups; a group has no effect until its mapping is confirmed",
            "leave guests and people from outside out of the assignment: they get into no room",
            "send a group's immutable id as externalId where the provider allows it",
        ];
        Ok(CheckReport {
            guidance: guidance.map(String::from).to_vec(),
            ..CheckReport::default()
        })
    }

    async fn list_groups(&self, _: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        Err(push_only("list_groups"))
    }

    async fn read(&self, _: ReadRequest, _: &mut dyn ChangeSink) -> Result<ReadOutcome, AdapterError> {
        Err(push_only("read"))
    }
}

fn push_only(operation: &'static str) -> AdapterError {
    AdapterError::unsupported(
        operation,
        "a source of kind scim is pushed to and cannot be read; wait for its next push",
    )
}

#[cfg(test)]
mod tests {
    use usher_core::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_and_the_guidance_says_what_to_do() {
        let adapter = ScimAdapter::new(&ScimConfig::default());
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
