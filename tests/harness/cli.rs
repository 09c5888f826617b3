//! How a command of `usher` ended.

use serde_json::Value;

/// A command that has ended, with everything it printed.
#[derive(Debug)]
pub struct Finished {
    /// The command line.
    pub typed: String,
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed for people.
    pub stderr: String,
}

impl Finished {
    /// Fails the test, showing everything, unless the command succeeded.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.code == Some(0), "{self}");
        self
    }

    /// Fails the test unless the command was refused: it ended by itself, and said why.
    #[track_caller]
    pub fn refused(self) -> Self {
        assert!(self.code.is_some_and(|code| code != 0), "{self}");
        assert!(
            !self.stderr.trim().is_empty() || !self.stdout.trim().is_empty(),
            "{self}\nit does not say why"
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{self}\nstandard output is not JSON: {error}"),
        }
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` ended with {:?}\n-- stdout\n{}\n-- stderr\n{}",
            self.typed, self.code, self.stdout, self.stderr
        )
    }
}
