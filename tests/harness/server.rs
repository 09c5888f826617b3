//! A running `usher serve`.

use std::process::{Child, Command, ExitStatus, Stdio};

use super::{Output, eventually};

/// The process; it is killed when dropped.
pub struct Server {
    child: Child,
    address: String,
    output: Output,
}

impl Server {
    /// Starts the command, and comes back when the server says that it is ready.
    pub(super) async fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = Output::of(&mut child);
        let mut server = Self {
            child,
            address: String::new(),
            output,
        };
        server.address = server.output.find("where it listens", listening_address).await;
        let ready = format!("{}/readyz", server.address);
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client without TLS");
        eventually("the server to be ready", || async {
            let answer = http.get(&ready).send().await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
        server
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it has printed.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would end the process: at once, in the middle of whatever it does.
    pub fn kill(mut self) {
        self.child.kill().expect("a child of ours can be killed");
        self.child.wait().expect("a child of ours can be waited for");
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "cannot send the signal"
        );
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(mut self) -> (ExitStatus, Output) {
        self.signal("TERM");
        let child = &mut self.child;
        let status = eventually("the server to end", || {
            let ended = child.try_wait().expect("a child of ours can be waited for");
            async move { ended }
        })
        .await;
        (status, self.output.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in `listening on http://127.0.0.1:PORT`, as text or inside a JSON log line.
fn listening_address(line: &str) -> Option<String> {
    let (_, address) = line.split_once("listening on ")?;
    let end = address
        .find(|c: char| c.is_whitespace() || c == '"')
        .unwrap_or(address.len());
    Some(address[..end].trim_end_matches('/').to_owned())
}
