//! What handlers share.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use usher_core::{Mode, ProvisioningAdapter, PushProfile, SourceName};
use usher_engine::Engine;
use usher_scim::cursor::CursorKey;
use usher_storage::SourceKey;
use usher_webhook::Network;

use crate::access::Access;
use crate::config::Config;
use crate::mail::Mail;
use crate::pull::Readers;
use crate::pull::hooks::Gate;
use crate::requests::RequestLog;
use crate::signin::SignIn;
use crate::webhook::Webhooks;

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

impl AppState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The parts of [`AppState`].
pub struct Shared {
    /// The engine, and with it the database.
    pub engine: Engine,
    /// The configuration that the server was started with.
    pub config: Arc<Config>,
    /// The configured sources, by name.
    pub sources: Arc<HashMap<SourceName, Arc<PushSource>>>,
    /// The configured sources, to ask them.
    pub readers: Readers,
    /// Who may come in.
    pub access: Arc<Access>,
    /// The proxies that are believed.
    pub(crate) proxies: Arc<[Network]>,
    /// Who signs in to the console, and how.
    pub(crate) sign_in: Arc<SignIn>,
    /// The newest place of the feed that open pages were told.
    pub(crate) news: watch::Sender<i64>,
    /// How events are delivered.
    pub webhooks: Webhooks,
    /// How events are told by e-mail.
    pub mail: Mail,
    /// The URL that others reach this server by, without a slash at its end.
    pub public_url: Arc<str>,
    /// Cancelled when the server begins to stop: long work ends at its next step.
    pub stopping: CancellationToken,
    pub(crate) hooks: Arc<Gate>,
    /// What identity providers sent lately.
    pub(crate) requests: Arc<RequestLog>,
    pub(crate) cursor_key: CursorKey,
    pub(crate) metrics: Option<Arc<PrometheusHandle>>,
}

/// A configured source.
#[derive(Debug, Clone)]
pub struct PushSource {
    /// Its row in the database.
    pub key: SourceKey,
    /// Its name.
    pub name: SourceName,
    /// The kind of its adapter.
    pub kind: String,
    /// Who starts a change.
    pub mode: Mode,
    /// Its adapter.
    pub adapter: Arc<dyn ProvisioningAdapter>,
    /// How its SCIM client behaves.
    pub profile: PushProfile,
    /// Its SCIM root, without a slash at its end.
    pub base: Arc<str>,
}
