//! `cargo xtask bench`: the load generator against the binary that users get.

use std::process::Command;

use anyhow::Result;

use crate::workspace::{self, Workspace, heading};

/// Builds both in release and passes the arguments on.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    heading("release build");
    workspace::run(&mut workspace.cargo(&[
        "build",
        "--release",
        "--workspace",
        "--bin",
        "usher",
        "--bin",
        "usher-bench",
    ]))?;
    heading("bench");
    let release = workspace.target.join("release");
    workspace::run(
        Command::new(release.join("usher-bench"))
            .args(args)
            .env("USHER_BIN", release.join("usher"))
            .current_dir(&workspace.root),
    )
}
