//! `cargo xtask check`: everything that the continuous integration asks of the code, quickest first.
//!
//! All checks run even when one fails, so that one run names everything there is to mend.

mod dependencies;
mod generated;
mod house;

use std::path::PathBuf;
use std::process::Command;

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

/// The arguments of the linter.
const DENIED: [&str; 2] = ["-D", "warnings"];

/// What `cargo clippy` puts after each of them when it hands them on.
const BETWEEN: &str = "__CLIPPY_HACKERY__";

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
    workspace::run(
        workspace
            .cargo(&["clippy", "--workspace", "--all-targets", "--"])
            .args(DENIED),
    )
}

/// What clippy has checked is not checked again: cargo takes it where features, wrapper and arguments are the same.
fn rustdoc(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    command.args(["--lib", "--bins"]).args(workspace.example());
    command.env("RUSTDOCFLAGS", "-D warnings");
    if let Some(driver) = clippy_driver() {
        command.env("RUSTC_WORKSPACE_WRAPPER", driver);
        command.env("CLIPPY_ARGS", format!("{}{BETWEEN}", DENIED.join(BETWEEN)));
    }
    workspace::run(&mut command)
}

/// The compiler that `cargo clippy` has cargo run.
fn clippy_driver() -> Option<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Some(sysroot.join("bin/clippy-driver")).filter(|path| path.exists())
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
