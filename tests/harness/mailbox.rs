//! aiosmtpd, a mail server that is not ours, behind `tests/python/mailbox.py`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde::Deserialize;

use super::{Output, eventually};

/// A running mail server; it is killed when dropped.
pub struct Mailbox {
    child: Child,
    commands: ChildStdin,
    output: Output,
    port: u16,
}

/// An e-mail that it took.
#[derive(Clone, Debug, Deserialize)]
pub struct Letter {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whether the client had signed in.
    pub signed_in: bool,
    /// The headers, decoded; names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The names of all headers.
    pub names: Vec<String>,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
}

impl Mailbox {
    /// Starts it. `None` where Python was left out by name.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// Starts it with a certificate and its key in files, a user and a password: then it takes nothing else.
    pub async fn start_with(secure: &[&str]) -> Option<Self> {
        let python = super::python()?;
        Some(Self::run(&python, secure).await)
    }

    async fn run(python: &Path, secure: &[&str]) -> Self {
        let mut child = Command::new(python)
            .args([
                "-B",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/mailbox.py"),
            ])
            .args(secure)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", python.display()));
        let commands = child.stdin.take().expect("standard input is piped");
        let output = Output::of(&mut child);
        let port = output
            .find("its port", |line| {
                let said: serde_json::Value = serde_json::from_str(line).ok()?;
                u16::try_from(said["port"].as_u64()?).ok()
            })
            .await;
        Self {
            child,
            commands,
            output,
            port,
        }
    }

    /// The port that it listens on, on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops listening: connections are refused.
    pub async fn down(&mut self) {
        self.tell("down").await;
    }

    /// Listens again, at the same port.
    pub async fn up(&mut self) {
        self.tell("up").await;
    }

    async fn tell(&mut self, command: &str) {
        let done = format!("{{\"is\": \"{command}\"}}");
        let before = self.output.text().matches(&done).count();
        writeln!(self.commands, "{command}").expect("the mail server reads");
        eventually("the mail server to obey", || async {
            (self.output.text().matches(&done).count() > before).then_some(())
        })
        .await;
    }

    /// Everything that it took, in order.
    pub fn letters(&self) -> Vec<Letter> {
        let text = self.output.text();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Everything that it took, once it is so many.
    pub async fn has_taken(&self, count: usize) -> Vec<Letter> {
        eventually("the e-mails", || async {
            let letters = self.letters();
            (letters.len() >= count).then_some(letters)
        })
        .await
    }
}

impl Letter {
    /// The subject.
    pub fn subject(&self) -> &str {
        self.header("subject")
    }

    /// A header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
