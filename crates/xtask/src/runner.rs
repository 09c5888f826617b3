//! The test runner: `cargo nextest` where it is installed, `cargo test` otherwise, and the slowest tests of either.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{Workspace, succeeds, typed};

/// How many of the slowest are named.
const NAMED: usize = 10;

/// What a run says of itself.
pub(crate) struct Report {
    /// Whether every test passed.
    pub(crate) passed: bool,
    /// The unit that `slowest` counts in.
    pub(crate) timed: &'static str,
    /// The slowest first.
    pub(crate) slowest: Vec<(String, Duration)>,
}

/// Runs unit, integration and end-to-end tests with these variables set.
pub(crate) fn run_tests(workspace: &Workspace, env: &[(&str, String)], args: &[String]) -> Result<Report> {
    let nextest = succeeds(&mut workspace.cargo(&["nextest", "--version"]));
    let mut report = if nextest {
        with_nextest(workspace, env, args)?
    } else {
        with_cargo(workspace, env, args)?
    };
    report.slowest.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    report.slowest.truncate(NAMED);
    Ok(report)
}

/// Runs the examples in the documentation, which nextest does not.
pub(crate) fn run_doctests(workspace: &Workspace) -> Result<bool> {
    let mut command = workspace.cargo(&["test", "--workspace", "--doc"]);
    println!("  $ {}", typed(&command));
    Ok(command
        .status()
        .context("cannot run the documentation tests")?
        .success())
}

fn with_nextest(workspace: &Workspace, env: &[(&str, String)], args: &[String]) -> Result<Report> {
    let junit = workspace.target.join("nextest/default/junit.xml");
    // An older report must not pass for this run's.
    if junit.exists() {
        fs::remove_file(&junit).context("cannot remove the last run's report")?;
    }
    let mut command = workspace.cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]);
    command.args(args);
    println!("  $ {}", typed(&command));
    command.envs(env.iter().map(|(key, value)| (key, value)));
    let passed = command.status().context("cannot run `cargo nextest`")?.success();
    let xml = fs::read_to_string(&junit).unwrap_or_default();
    Ok(Report {
        passed,
        timed: "tests",
        slowest: junit_times(&xml),
    })
}

/// The stable test harness tells no times of single tests, so the binaries stand for them.
fn with_cargo(workspace: &Workspace, env: &[(&str, String)], args: &[String]) -> Result<Report> {
    let mut command = workspace.cargo(&[
        "test",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--no-fail-fast",
    ]);
    command.args(args);
    println!("  $ {}", typed(&command));
    command.envs(env.iter().map(|(key, value)| (key, value)));
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command
        .stderr(writer.try_clone().context("cannot share a pipe")?)
        .stdout(writer)
        .stdin(Stdio::null());
    let mut child = command.spawn().context("cannot run `cargo test`")?;
    // The command holds the writing ends; while it lives the reader below would wait for ever.
    drop(command);
    let mut times = BinaryTimes::default();
    for line in BufReader::new(reader).lines() {
        let line = line.context("cannot read the output of `cargo test`")?;
        println!("{line}");
        times.see(&line);
    }
    let passed = child.wait().context("cannot wait for `cargo test`")?.success();
    if passed && times.found.is_empty() {
        bail!("`cargo test` ran nothing");
    }
    Ok(Report {
        passed,
        timed: "test binaries",
        slowest: times.found,
    })
}

/// Follows the output of `cargo test`: a binary is announced, then says how long it took.
#[derive(Default)]
struct BinaryTimes {
    running: String,
    found: Vec<(String, Duration)>,
}

impl BinaryTimes {
    fn see(&mut self, line: &str) {
        if let Some(binary) = line.trim_start().strip_prefix("Running ") {
            binary.clone_into(&mut self.running);
        }
        let seconds = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.rsplit_once("finished in "))
            .and_then(|(_, time)| seconds(time.trim_end_matches('s')));
        if let Some(time) = seconds {
            self.found.push((std::mem::take(&mut self.running), time));
        }
    }
}

/// Name and time of each test in nextest's JUnit report, of which we need two attributes only.
fn junit_times(xml: &str) -> Vec<(String, Duration)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let case = |tag: &str| {
        let tag = tag.split_once('>')?.0;
        let name = format!("{} {}", attribute(tag, "classname")?, attribute(tag, "name")?);
        Some((name, seconds(&attribute(tag, "time")?)?))
    };
    xml.split("<testcase").skip(1).filter_map(case).collect()
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_a_junit_report() {
        let xml = r#"<testsuite name="a"><testcase name="b::c" classname="usher-core" timestamp="x" time="1.250"/>
                     <testcase name="d" classname="usher-scim" time="0.001"><failure/></testcase></testsuite>"#;
        let times = junit_times(xml);
        assert_eq!(
            times[0],
            ("usher-core b::c".to_owned(), Duration::from_millis(1250))
        );
        assert_eq!(times.len(), 2);
    }

    #[test]
    fn times_are_read_from_the_output_of_cargo_test() {
        let mut times = BinaryTimes::default();
        times.see("     Running unittests src/lib.rs (target/debug/deps/usher_core-1)");
        times.see(
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.52s",
        );
        assert_eq!(
            times.found[0].0,
            "unittests src/lib.rs (target/debug/deps/usher_core-1)"
        );
        assert_eq!(times.found[0].1, Duration::from_millis(520));
    }
}
