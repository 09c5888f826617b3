//! A bounded run of the fuzz targets, where the machine can.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::workspace::{self, Workspace, heading, succeeds};

/// Where the targets are; a workspace of its own, since it needs a nightly compiler.
const FOLDER: &str = "crates/scim/fuzz";

/// Runs each target for that many seconds; answers why not, where it cannot.
pub(crate) fn run(workspace: &Workspace, seconds: u64) -> Result<Option<String>> {
    if !workspace.root.join(FOLDER).is_dir() {
        return Ok(Some(format!("there are no targets in {FOLDER}")));
    }
    if !succeeds(nightly().arg("--version").current_dir(&workspace.root)) {
        let how = "rustup toolchain install nightly && cargo install cargo-fuzz";
        return Ok(Some(format!("`cargo +nightly fuzz` does not answer; `{how}`")));
    }
    let listed = nightly()
        .args(["list", "--fuzz-dir", FOLDER])
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .output()
        .context("cannot list the fuzz targets")?;
    for target in String::from_utf8_lossy(&listed.stdout).lines() {
        heading(&format!("fuzz {target}, {seconds} s"));
        let limit = format!("-max_total_time={seconds}");
        workspace::run(
            nightly()
                .args(["run", "--fuzz-dir", FOLDER, target, "--", &limit])
                .current_dir(&workspace.root)
                .stdin(Stdio::null()),
        )?;
    }
    Ok(None)
}

/// Through rustup's `cargo`: the one that runs us knows no `+toolchain`.
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz"]);
    for inherited in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(inherited);
    }
    command
}
