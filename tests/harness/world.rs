//! One deployment: a folder with a config file and a database, and the binary that works on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use usher_testpg::Place;

use super::{Client, Config, Desk, Finished, Scim2, Server};

/// A deployment of its own, gone with the test.
pub struct World {
    folder: TempDir,
    place: Place,
    binary: PathBuf,
}

impl World {
    /// With the usual config: organisation `contoso.com`, one source `idp`.
    pub fn new() -> Self {
        Self::with(&Config::default())
    }

    /// With this config.
    pub fn with(config: &Config) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("usher-e2e-")
            .tempdir()
            .expect("a temporary folder");
        let world = Self {
            folder,
            place: Place::new().expect("a place for the data"),
            binary: PathBuf::from(env!("CARGO_BIN_EXE_usher")),
        };
        world.configure(config);
        world
    }

    /// Run by another build of the binary.
    pub fn run_by(&mut self, binary: PathBuf) {
        self.binary = binary;
    }

    /// Rewrites the config file; a running server keeps what it started with.
    pub fn configure(&self, config: &Config) {
        std::fs::write(self.config_path(), config.text(&self.place.url())).expect("the folder is ours");
    }

    /// The folder that everything is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its data are.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The config file.
    pub fn config_path(&self) -> PathBuf {
        self.folder().join("usher.toml")
    }

    /// Starts the server, on the data that are there.
    pub async fn serve(&self) -> Server {
        Server::start(self.command(&["serve"])).await
    }

    /// Starts the server as somebody does who tries it out: without a config file.
    pub async fn serve_trying_out(&self) -> Server {
        let mut command = Command::new(&self.binary);
        command.arg("serve").current_dir(self.folder());
        clean_environment(&mut command);
        command.env("USHER_SERVER__LISTEN", "127.0.0.1:0");
        Server::start(command).await
    }

    /// Starts the server as somebody does who wants to look around, and comes back when it answers.
    pub async fn serve_demo(&self) -> Server {
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--demo"]).current_dir(self.folder());
        clean_environment(&mut command);
        command
            .env("USHER_SERVER__LISTEN", "127.0.0.1:0")
            .env("TMPDIR", self.folder());
        Server::start(command).await
    }

    /// Starts the server under another program, such as a tracer.
    pub async fn serve_under(&self, program: &Path, args: &[&str]) -> Server {
        let inner = self.command(&["serve"]);
        let mut command = Command::new(program);
        command
            .args(args)
            .arg(inner.get_program())
            .args(inner.get_args())
            .current_dir(self.folder());
        clean_environment(&mut command);
        Server::start(command).await
    }

    /// Runs a command of the binary to its end; `--config` is added.
    pub fn cli(&self, args: &[&str]) -> Finished {
        let mut command = self.command(args);
        let output = command
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Finished {
            typed: format!("usher {}", args.join(" ")),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a command of the binary and does not wait for it; `--config` is added.
    pub fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
    }

    /// Runs a command that must succeed, with `--json`; what it printed.
    #[track_caller]
    pub fn cli_json(&self, args: &[&str]) -> serde_json::Value {
        self.cli(&[args, &["--json"]].concat()).succeeded().json()
    }

    /// A new token for pushing to this source.
    #[track_caller]
    pub fn source_token(&self, source: &str) -> String {
        self.token(&["--source", source, "--label", "end-to-end"])
    }

    /// A new token for the API with this role.
    #[track_caller]
    pub fn role_token(&self, role: &str) -> String {
        self.token(&["--role", role, "--label", "end-to-end"])
    }

    #[track_caller]
    fn token(&self, args: &[&str]) -> String {
        let created = self.cli_json(&[&["token", "create"], args].concat());
        created["token"]
            .as_str()
            .unwrap_or_else(|| panic!("no token in {created}"))
            .to_owned()
    }

    /// A client for the API, as administrator.
    #[track_caller]
    pub fn api(&self, server: &Server) -> Client {
        Client::api(server.address(), &self.role_token("admin"))
    }

    /// Clients for the API, one for each kind of people.
    #[track_caller]
    pub fn desk(&self, server: &Server) -> Desk {
        let client = |role| Client::api(server.address(), &self.role_token(role));
        Desk {
            it: client("it"),
            support: client("support"),
            portal: client("app"),
            database: match &self.place {
                Place::Database(database) => Some(database.url()),
                Place::File(_) => None,
            },
        }
    }

    /// A plain client for a source's SCIM endpoint.
    #[track_caller]
    pub fn scim(&self, server: &Server, source: &str) -> Client {
        Client::scim(server.address(), source, &self.source_token(source))
    }

    /// The SCIM client that is not ours, for a source's endpoint; `None` where Python was left out by name.
    #[track_caller]
    pub fn scim2(&self, server: &Server, source: &str) -> Option<Scim2> {
        let python = super::python()?;
        let address = format!("{}/scim/{source}/v2", server.address());
        Some(Scim2::connect(&python, &address, &self.source_token(source)))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(args)
            .arg("--config")
            .arg(self.config_path())
            .current_dir(self.folder());
        clean_environment(&mut command);
        command
    }
}

/// What the developer has set for a server of their own must not reach the tests'.
fn clean_environment(command: &mut Command) {
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("USHER_") {
            command.env_remove(key);
        }
    }
}
