//! Node.js and the pinned npm packages that the browser tests run on.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::workspace::{self, Workspace, succeeds};

/// The folder that says which packages, in which versions, with which digests.
const PINS: &str = "tests/browser";

/// What npm reads there.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Left by an installation that went through; holds the pins that it was made from.
const DONE: &str = "installed";

/// Names that the browser goes by.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Whether there is a Node.js that the packages run on.
pub(crate) fn has_node() -> bool {
    const RECENT: &str = "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)";
    succeeds(Command::new("node").args(["-e", RECENT]))
}

/// Whether there is the command that installs packages.
pub(crate) fn has_npm() -> bool {
    succeeds(Command::new("npm").arg("--version"))
}

/// Whether there is a browser that Playwright can drive.
pub(crate) fn has_browser() -> bool {
    BROWSERS
        .iter()
        .any(|name| succeeds(Command::new(name).arg("--version")))
}

/// Where the packages are put.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools/npm")
}

/// Where the tests put their screenshots.
pub(crate) fn pictures(workspace: &Workspace) -> PathBuf {
    workspace.target.join("screenshots")
}

/// The commands of [`install`], for a person to type.
pub(crate) fn command(workspace: &Workspace) -> String {
    let folder = workspace.shown(&folder(workspace));
    let files = FILES.map(|name| format!("{PINS}/{name}")).join(" ");
    format!(
        "mkdir -p {folder} && cp {files} {folder} && npm ci --prefix {folder} --ignore-scripts && cp {folder}/{} {folder}/{DONE}",
        FILES[1]
    )
}

/// Whether exactly the pinned versions are there.
pub(crate) fn is_current(workspace: &Workspace) -> bool {
    let pins = fs::read(workspace.root.join(PINS).join(FILES[1]));
    let done = fs::read(folder(workspace).join(DONE));
    matches!((pins, done), (Ok(pins), Ok(done)) if pins == done)
}

/// Installs the pinned packages, each checked against its digest; none may run a script of its own.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let (pins, folder) = (workspace.root.join(PINS), folder(workspace));
    let doing = || format!("cannot copy the pins of {PINS} to {}", workspace.shown(&folder));
    fs::create_dir_all(&folder).with_context(doing)?;
    for name in FILES {
        fs::copy(pins.join(name), folder.join(name)).with_context(doing)?;
    }
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ])
    .current_dir(&folder)
    .stdin(Stdio::null());
    workspace::run(&mut npm).with_context(|| format!("cannot install the packages pinned in {PINS}"))?;
    fs::copy(pins.join(FILES[1]), folder.join(DONE)).with_context(doing)?;
    Ok(())
}
