//! One identity provider: a directory, and the fake that shows it.

use std::sync::Arc;

use usher_fakes::graph::{Graph, Options};
use usher_fakes::okta::{Org, Rights};
use usher_fakes::scim::{Habits, ScimServer, TOKEN};
use usher_fakes::{Directory, Faults, IdStyle, Served};

use crate::harness::Source;

/// The API token that the fake Okta org takes.
pub const API_TOKEN: &str = "00FakeApiTokenOfAnAdministrator0123456789a";

/// What is not tried by the clock: reads come when a test asks for them.
const SELDOM: &str = "every = \"1d\"\nfull_every = \"30d\"\n";

/// Whose provider it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Entra,
    Okta,
    Scim,
}

impl Kind {
    /// The kind of the adapter, as the configuration names it.
    pub const fn adapter(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::Scim => "scim",
        }
    }

    const fn ids(self) -> IdStyle {
        match self {
            Self::Entra => IdStyle::Guid,
            Self::Okta => IdStyle::Okta,
            Self::Scim => IdStyle::Opaque,
        }
    }

    /// What the paths of requests for members of a group contain.
    pub const fn members_path(self) -> &'static str {
        match self {
            Self::Entra => "/members",
            Self::Okta => "/users",
            Self::Scim => "/Groups/",
        }
    }

    /// What the paths of all requests contain that need a token.
    pub const fn api_path(self) -> &'static str {
        match self {
            Self::Entra => "/v1.0/",
            Self::Okta => "/api/v1/",
            Self::Scim => "/scim/v2/",
        }
    }
}

/// What shows the directory to whoever pulls.
pub enum Fake {
    Graph(Graph),
    Okta { org: Org, served: Served },
    Scim(ScimServer),
}

/// A provider that runs as long as this is held.
pub struct Idp {
    pub kind: Kind,
    pub directory: Directory,
    pub faults: Faults,
    pub fake: Fake,
}

impl Idp {
    /// An empty provider, whose pages hold two members.
    pub async fn new(kind: Kind) -> Self {
        Self::showing(kind, Directory::new(kind.ids())).await
    }

    /// A provider that shows this directory.
    pub async fn showing(kind: Kind, directory: Directory) -> Self {
        let faults = Faults::none();
        let fake = match kind {
            Kind::Entra => {
                let mut options = Options {
                    page_size: Some(2),
                    ..Options::default()
                };
                // With it the recycle bin shows deleted groups.
                options.permissions.insert("Group.Read.All".into());
                let graph = Graph::start(directory.clone(), options, faults.clone()).await;
                Fake::Graph(graph.expect("a free port"))
            }
            Kind::Okta => {
                let org = Org::new(directory.clone());
                let served = org.serve(faults.clone()).await.expect("a free port");
                org.take_api_token(API_TOKEN, Rights::all());
                org.behave(|behaviour| behaviour.page_size = 2);
                Fake::Okta { org, served }
            }
            Kind::Scim => {
                let habits = Habits {
                    max_results: 2,
                    ..Habits::default()
                };
                let server = ScimServer::start(&directory, habits, faults.clone()).await;
                Fake::Scim(server.expect("a free port"))
            }
        };
        Self {
            kind,
            directory,
            faults,
            fake,
        }
    }

    /// The server, for what it was asked.
    pub const fn served(&self) -> &Served {
        match &self.fake {
            Fake::Graph(graph) => graph.served(),
            Fake::Okta { served, .. } => served,
            Fake::Scim(server) => server.served(),
        }
    }

    /// The fake Graph.
    pub fn graph(&self) -> &Graph {
        match &self.fake {
            Fake::Graph(graph) => graph,
            _ => panic!("this provider is not Entra"),
        }
    }

    /// The fake Okta org.
    pub fn okta(&self) -> &Org {
        match &self.fake {
            Fake::Okta { org, .. } => org,
            _ => panic!("this provider is not Okta"),
        }
    }

    /// The fake SCIM service provider.
    pub fn scim(&self) -> &ScimServer {
        match &self.fake {
            Fake::Scim(server) => server,
            _ => panic!("this provider is no plain SCIM service provider"),
        }
    }

    /// TOML lines of `[source.settings]` for reading it.
    pub fn settings(&self) -> String {
        match &self.fake {
            Fake::Graph(graph) => {
                let options = graph.options();
                let secret = options.secret.unwrap_or_default();
                format!("{}client_secret = \"{secret}\"\n", self.entra())
            }
            Fake::Okta { served, .. } => format!(
                "org_url = \"{}\"\napi_token = \"{API_TOKEN}\"\napplication_id = \"{}\"\nsystem_log = true\n",
                served.url(),
                Org::APPLICATION
            ),
            Fake::Scim(server) => format!(
                "guest_user_types = [\"Guest\"]\npull = {{ base_url = \"{}\", bearer_token = \"{TOKEN}\" }}\n",
                server.base_url()
            ),
        }
    }

    /// The settings for Entra without a credential.
    pub fn entra(&self) -> String {
        let graph = self.graph();
        let options = graph.options();
        format!(
            "tenant_id = \"{}\"\nclient_id = \"{}\"\napplication_id = \"{}\"\nlogin_url = \"{url}\"\ngraph_url = \"{url}\"\n",
            options.tenant,
            options.client_id,
            options.application_id,
            url = graph.url(),
        )
    }

    /// The source `idp` that reads it, when a test asks.
    pub fn source(&self, mode: &str) -> Source {
        Source {
            kind: self.kind.adapter().to_owned(),
            mode: mode.to_owned(),
            pull: format!("{SELDOM}settle = \"0s\"\n"),
            settings: self.settings(),
            ..Source::named("idp")
        }
    }

    /// Somebody new in these groups, with a company address.
    pub fn person(&self, name: &str, groups: &[&str]) -> Arc<str> {
        let user = self.directory.add_user(&format!("{name}@contoso.com"));
        for group in groups {
            self.directory.add_member(group, &user);
        }
        user
    }
}
