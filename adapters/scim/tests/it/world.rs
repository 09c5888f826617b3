//! A fake service provider, and adapters that read it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use usher_adapter_scim::{Calls, ScimAdapter, ScimConfig};
use usher_core::{ManualClock, Timestamp};
use usher_fakes::scim::{CLIENT_ID, CLIENT_SECRET, Habits, ScimServer, TOKEN};
use usher_fakes::{Directory, Faults};
use usher_outbound::Patience;

/// A provider that stops when this is dropped.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) directory: Directory,
    pub(crate) faults: Faults,
    pub(crate) server: ScimServer,
}

impl World {
    /// The directory, shown with these habits.
    pub(crate) async fn new(directory: Directory, habits: Habits) -> Self {
        let faults = Faults::none();
        let server = ScimServer::start(&directory, habits, faults.clone())
            .await
            .expect("a free port");
        Self {
            directory,
            faults,
            server,
        }
    }

    /// An adapter with the token that the provider takes, and these settings of `pull` beside it.
    pub(crate) fn adapter(&self, more: &Value) -> ScimAdapter {
        let mut pull = json!({"base_url": self.server.base_url(), "bearer_token": TOKEN});
        let settings = pull.as_object_mut().expect("an object");
        settings.extend(more.as_object().cloned().unwrap_or_default());
        adapter(json!({"pull": pull, "guest_user_types": ["Guest"]}))
    }

    /// An adapter that gets its tokens from the provider's token endpoint.
    pub(crate) fn adapter_with_oauth(&self, authentication: &str) -> ScimAdapter {
        let oauth = json!({"token_url": self.server.token_url(), "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET, "scopes": ["scim.read"], "authentication": authentication});
        adapter(json!({"pull": {"base_url": self.server.base_url(), "oauth": oauth}}))
    }
}

/// An adapter without patience, on a clock that stands still.
pub(crate) fn adapter(settings: Value) -> ScimAdapter {
    let config: ScimConfig = serde_json::from_value(settings).expect("known settings");
    let calls = Calls {
        patience: Patience::none(),
        timeout: Duration::from_millis(250),
        clock: Arc::new(ManualClock::new(Timestamp::from_micros(0))),
    };
    ScimAdapter::with(&config, calls).expect("settings that can work")
}
