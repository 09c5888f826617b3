//! Chromium, driven by Playwright, behind `tests/browser/bridge.mjs`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// The scripts that drive it.
pub(super) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/browser");

/// How somebody uses the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// With a mouse, scripts on.
    Clicking,
    /// With a mouse, scripts off.
    WithoutScript,
    /// With nothing but a keyboard, scripts on.
    Keyboard,
}

/// One browser. After each step it says whether a request left the origins, a policy was broken, a dialog opened or a script
/// failed; then the test fails, as it does where the step itself does not come to its end.
pub struct Browser {
    child: Child,
    steps: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts it for these origins, of which the first is the console's; `None` where browsers were left out by name.
    pub fn start(origins: &[&str]) -> Option<Self> {
        let npm = super::browser()?;
        let mut child = Command::new("node")
            .arg(format!("{SCRIPTS}/bridge.mjs"))
            .args(origins)
            .env("USHER_TEST_NPM", npm)
            .env("USHER_TEST_PICTURES", super::needs::pictures())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start node: {error}"));
        let steps = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("standard output is piped"));
        Some(Self {
            child,
            steps,
            answers,
        })
    }

    /// A tab with cookies of its own for somebody; an older one of that name is closed.
    #[track_caller]
    pub fn open(&mut self, tab: &str, manner: Manner) {
        let look = json!({
            "script": manner != Manner::WithoutScript,
            "keyboard": manner == Manner::Keyboard,
        });
        self.perform(&json!({ "step": "open", "tab": tab, "look": look }));
    }

    /// Takes a step of `tests/browser/steps` in a tab; what it found.
    #[track_caller]
    pub fn step(&mut self, tab: &str, step: &str, with: &Value) -> Value {
        self.perform(&json!({ "step": step, "tab": tab, "with": with }))
    }

    /// As [`Self::step`], where the watch is expected to see something; what it saw.
    #[track_caller]
    pub fn watched(&mut self, tab: &str, step: &str, with: &Value) -> Vec<String> {
        self.perform(&json!({ "step": step, "tab": tab, "with": with, "tolerant": true }));
        let seen = self.perform(&json!({ "step": "watched", "tolerant": true }));
        serde_json::from_value(seen).expect("the watch lists texts")
    }

    #[track_caller]
    fn perform(&mut self, command: &Value) -> Value {
        let steps = self.steps.as_mut().expect("it is open until the end");
        let mut answer = String::new();
        writeln!(steps, "{command}")
            .and_then(|()| self.answers.read_line(&mut answer))
            .expect("the browser answers each step");
        let Ok(answer) = serde_json::from_str::<Value>(&answer) else {
            panic!("{command}: the browser ended; what it said of that is above")
        };
        let text = |key: &str| answer[key].as_str().unwrap_or_default();
        assert!(
            answer["fault"].is_null(),
            "{command}: {}\nat {}, pictured in {}\n{}",
            text("fault"),
            text("at"),
            text("screenshot"),
            text("text"),
        );
        answer["done"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends with its input, and clears its profile away. Waiting fails only when it has ended already.
        self.steps = None;
        let _ = self.child.wait();
    }
}
