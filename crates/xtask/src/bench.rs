//! `cargo xtask bench`: the load generator against the binary that users get.

use std::process::Command;

use anyhow::Result;

use crate::workspace::{self, Workspace, heading};

/// The profile of the binaries that are looked into: optimised as those that users get, with the names of their functions.
/// They have a folder of their own, so that looking into them once does not make the next build slow.
const PROFILING: &str = "profiling";
const PROFILING_SETTINGS: &[&str] = &[
    r#"profile.profiling.inherits = "release""#,
    "profile.profiling.strip = false",
    r#"profile.profiling.debug = "line-tables-only""#,
];

/// Builds both and passes the arguments on.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let profile = profile(args);
    heading(&format!("{profile} build"));
    let settings = match profile {
        PROFILING => PROFILING_SETTINGS,
        _ => &[],
    };
    let mut build = workspace.cargo(&[]);
    for setting in settings {
        build.args(["--config", setting]);
    }
    build.args(["build", "--profile", profile, "--workspace"]);
    build.args(["--bin", "usher", "--bin", "usher-bench"]);
    workspace::run(&mut build)?;
    heading("bench");
    let folder = workspace.target.join(profile);
    workspace::run(
        Command::new(folder.join("usher-bench"))
            .args(args)
            .env("USHER_BIN", folder.join("usher"))
            .current_dir(&workspace.root),
    )
}

/// Which profile of cargo these arguments ask for.
fn profile(args: &[String]) -> &'static str {
    let looks = |arg: &String| arg == "--profile" || arg.starts_with("--profile=");
    if args.iter().any(looks) {
        PROFILING
    } else {
        "release"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_functions_are_kept_for_looking_into_them_alone() {
        let profile = |args: &[&str]| profile(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        assert_eq!(profile(&["--only", "users"]), "release");
        assert_eq!(profile(&["--profile", "users"]), PROFILING);
        assert_eq!(profile(&["--storage", "postgres", "--profile=users"]), PROFILING);
    }
}
