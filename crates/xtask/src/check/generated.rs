//! Files that the program writes about itself: checked in, so that they can be read and reviewed, and compared here.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::binaries;
use crate::workspace::{Workspace, typed};

/// The checked-in file, and the arguments with which `usher` prints it.
const GENERATED: &[(&str, &[&str])] = &[
    ("docs/openapi.json", &["openapi"]),
    ("config/usher.schema.json", &["config", "schema"]),
];

/// Compares each file that is there with what the program prints now; `fix` writes it instead.
pub(super) fn check(workspace: &Workspace, fix: bool) -> Result<()> {
    let present: Vec<_> = GENERATED
        .iter()
        .filter(|(file, _)| workspace.root.join(file).exists())
        .collect();
    if present.is_empty() {
        println!("  none is checked in");
        return Ok(());
    }
    let usher = binaries::build_ordinary(workspace)?;
    let mut stale = Vec::new();
    for (file, args) in present {
        let mut command = Command::new(&usher);
        command
            .args(*args)
            .current_dir(&workspace.root)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let output = command
            .output()
            .with_context(|| format!("cannot run `{}`", typed(&command)))?;
        if !output.status.success() {
            bail!("`{}` failed; it should print {file}", typed(&command));
        }
        let path = workspace.root.join(file);
        if fs::read(&path)? == output.stdout {
            println!("  {file} is what `usher {}` prints", args.join(" "));
        } else if fix {
            fs::write(&path, &output.stdout).with_context(|| format!("cannot write {file}"))?;
            println!("  {file} written");
        } else {
            stale.push(*file);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    bail!(
        "{} no longer current; run `cargo xtask check --fix` and read the difference",
        stale.join(", ")
    )
}
