//! The trait, for Okta.

use async_trait::async_trait;
use secrecy::SecretString;
use usher_core::{
    AdapterDescription, AdapterError, Capabilities, ChangeSink, CheckReport, GroupQuery, GroupSummary, Mode,
    Notification, NotificationAnswer, ProvisioningAdapter, PushProfile, ReadOutcome, ReadRequest,
};
use usher_outbound::Builder;

use crate::check::{self, Need};
use crate::client::Okta;
use crate::config::{OktaConfig, PullSettings};
use crate::{KIND, hook, list, read};

/// An Okta org: it pushes over SCIM, and its management API is read.
#[derive(Debug)]
pub struct OktaAdapter {
    profile: PushProfile,
    pull: Option<Pull>,
    hook_secret: Option<SecretString>,
}

#[derive(Debug)]
struct Pull {
    settings: PullSettings,
    okta: Okta,
    tune: Option<fn(Builder) -> Builder>,
}

impl OktaAdapter {
    /// An adapter with these settings. No I/O.
    ///
    /// # Errors
    /// [`usher_core::ErrorKind::InvalidConfig`] naming the setting that is missing or cannot work.
    pub fn new(config: &OktaConfig) -> Result<Self, AdapterError> {
        Self::build(config, None)
    }

    /// As [`OktaAdapter::new`], with every client for Okta changed by `tune`, for instance in its patience.
    ///
    /// # Errors
    /// As [`OktaAdapter::new`].
    pub fn tuned(config: &OktaConfig, tune: fn(Builder) -> Builder) -> Result<Self, AdapterError> {
        Self::build(config, Some(tune))
    }

    fn build(config: &OktaConfig, tune: Option<fn(Builder) -> Builder>) -> Result<Self, AdapterError> {
        let pull = match config.pull()? {
            Some(settings) => {
                let scopes: Vec<_> = Need::of(&settings).into_iter().map(Need::scope).collect();
                let okta = Okta::connect(&settings, &scopes, tune)?;
                Some(Pull { settings, okta, tune })
            }
            None => None,
        };
        Ok(Self {
            profile: PushProfile::from(config),
            pull,
            hook_secret: config.event_hook_secret.clone(),
        })
    }

    fn pull(&self, operation: &'static str) -> Result<&Pull, AdapterError> {
        self.pull.as_ref().ok_or_else(|| {
            AdapterError::unsupported(
                operation,
                "this source is pushed to only; set org_url and a credential to read Okta",
            )
        })
    }
}

#[async_trait]
impl ProvisioningAdapter for OktaAdapter {
    fn describe(&self) -> AdapterDescription {
        let Some(pull) = &self.pull else {
            return AdapterDescription {
                kind: KIND,
                modes: vec![Mode::Push],
                capabilities: Capabilities {
                    disabled_users: true,
                    stable_ids: true,
                    ..Capabilities::default()
                },
            };
        };
        AdapterDescription {
            kind: KIND,
            modes: vec![Mode::Push, Mode::Pull, Mode::Both],
            capabilities: Capabilities {
                delta_reads: true,
                nested_groups: false,
                disabled_users: true,
                stable_ids: true,
                application_assignments: pull.settings.application_id.is_some(),
                person_reads: true,
                notifications: self.hook_secret.is_some(),
                max_groups_per_read: None,
                permissions: Need::of(&pull.settings)
                    .into_iter()
                    .map(Need::permission)
                    .collect(),
            },
        }
    }

    fn push_profile(&self) -> PushProfile {
        self.profile.clone()
    }

    async fn check(&self) -> Result<CheckReport, AdapterError> {
        match &self.pull {
            Some(pull) => check::check(&pull.settings, pull.tune).await,
            None => Ok(CheckReport {
                guidance: check::guidance(None),
                ..CheckReport::default()
            }),
        }
    }

    async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError> {
        let pull = self.pull("list_groups")?;
        list::groups(&pull.okta, &pull.settings, query).await
    }

    async fn read(
        &self,
        request: ReadRequest,
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError> {
        let pull = self.pull("read")?;
        read::read(&pull.okta, &pull.settings, request, sink).await
    }

    async fn notification(&self, notification: Notification) -> Result<NotificationAnswer, AdapterError> {
        match &self.hook_secret {
            Some(secret) => hook::take(&notification, secret),
            None => Err(AdapterError::unsupported(
                "notification",
                "no event hook is expected; set event_hook_secret to take its calls",
            )),
        }
    }
}
