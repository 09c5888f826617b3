//! `cargo xtask test`: every test there is, with what it needs, on any machine that can build the workspace.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::needs::{self, Provision};
use crate::runner;
use crate::workspace::{Workspace, heading};
use crate::{binaries, fuzz};

/// What was asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    without: BTreeSet<String>,
    fuzz_seconds: Option<u64>,
    runner_args: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let asked = parse(args)?;
    let started = Instant::now();
    let provision = needs::provide(workspace, &asked.without)?;
    let env = environment(workspace, &provision)?;
    let mut missing = provision.missing;

    heading("documentation tests");
    let documented = runner::run_doctests(workspace)?;
    heading("tests");
    let report = runner::run_tests(workspace, &env, &asked.runner_args)?;
    match asked.fuzz_seconds {
        Some(seconds) => missing.extend(fuzz::run(workspace, seconds)?.map(|reason| ("fuzz", reason))),
        None => missing.push(("fuzz", "asked for with --fuzz SECONDS".to_owned())),
    }

    heading(&format!("the slowest {}", report.timed));
    for (name, time) in &report.slowest {
        println!("  {:8.2} s  {name}", time.as_secs_f64());
    }
    heading("not run");
    for (name, reason) in &missing {
        println!("  {name}: {reason}");
    }
    println!("\n{} s in all", started.elapsed().as_secs());
    match (report.passed, documented) {
        (true, true) => Ok(()),
        (false, _) => bail!("tests failed; they are named above"),
        (true, false) => bail!("documentation tests failed; they are named above"),
    }
}

/// What the tests are told: what was left out by name, and where the rest is.
fn environment(workspace: &Workspace, provision: &Provision) -> Result<Vec<(&'static str, String)>> {
    let without: Vec<&str> = provision.missing.iter().map(|(name, _)| *name).collect();
    let mut env = vec![("USHER_TEST_WITHOUT", without.join(","))];
    if let Some(path) = &provision.python {
        env.push(("USHER_TEST_PYTHON", path.display().to_string()));
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
            "--fuzz" => {
                asked.fuzz_seconds = Some(value()?.parse().context("`--fuzz` takes a number of seconds")?);
            }
            "--" => asked.runner_args.extend(args.by_ref().cloned()),
            _ => bail!("test takes --without NEED,…, --fuzz SECONDS and -- ARGS, not `{arg}`"),
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
        let asked = parsed("--without python,strace --fuzz 5 -- --no-capture story").unwrap();
        assert_eq!(asked.without, ["python", "strace"].map(str::to_owned).into());
        assert_eq!(asked.fuzz_seconds, Some(5));
        assert_eq!(asked.runner_args, ["--no-capture", "story"]);
    }

    #[test]
    fn an_unknown_argument_is_refused() {
        assert!(parsed("--skip python").is_err());
        assert!(parsed("--fuzz soon").is_err());
    }
}
