//! The test runner: `cargo nextest` where it is installed, `cargo test` otherwise, and the slowest tests of either.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::test::{POSTGRES, Selection, Suite};
use crate::workspace::{Workspace, succeeds, typed};

/// How many of the slowest are named.
const NAMED: usize = 10;

/// How `cargo test` is told to build everything: with another choice, cargo would choose other features of dependencies.
const ALL: &[&str] = &["--workspace", "--lib", "--bins", "--tests"];

/// What a run says of itself.
pub(crate) struct Report {
    /// Whether every test passed.
    pub(crate) passed: bool,
    /// The unit that `slowest` counts in.
    pub(crate) timed: &'static str,
    /// The slowest first.
    pub(crate) slowest: Vec<(String, Duration)>,
}

/// Which tests to run, and what to tell them.
pub(crate) struct Pass<'a> {
    /// Some of them; all without.
    pub(crate) selection: Option<Selection>,
    /// Variables for the tests.
    pub(crate) env: &'a [(&'static str, String)],
    /// What was typed for the runner, such as a part of a test's name.
    pub(crate) args: &'a [String],
}

/// How many tests run at once: more than there are processors, since many of them wait for a server, a lease or a disk.
fn at_once() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (2 * processors).to_string()
}

/// Runs unit, integration and end-to-end tests. What a pass with the same features has built is not built again.
pub(crate) fn run_tests(workspace: &Workspace, pass: &Pass<'_>) -> Result<Report> {
    let nextest = succeeds(&mut workspace.cargo(&["nextest", "--version"]));
    let mut report = match &pass.selection {
        _ if nextest => with_nextest(workspace, pass)?,
        None => with_cargo(workspace, pass)?,
        Some(selection) => one_by_one(workspace, pass, selection)?,
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

fn with_nextest(workspace: &Workspace, pass: &Pass<'_>) -> Result<Report> {
    let junit = workspace.target.join("nextest/default/junit.xml");
    // An older report must not pass for this run's.
    if junit.exists() {
        fs::remove_file(&junit).context("cannot remove the last run's report")?;
    }
    let mut command = workspace.cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]);
    if let Some(selection) = &pass.selection {
        command.arg("--filterset").arg(selection.filterset());
        // What was typed may name tests of other suites only.
        command.arg("--no-tests=pass");
    }
    command.args(pass.args);
    println!("  $ {}", typed(&command));
    tell(&mut command, pass.env);
    let passed = command.status().context("cannot run `cargo nextest`")?.success();
    let xml = fs::read_to_string(&junit).unwrap_or_default();
    Ok(Report {
        passed,
        timed: "tests",
        slowest: junit_times(&xml),
    })
}

/// The stable test harness tells no times of single tests, so the binaries stand for them.
fn with_cargo(workspace: &Workspace, pass: &Pass<'_>) -> Result<Report> {
    let mut command = workspace.cargo(&[&["test", "--no-fail-fast"], ALL].concat());
    command.args(pass.args);
    println!("  $ {}", typed(&command));
    tell(&mut command, pass.env);
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

/// `cargo test` can choose among targets by their bare names only, so the binaries of the suites are run by themselves.
fn one_by_one(workspace: &Workspace, pass: &Pass<'_>, selection: &Selection) -> Result<Report> {
    let mut command = workspace.cargo(&[&["test", "--no-run", "--message-format=json"], ALL].concat());
    println!("  $ {}", typed(&command));
    let built = command
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo test`")?;
    let messages = String::from_utf8_lossy(&built.stdout);
    let names: Vec<&String> = pass.args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let mut report = Report {
        passed: built.status.success(),
        timed: "test binaries",
        slowest: Vec::new(),
    };
    for suite in selection.suites {
        let (binary, folder) = built_binary(workspace, &messages, *suite)
            .with_context(|| format!("`cargo test` built no {}::{}", suite.0, suite.1))?;
        let listed = Command::new(&binary)
            .args(["--list", "--format", "terse"])
            .args(&names)
            .output()
            .with_context(|| format!("cannot list the tests of {}", binary.display()))?;
        let listing = String::from_utf8_lossy(&listed.stdout);
        let tests: Vec<&str> = listing
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .filter(|test| selection.has(*suite, test))
            .collect();
        if tests.is_empty() {
            continue;
        }
        let mut command = Command::new(&binary);
        command.current_dir(folder).stdin(Stdio::null());
        println!("  $ {} --exact …", typed(&command));
        command.arg("--exact").args(tests);
        tell(&mut command, pass.env);
        let started = Instant::now();
        report.passed &= command
            .status()
            .with_context(|| format!("cannot run {}", binary.display()))?
            .success();
        let name = format!("{}::{}", suite.0, suite.1);
        report.slowest.push((name, started.elapsed()));
    }
    Ok(report)
}

/// Where cargo says that it built the test target, and the folder of its package, in which its tests run.
fn built_binary(workspace: &Workspace, messages: &str, suite: Suite) -> Option<(PathBuf, PathBuf)> {
    let package = workspace.package(suite.0)?;
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
        let is_it = message["target"]["name"] == suite.1
            && message["target"]["kind"][0] == "test"
            && message["package_id"] == package["id"];
        let binary = message["executable"].as_str().filter(|_| is_it)?;
        Some((binary.into(), folder.into()))
    })
}

/// Variables for the runner and the tests; none of a cluster comes from outside.
fn tell(command: &mut Command, env: &[(&str, String)]) {
    command.env_remove(POSTGRES);
    for variable in ["NEXTEST_TEST_THREADS", "RUST_TEST_THREADS"] {
        if std::env::var_os(variable).is_none() {
            command.env(variable, at_once());
        }
    }
    command.envs(env.iter().map(|(key, value)| (key, value)));
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
