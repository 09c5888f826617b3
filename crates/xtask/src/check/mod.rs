//! `cargo xtask check`: everything that the continuous integration asks of the code, quickest first.
//!
//! All checks run even when one fails, so that one run names everything there is to mend.

mod dependencies;
mod generated;
mod house;

use anyhow::{Result, bail};

use crate::workspace::{self, Workspace, heading};

/// One thing that breaks a rule.
pub(crate) struct Finding {
    /// File, package or line it was found in.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// A check; the flag asks it to mend what it can.
type Check = fn(&Workspace, bool) -> Result<()>;

/// Runs every check; `--fix` formats and regenerates first.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let fix = match args {
        [] => false,
        [only] if only == "--fix" => true,
        _ => bail!("check takes `--fix` or nothing"),
    };
    let checks: [(&str, Check); 6] = [
        ("house rules", |workspace, _| report(&house::findings(workspace)?)),
        ("dependency rules", |workspace, _| {
            report(&dependencies::findings(workspace)?)
        }),
        ("formatting", formatting),
        ("clippy", |workspace, _| clippy(workspace)),
        ("rustdoc", |workspace, _| rustdoc(workspace)),
        ("generated files", generated::check),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        heading(name);
        match check(workspace, fix) {
            Ok(()) => println!("  ok"),
            Err(error) => {
                println!("  {error:#}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        println!("\nall {} checks passed", checks.len());
        return Ok(());
    }
    bail!("check failed: {}", failed.join(", "))
}

fn formatting(workspace: &Workspace, fix: bool) -> Result<()> {
    if fix {
        return workspace::run(&mut workspace.cargo(&["fmt", "--all"]));
    }
    workspace::run(&mut workspace.cargo(&["fmt", "--all", "--check"]))
        .map_err(|_| anyhow::anyhow!("the code is not formatted; run `cargo fmt --all`"))
}

/// Warnings are denied through the linter's arguments, never through `RUSTFLAGS`: those would rebuild every dependency.
fn clippy(workspace: &Workspace) -> Result<()> {
    workspace::run(&mut workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn rustdoc(workspace: &Workspace) -> Result<()> {
    workspace::run(
        workspace
            .cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn report(findings: &[Finding]) -> Result<()> {
    for finding in findings {
        println!("  {}: {}\n      {}", finding.place, finding.what, finding.remedy);
    }
    if findings.is_empty() {
        return Ok(());
    }
    bail!("{} to mend", findings.len())
}
