//! Trying out: a small company's week, lived in fast motion against a fake Entra tenant.
//!
//! Everything goes its ordinary way, over HTTP: Entra's provisioning service pushes, Usher reads Graph, and people use the API. Only
//! the clock is ours: it stands in the past while the week is lived, and is right afterwards.

mod clock;
mod company;
mod desk;
mod week;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use usher_core::Draw;
use usher_core::{Clock, NodeId};
use usher_engine::Engine;
use usher_fakes::graph::{Graph, Options};
use usher_fakes::{Directory, Faults, IdStyle};

pub(crate) use clock::PastClock;
pub(crate) use desk::DemoError;

/// The name of the source.
const SOURCE: &str = "entra";

/// A company with its identity provider, and a folder for the data. The folder goes with it.
pub(crate) struct Demo {
    directory: Directory,
    graph: Graph,
    clock: Arc<PastClock>,
    folder: Folder,
}

impl Demo {
    /// Starts the fake Graph on the loopback, and makes the folder.
    ///
    /// # Errors
    /// When no port is free or no folder can be made.
    pub(crate) async fn start() -> Result<Self, DemoError> {
        let directory = Directory::new(IdStyle::Guid);
        let graph = Graph::start(directory.clone(), Options::default(), Faults::none())
            .await
            .map_err(|error| DemoError::new("start the fake Graph", error))?;
        let clock = Arc::new(PastClock::default());
        let name: NodeId = Draw::new(&*clock).ids().make();
        let folder = std::env::temp_dir().join(format!("usher-demo-{name}"));
        std::fs::create_dir(&folder)
            .map_err(|error| DemoError::new(&format!("make the folder {}", folder.display()), error))?;
        Ok(Self {
            directory,
            graph,
            clock,
            folder: Folder(folder),
        })
    }

    /// The configuration of the company's Usher, as TOML.
    pub(crate) fn config(&self) -> String {
        let options = self.graph.options();
        let (url, secret) = (self.graph.url(), options.secret.unwrap_or_default());
        let database = self.folder().join("usher.db");
        let database = format!("sqlite:{}", database.display());
        format!(
            "[organisation]\nname = \"Contoso AG\"\ndomains = [\"contoso.com\"]\n\
             sso_url = \"https://portal.example/sso/contoso\"\n\
             [storage]\nurl = {database:?}\n\
             [log]\nfilter = \"warn\"\n\
             [[source]]\nname = \"{SOURCE}\"\nkind = \"entra\"\nmode = \"both\"\n\
             [source.pull]\nevery = \"12h\"\nfull_every = \"7d\"\n\
             [source.settings]\ntenant_id = \"{}\"\nclient_id = \"{}\"\napplication_id = \"{}\"\n\
             login_url = \"{url}\"\ngraph_url = \"{url}\"\nclient_secret = \"{secret}\"\n",
            options.tenant, options.client_id, options.application_id,
        )
    }

    /// The clock to start the engine with.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::<PastClock>::clone(&self.clock)
    }

    /// Where the data are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Lives the week against the server at this address. Afterwards the clock is right.
    ///
    /// # Errors
    /// What did not go as the story has it.
    pub(crate) async fn live(&self, engine: &Engine, address: &str) -> Result<(), DemoError> {
        week::live(self, engine, address).await
    }
}

/// A folder that is removed with everything in it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed is left to whoever cleans up temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
