//! `cargo xtask pictures`: the screenshots of the documentation, taken anew by the tests that take them anyway.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{self, Workspace, heading};
use crate::{needs, node};

/// The screenshots that the documentation shows.
const SHOWN: &[&str] = &[
    "overview-light",
    "order-light",
    "room-dark",
    "restore-light",
    "person-phone",
];

/// Where the documentation has them.
const FOLDER: &str = "docs/images";

/// The test that takes them.
const TAKES: &str = "browser::pages";

pub(crate) fn take(workspace: &Workspace) -> Result<()> {
    let provision = needs::provide(workspace, &needs::all_but(&["python", needs::BROWSER]))?;
    let Some(npm) = &provision.npm else {
        bail!("there are no pictures without a browser")
    };
    heading("the tests that take pictures");
    let taken = node::pictures(workspace);
    let mut tests = workspace.cargo(&["test", "-p", "usher-server", "--test", "e2e", TAKES]);
    tests
        .env("USHER_TEST_NPM", npm)
        .env("USHER_TEST_PICTURES", &taken);
    tests.envs(provision.python.iter().map(|path| ("USHER_TEST_PYTHON", path)));
    workspace::run(&mut tests)?;

    heading(FOLDER);
    let folder = workspace.root.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {FOLDER}"))?;
    for name in SHOWN {
        let name = format!("{name}.png");
        fs::copy(taken.join(&name), folder.join(&name))
            .with_context(|| format!("the tests took no picture {name}"))?;
        println!("  {FOLDER}/{name}");
    }
    Ok(())
}
