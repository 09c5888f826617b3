//! oidc-provider, an OpenID provider that is not ours, behind `tests/browser/provider.mjs`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::browser::SCRIPTS;

/// The client that Usher is to the provider.
pub const CLIENT: &str = "usher";

/// What it shows at the token endpoint.
pub const CLIENT_SECRET: &str = "a secret between the two";

/// A running provider, with the accounts that the test makes.
pub struct OpenId {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    issuer: String,
}

impl OpenId {
    /// Starts it, on a port of its own; `None` where browsers were left out by name, with which Node.js goes.
    pub fn start() -> Option<Self> {
        let npm = super::browser()?;
        let mut child = Command::new("node")
            .arg(format!("{SCRIPTS}/provider.mjs"))
            .env("USHER_TEST_NPM", npm)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start node: {error}"));
        let commands = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut line = String::new();
        answers
            .read_line(&mut line)
            .expect("the provider says where it is");
        let issuer = line.trim().strip_prefix("listening on ").map(str::to_owned);
        Some(Self {
            child,
            commands,
            answers,
            issuer: issuer.unwrap_or_else(|| panic!("the provider did not start: {line}")),
        })
    }

    /// Its issuer identifier, without a slash at the end.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Registers Usher as [`CLIENT`], with this address for answers; a loopback address is good for every port.
    pub fn register(&mut self, redirect: &str) {
        self.perform(&json!({ "op": "client", "client": {
            "client_id": CLIENT,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [redirect],
            "application_type": "native",
        }}));
    }

    /// An account, and what its ID tokens claim.
    pub fn account(&mut self, id: &str, claims: &Value) {
        self.perform(&json!({ "op": "account", "id": id, "claims": claims }));
    }

    /// From now on ID tokens say this where they said something else; `null` ends it.
    pub fn forge(&mut self, claims: &Value) {
        self.perform(&json!({ "op": "forge", "claims": claims }));
    }

    /// From now on everybody gets the ID token that was made last, until this is taken back.
    pub fn replay(&mut self, on: bool) {
        self.perform(&json!({ "op": "replay", "on": on }));
    }

    #[track_caller]
    fn perform(&mut self, command: &Value) {
        let commands = self.commands.as_mut().expect("it is open until the end");
        let mut answer = String::new();
        writeln!(commands, "{command}")
            .and_then(|()| self.answers.read_line(&mut answer))
            .expect("the provider answers each command");
        assert_eq!(
            answer.trim(),
            "{\"done\":true}",
            "{command}: what the provider said of it is above"
        );
    }
}

impl Drop for OpenId {
    fn drop(&mut self) {
        // It ends with its input. Waiting fails only when it has ended already.
        self.commands = None;
        let _ = self.child.wait();
    }
}
