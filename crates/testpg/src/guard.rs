//! The process between a test and its server: it ends the server when the test ends, also when the test is killed.
//!
//! A shell starts the server as its child and reads from a pipe that only we write to. When we die, the pipe closes, and the
//! shell ends the server and removes the folder. As long as the shell has not waited for the server, the server's process id
//! is nobody else's, so signals cannot go astray. The shell is in a process group of its own, which a signal to the test's
//! group does not reach.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Error;
use crate::account::Account;
use crate::log::Log;

/// What the shell does. Its own standard error is closed, so that the server's processes alone hold the log open.
const SCRIPT: &str = r#"
folder=$1; shift
"$@" </dev/null >&2 &
server=$!
exec 2>/dev/null
echo "$server"
while read -r signal others; do
    kill -s "$signal" $others "$server"
    if [ "$signal" != STOP ]; then
        wait "$server"
        echo ended
        exit
    fi
    echo stopped
done
kill -s QUIT "$server"
wait "$server"
rm -rf "$folder"
"#;

/// How long anything may take before it counts as stuck. Generous: only what is broken ever waits this long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running server, and the shell that looks after it.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: Log,
    server: u32,
}

impl Guard {
    /// Starts the server; comes back when it takes clients.
    pub(crate) fn start(folder: &Path, account: Option<Account>, server: &Command) -> Result<Self, Error> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "usher-testpg"])
            .arg(folder)
            .arg(server.get_program())
            .args(server.get_args())
            .current_dir(folder)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(account) = account {
            account.run(&mut command);
        }
        let mut shell = command
            .spawn()
            .map_err(Error::io(format!("start {:?}", server.get_program())))?;
        let (Some(orders), Some(answers), Some(log)) =
            (shell.stdin.take(), shell.stdout.take(), shell.stderr.take())
        else {
            unreachable!("all three are piped");
        };
        let mut guard = Self {
            shell,
            orders: Some(orders),
            answers: BufReader::new(answers),
            log: Log::read(log),
            server: 0,
        };
        guard.server = guard
            .answer()?
            .parse()
            .map_err(|_| guard.failed("has no process id"))?;
        if guard.log.is_ready_within(DEADLINE) {
            Ok(guard)
        } else {
            Err(guard.failed("did not start"))
        }
    }

    /// The process id of the server.
    pub(crate) fn server(&self) -> u32 {
        self.server
    }

    /// What the server wrote last.
    pub(crate) fn log(&self) -> String {
        self.log.tail()
    }

    /// Asks the server to end: sessions are cut off, what is committed is written.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        self.order("INT")?;
        self.ended()
    }

    /// Ends the server and all its processes at once, in the middle of whatever they do.
    pub(crate) fn kill(mut self) -> Result<(), Error> {
        // Stopped, the server starts no further process and waits for none, so each id below is still the process we mean.
        self.order("STOP")?;
        let children: Vec<String> = children_of(self.server).iter().map(u32::to_string).collect();
        self.order(&format!("KILL {}", children.join(" ")))?;
        self.ended()
    }

    fn ended(mut self) -> Result<(), Error> {
        self.orders = None;
        self.shell
            .wait()
            .map_err(Error::io("wait for the guard of PostgreSQL"))?;
        if self.log.is_closed_within(DEADLINE) {
            Ok(())
        } else {
            Err(self.failed("left processes behind"))
        }
    }

    fn order(&mut self, order: &str) -> Result<(), Error> {
        if let Some(orders) = &mut self.orders {
            writeln!(orders, "{order}").map_err(Error::io("reach the guard of PostgreSQL"))?;
        }
        self.answer().map(drop)
    }

    fn answer(&mut self) -> Result<String, Error> {
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .map_err(Error::io("hear the guard of PostgreSQL"))?;
        Ok(answer.trim().to_owned())
    }

    fn failed(&self, what: &'static str) -> Error {
        Error::Server {
            what,
            log: self.log.tail(),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The shell takes the closed pipe for our death: it ends the server, removes the folder, and ends itself.
        self.orders = None;
        // Fails only when it has been waited for.
        let _ = self.shell.wait();
    }
}

/// The processes that this one started. None where the system has no `/proc`: there they notice by themselves.
fn children_of(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        parent_in(&stat) == Some(parent)
    };
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(is_child)
        .collect()
}

/// The fourth field of proc_pid_stat(5); the second is a name in brackets that may hold anything.
fn parent_in(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_past_any_name() {
        assert_eq!(parent_in("12 (a ) b) S 7 12 12 0"), Some(7));
        assert_eq!(parent_in(""), None);
    }

    #[test]
    fn a_program_that_ends_at_once_is_shown_with_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo no such thing"]);
        let error = Guard::start(folder.path(), None, &command).unwrap_err();
        assert!(error.to_string().contains("no such thing"), "{error}");
    }
}
