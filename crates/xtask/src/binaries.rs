//! The binaries that the end-to-end tests drive: the ordinary one, and one seeded with a fault.
//!
//! The seeded one acknowledges before the commit. A test that claims to notice lost changes is only worth something if
//! it notices them there.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::workspace::{self, Workspace};

/// The feature of `usher-server` that seeds the fault.
const FAULT: &str = "fault-ack-before-commit";

/// Builds the ordinary binary with the flags of the test run, so that nothing is compiled twice.
pub(crate) fn build_ordinary(workspace: &Workspace) -> Result<PathBuf> {
    build(workspace, &[])?;
    Ok(workspace.target.join("debug/usher"))
}

/// Builds the seeded binary and puts it beside the ordinary one; `None` where the server knows no such fault.
pub(crate) fn build_seeded(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let known = workspace
        .package("usher-server")
        .is_some_and(|server| server["features"][FAULT] != Value::Null);
    if !known {
        return Ok(None);
    }
    let feature = format!("usher-server/{FAULT}");
    build(workspace, &["--features", &feature])?;
    let seeded = workspace.target.join("debug/usher-ack-before-commit");
    fs::copy(workspace.target.join("debug/usher"), &seeded)
        .with_context(|| format!("cannot write {}", workspace.shown(&seeded)))?;
    // The next ordinary build puts its own binary back under the name: the two differ only in the crates with the fault.
    build_ordinary(workspace)?;
    Ok(Some(seeded))
}

/// `--workspace` and the example make cargo choose the features of dependencies as `cargo test` does.
fn build(workspace: &Workspace, features: &[&str]) -> Result<()> {
    let mut args = vec!["build", "--workspace", "--bin", "usher"];
    args.extend(workspace.example());
    args.extend(features);
    workspace::run(&mut workspace.cargo(&args))
}
