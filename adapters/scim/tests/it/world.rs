//! A fake service provider, and adapters that read it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use usher_adapter_scim::{Calls, ScimAdapter, ScimConfig};
use usher_core::{
    AdapterError, ChangeSink, Checkpoint, DirectoryChange, ManualClock, ProvisioningAdapter as _,
    ReadOutcome, ReadRequest, ReadScope, RemoteGroupId, Timestamp, WantedGroup,
};
use usher_fakes::scim::{CLIENT_ID, CLIENT_SECRET, Habits, ScimServer, TOKEN};
use usher_fakes::{Directory, Fault, Faults, IdStyle};
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
        let settings = json!({"pull": pull, "guest_user_types": ["Guest"]});
        let some_never_come = self.faults.holds(Fault::NoAnswer);
        adapter_that_waits(settings, if some_never_come { LITTLE } else { PLENTY })
    }

    /// An adapter that gets its tokens from the provider's token endpoint.
    pub(crate) fn adapter_with_oauth(&self, authentication: &str) -> ScimAdapter {
        let oauth = json!({"token_url": self.server.token_url(), "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET, "scopes": ["scim.read"], "authentication": authentication});
        adapter(json!({"pull": {"base_url": self.server.base_url(), "oauth": oauth}}))
    }
}

/// The time for an answer where all will come: a busy machine may take longer than a client should.
const PLENTY: Duration = Duration::from_secs(30);

/// The time for an answer where some will not come.
const LITTLE: Duration = Duration::from_millis(100);

/// An adapter without patience, on a clock that stands still.
pub(crate) fn adapter(settings: Value) -> ScimAdapter {
    adapter_that_waits(settings, PLENTY)
}

fn adapter_that_waits(settings: Value, timeout: Duration) -> ScimAdapter {
    let config: ScimConfig = serde_json::from_value(settings).expect("known settings");
    let calls = Calls {
        patience: Patience::none(),
        timeout,
        clock: Arc::new(ManualClock::new(Timestamp::from_micros(0))),
    };
    ScimAdapter::with(&config, calls).expect("settings that can work")
}

/// A directory with a board of Ann, Bob and Cem, an audit committee of Dana, and Eve in no group.
pub(crate) fn company() -> (Directory, Arc<str>, Arc<str>) {
    let directory = Directory::new(IdStyle::Opaque);
    let names = ["ann", "bob", "cem", "dana", "eve"];
    let people = names.map(|name| directory.add_user(&format!("{name}@contoso.example")));
    let (board, audit) = (directory.add_group("Board"), directory.add_group("Audit"));
    for person in &people[..3] {
        directory.add_member(&board, person);
    }
    directory.add_member(&audit, &people[3]);
    (directory, board, audit)
}

/// A group that is wanted with its direct members.
pub(crate) fn group(id: &str) -> WantedGroup {
    WantedGroup {
        id: RemoteGroupId::new(id).expect("an id"),
        nested: false,
    }
}

/// Keeps what it takes.
#[derive(Debug, Default)]
pub(crate) struct Taken(pub(crate) Vec<DirectoryChange>);

#[async_trait]
impl ChangeSink for Taken {
    async fn take(&mut self, changes: Vec<DirectoryChange>) -> Result<(), AdapterError> {
        self.0.extend(changes);
        Ok(())
    }
}

/// Reads these groups by an adapter with these settings.
pub(crate) async fn read(
    world: &World,
    settings: &Value,
    groups: Vec<&str>,
    checkpoint: Option<Checkpoint>,
) -> (Vec<DirectoryChange>, Result<ReadOutcome, AdapterError>) {
    let request = ReadRequest {
        scope: ReadScope::Groups(groups.into_iter().map(group).collect()),
        checkpoint,
    };
    let mut taken = Taken::default();
    let outcome = world.adapter(settings).read(request, &mut taken).await;
    (taken.0, outcome)
}
