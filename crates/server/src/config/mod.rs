//! The configuration: one strict TOML file, environment overrides, and secrets that live elsewhere.
//!
//! `config/usher.toml` documents every key. Unknown keys are errors that name their place.

mod error;
mod load;
mod notifications;
mod period;
mod rules;
mod schema;
mod sign_in;
mod webhooks;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use usher_core::{Level, Levels, Mode, Settings, SourceName};
use usher_engine::Finalise;

pub use error::ConfigError;
#[cfg(feature = "demo")]
pub(crate) use load::load_text;
pub use load::{Loaded, load};
pub use notifications::{Notifications, Protection, Smtp};
pub use period::Period;
pub use rules::{ConfiguredSource, Rules};
pub use schema::json_schema;
pub use sign_in::{SignIn, SignInProvider, SignInRule};
pub use webhooks::{Hidden, Webhooks};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The customer.
    pub organisation: Organisation,
    /// The HTTP server.
    pub server: Server,
    /// Who may use the console.
    pub sign_in: SignIn,
    /// The SCIM endpoint.
    pub scim: Scim,
    /// The database.
    pub storage: Storage,
    /// The connections to identity providers.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
    /// The levels, in place of the shipped ones.
    #[serde(rename = "level")]
    #[schemars(with = "Vec<schema::LevelEntry>")]
    pub levels: Vec<Level>,
    /// The brake on endings.
    pub brake: Brake,
    /// How orders come to an end.
    pub orders: Orders,
    /// How events are delivered to endpoints.
    pub webhooks: Webhooks,
    /// What is told by e-mail.
    pub notifications: Notifications,
    /// The logs.
    pub log: Log,
}

/// The customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Organisation {
    /// The customer's name.
    pub name: String,
    /// The company's e-mail domains; `["*"]` means any. People from elsewhere get into no room.
    pub domains: Vec<String>,
    /// Where people sign in to the portal.
    pub sso_url: Option<String>,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The address to listen on; port 0 takes a free one.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The URL that others reach this server by, without a slash at its end. SCIM answers point there.
    pub public_url: Option<String>,
    /// The networks of proxies in front of this server. What they say in `X-Forwarded-For` and `X-Forwarded-Proto` is believed,
    /// and nobody else's word.
    pub trusted_proxies: Vec<String>,
    /// The certificate to encrypt connections with; without one, a proxy in front does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// How long one request may take.
    pub request_timeout: Period,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Period,
    /// How long running requests may go on after the signal to stop.
    pub shutdown_grace: Period,
    /// How many connections are served at once; more wait.
    pub max_connections: usize,
    /// How many writes may wait for the database; more are answered 503.
    pub max_queued_writes: u64,
    /// The largest request body.
    pub max_body_bytes: usize,
    /// How many refused tokens a minute one address may bring before it is answered 429.
    pub auth_failures_per_minute: u32,
}

/// TLS without a proxy. The files are read again when they change, and at the signal HUP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// The file with the certificate in PEM, those of its authorities behind it.
    pub certificate: PathBuf,
    /// The file with its private key in PEM.
    pub key: PathBuf,
}

/// The SCIM endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scim {
    /// The most operations in one PATCH or bulk request.
    pub max_operations: usize,
    /// The most members in one request.
    pub max_members: usize,
    /// The deepest nesting of a JSON body.
    pub max_json_depth: usize,
    /// The longest filter, in bytes.
    pub max_filter_bytes: usize,
    /// Resources on a page when the client does not say.
    pub page_size: usize,
    /// The most resources on a page.
    pub max_page_size: usize,
    /// How long the cursor of a list works.
    pub cursor_timeout: Period,
    /// How many resources a filter or sort without an index may look at; beyond it the answer is `tooMany`.
    pub max_scan: usize,
}

/// The database.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Where the data is: a file such as `sqlite:data/usher.db`, relative to the folder that the program runs in, or a
    /// server such as `postgres://usher@db.contoso.com/usher?sslmode=verify-full`.
    pub url: String,
    /// SQLite: how many reads run side by side.
    pub readers: usize,
    /// PostgreSQL: how many connections this node opens at most. A quarter of them is left to reads.
    pub connections: usize,
    /// How long a unit of work waits while another process holds the database.
    pub busy_timeout: Period,
}

/// One connection to an identity provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name: lower-case letters, digits and hyphens. Part of its SCIM URL.
    #[schemars(with = "String")]
    pub name: SourceName,
    /// The kind of its adapter.
    pub kind: String,
    /// Who starts: `push`, `pull` or `both`.
    #[schemars(with = "schema::ModeWord")]
    pub mode: Mode,
    /// How it is read; only for `pull` and `both`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<Pull>,
    /// What the adapter of this kind reads.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub settings: Settings,
}

/// How a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pull {
    /// How often what changed is read.
    pub every: Period,
    /// How often everything is read, so that what a change report left out is found.
    pub full_every: Period,
    /// Reads are spread by up to this share of `every`, so that many deployments do not call at one moment.
    pub jitter_percent: u32,
    /// For `both`: how far apart two complete reads have to begin that together bring somebody back whom a push removed.
    pub settle: Period,
    /// Whether people count only once their group is assigned to the application, where the provider tells.
    pub require_assignment: bool,
    /// How long one read may take as a whole.
    pub timeout: Period,
}

/// The brake on endings: beyond `endings` and beyond `percent` of a room's managed members within `window`, further
/// endings are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Brake {
    /// Whether there is a brake at all.
    pub enabled: bool,
    /// So many endings always pass.
    pub endings: u32,
    /// So many percent of the room's managed members always pass.
    pub percent: u32,
    /// The length of the sliding window.
    pub window: Period,
    /// A hold that nobody decided is applied after this time.
    pub hold_for: Period,
}

