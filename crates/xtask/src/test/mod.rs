//! `cargo xtask test`: every test there is, with what it needs, on any machine that can build the workspace.

mod postgres;
mod selection;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::needs::{self, Provision};
use crate::runner::{self, Pass, Report};
use crate::workspace::{Workspace, heading};
use crate::{binaries, fuzz, node};

pub(crate) use postgres::{VARIABLE as POSTGRES, hold as hold_postgres};
pub(crate) use selection::{Selection, Suite};

/// Tells the tests that take minutes to run as long as they can be worth it.
const LONG: &str = "USHER_TEST_LONG";

/// What was asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    without: BTreeSet<String>,
    long: bool,
    fuzz_seconds: Option<u64>,
    runner_args: Vec<String>,
}

/// A pass that has ended.
struct Ended {
    title: &'static str,
    report: Report,
    seconds: u64,
}

pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let asked = parse(args)?;
    let started = Instant::now();
    let provision = needs::provide(workspace, &asked.without)?;
    let mut env = environment(workspace, &provision)?;
    let mut missing: Vec<(String, String)> = provision
        .missing
        .iter()
        .map(|(name, reason)| ((*name).to_owned(), reason.clone()))
        .collect();
    if asked.long {
        env.push((LONG, "1".to_owned()));
    } else {
        missing.push(("long".to_owned(), "asked for with --long".to_owned()));
    }

    heading("documentation tests");
    let documented = runner::run_doctests(workspace)?;
    let mut passes = vec![pass(
        workspace,
        "tests, on SQLite",
        None,
        &env,
        &asked.runner_args,
    )?];
    if provision.has(needs::POSTGRES) {
        let cluster = postgres::Given::start()?;
        env.push(cluster.variable());
        let selection = Some(postgres::SELECTION);
        passes.push(pass(
            workspace,
            "tests, on PostgreSQL",
            selection,
            &env,
            &asked.runner_args,
        )?);
        missing.extend(postgres::left_out());
    }
    match asked.fuzz_seconds {
        Some(seconds) => {
            let reason = fuzz::run(workspace, seconds)?;
            missing.extend(reason.map(|reason| ("fuzz".to_owned(), reason)));
        }
        None => missing.push(("fuzz".to_owned(), "asked for with --fuzz SECONDS".to_owned())),
    }

    for Ended { title, report, .. } in &passes {
        heading(&format!("the slowest {} of the {title}", report.timed));
        for (name, time) in &report.slowest {
            println!("  {:8.2} s  {name}", time.as_secs_f64());
        }
    }
    heading("not run");
    for (name, reason) in &missing {
        println!("  {name}: {reason}");
    }
    heading("run");
    let said = |passed| if passed { "passed" } else { "FAILED" };
    println!("  documentation tests: {}", said(documented));
    for Ended {
        title,
        report,
        seconds,
    } in &passes
    {
        println!("  {title}: {}, {seconds} s", said(report.passed));
    }
    println!("\n{} s in all", started.elapsed().as_secs());
    if documented && passes.iter().all(|ended| ended.report.passed) {
        return Ok(());
    }
    bail!("tests failed; they are named above")
}

fn pass(
    workspace: &Workspace,
    title: &'static str,
    selection: Option<Selection>,
    env: &[(&'static str, String)],
    args: &[String],
) -> Result<Ended> {
    heading(title);
    let started = Instant::now();
    let report = runner::run_tests(workspace, &Pass { selection, env, args })?;
    Ok(Ended {
        title,
        report,
        seconds: started.elapsed().as_secs(),
    })
}

/// What the tests are told: what was left out by name, and where the rest is.
fn environment(workspace: &Workspace, provision: &Provision) -> Result<Vec<(&'static str, String)>> {
    let without: Vec<&str> = provision.missing.iter().map(|(name, _)| *name).collect();
    let mut env = vec![("USHER_TEST_WITHOUT", without.join(","))];
    if let Some(path) = &provision.python {
        env.push(("USHER_TEST_PYTHON", path.display().to_string()));
    }
    if let Some(path) = &provision.npm {
        env.push(("USHER_TEST_NPM", path.display().to_string()));
        let pictures = node::pictures(workspace).display().to_string();
        env.push(("USHER_TEST_PICTURES", pictures));
    }
    if provision.has(needs::SEEDED) {
        heading("the binary that acknowledges before the commit");
        match binaries::build_seeded(workspace)? {
            Some(path) => env.push(("USHER_SEEDED_BIN", path.display().to_string())),
            None => println!("  the server knows no such fault yet"),
        }
    }
    Ok(env)
}

fn parse(args: &[String]) -> Result<Asked> {
    let mut asked = Asked::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("`{arg}` needs a value"));
        match arg.as_str() {
            "--without" => asked
                .without
                .extend(value()?.split(',').map(|name| name.trim().to_owned())),
            "--long" => asked.long = true,
            "--fuzz" => {
                asked.fuzz_seconds = Some(value()?.parse().context("`--fuzz` takes a number of seconds")?);
            }
            "--" => asked.runner_args.extend(args.by_ref().cloned()),
            _ => bail!("test takes --without NEED,…, --long, --fuzz SECONDS and -- ARGS, not `{arg}`"),
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Asked> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_after_two_dashes_go_to_the_runner() {
        let asked = parsed("--without python,strace --long --fuzz 5 -- --no-capture story").unwrap();
        assert_eq!(asked.without, ["python", "strace"].map(str::to_owned).into());
        assert!(asked.long);
        assert_eq!(asked.fuzz_seconds, Some(5));
        assert_eq!(asked.runner_args, ["--no-capture", "story"]);
    }

    #[test]
    fn an_unknown_argument_is_refused() {
        assert!(parsed("--skip python").is_err());
        assert!(parsed("--fuzz soon").is_err());
    }
}