/// How orders come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Orders {
    /// Whether the last steps happen as soon as the guards allow, or when a person asks for each.
    #[schemars(with = "schema::FinaliseWord")]
    pub finalise: Finalise,
    /// Arrivals beyond the expected number are still let in up to this share of it.
    pub arrival_margin_percent: u32,
    /// Days after acceptance by which the bootstrap membership should have ended.
    pub bootstrap_due_days: u32,
}

/// The logs, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `json`, `pretty`, or `auto`: pretty on a terminal, else JSON.
    pub format: LogFormat,
    /// What is logged: a level, or directives such as `info,usher_engine=debug`.
    pub filter: String,
}

/// The form of the logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

impl Config {
    /// What is used without a configuration file: one generic SCIM source, and everybody is in scope.
    #[must_use]
    pub fn try_out() -> Self {
        let name = SourceName::new("idp").expect("the name is valid");
        let source = Source {
            name,
            kind: usher_adapter_scim::KIND.into(),
            mode: Mode::Push,
            pull: None,
            settings: Settings::default(),
        };
        Self {
            organisation: Organisation {
                name: "Try-out".into(),
                domains: vec!["*".into()],
                sso_url: None,
            },
            sources: vec![source],
            ..Self::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            organisation: Organisation::default(),
            server: Server::default(),
            sign_in: SignIn::default(),
            scim: Scim::default(),
            storage: Storage::default(),
            sources: Vec::new(),
            levels: Levels::default().iter().cloned().collect(),
            brake: Brake::default(),
            orders: Orders::default(),
            webhooks: Webhooks::default(),
            notifications: Notifications::default(),
            log: Log::default(),
        }
    }
}

impl Server {
    /// The proxies that are believed.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub(crate) fn proxies(&self) -> Result<Vec<usher_webhook::Network>, ConfigError> {
        self.trusted_proxies
            .iter()
            .map(|text| {
                text.parse().map_err(|error: usher_webhook::NetworkError| {
                    ConfigError::invalid("server.trusted_proxies", error.to_string())
                })
            })
            .collect()
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            tls: None,
            request_timeout: Period::seconds(50),
            header_timeout: Period::seconds(10),
            shutdown_grace: Period::seconds(20),
            max_connections: 1024,
            max_queued_writes: 1000,
            max_body_bytes: 8 * 1024 * 1024,
            auth_failures_per_minute: 60,
        }
    }
}

impl Default for Scim {
    fn default() -> Self {
        Self {
            max_operations: 1000,
            max_members: 100_000,
            max_json_depth: 32,
            max_filter_bytes: 8192,
            page_size: 100,
            max_page_size: 1000,
            cursor_timeout: Period::seconds(3600),
            max_scan: 100_000,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            url: "sqlite:data/usher.db".into(),
            readers: 3,
            connections: 16,
            busy_timeout: Period::seconds(10),
        }
    }
}

impl fmt::Debug for Storage {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("readers", &self.readers)
            .field("connections", &self.connections)
            .field("busy_timeout", &self.busy_timeout)
            .finish_non_exhaustive()
    }
}

impl Default for Pull {
    fn default() -> Self {
        Self {
            every: Period::seconds(5 * 60),
            full_every: Period::seconds(24 * 3600),
            jitter_percent: 10,
            settle: Period::seconds(10 * 60),
            require_assignment: true,
            timeout: Period::seconds(2 * 3600),
        }
    }
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            enabled: true,
            endings: 10,
            percent: 20,
            window: Period::seconds(24 * 3600),
            hold_for: Period::seconds(4 * 3600),
        }
    }
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            finalise: Finalise::Automatic,
            arrival_margin_percent: 10,
            bootstrap_due_days: 14,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = include_str!("../../../../config/usher.toml");

    #[test]
    fn the_documented_file_shows_every_key_with_its_default() {
        let written: Config = toml::from_str(DOCUMENTED).unwrap();
        assert_eq!(written, Config::default());
        let defaults = serde_json::to_value(Config::default()).unwrap();
        for (section, keys) in defaults.as_object().unwrap() {
            for key in keys.as_object().into_iter().flat_map(|keys| keys.keys()) {
                let shown = DOCUMENTED.lines().any(|line| {
                    line.trim_start_matches("# ")
                        .split_once(" = ")
                        .is_some_and(|(name, _)| name.trim() == key)
                });
                assert!(shown, "config/usher.toml does not show {section}.{key}");
            }
        }
    }

    #[test]
    fn the_documented_file_shows_how_a_source_is_read_with_its_defaults() {
        let (_, shown) = DOCUMENTED.split_once("# [source.pull]").unwrap();
        let table = shown
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with("# ") && !line.starts_with("# ["))
            .map(|line| line.trim_start_matches("# "));
        let table: String = table.flat_map(|line| [line, "\n"]).collect();
        assert_eq!(toml::from_str::<Pull>(&table).unwrap(), Pull::default());
        let defaults = serde_json::to_value(Pull::default()).unwrap();
        for key in defaults.as_object().unwrap().keys() {
            assert!(
                table.contains(&format!("{key} = ")),
                "config/usher.toml does not show source.pull.{key}"
            );
        }
    }

    #[test]
    fn the_address_of_the_database_is_not_shown() {
        let config = Config {
            storage: Storage {
                url: "postgres://u:s3cret@db".into(),
                ..Storage::default()
            },
            ..Config::default()
        };
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
