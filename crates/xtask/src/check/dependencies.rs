//! Which crate may know which, read from `cargo metadata`, and what may come in from outside, read from `cargo tree`.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::Finding;
use crate::workspace::Workspace;

/// What a crate may depend on. The order of the table is the direction of dependencies.
const MAY_KNOW: &[(&str, May)] = &[
    ("usher-core", May::Know(&[])),
    ("usher-scim", May::Know(&[])),
    ("usher-outbound", May::Know(&["usher-core"])),
    // It calls the API and nothing else.
    ("usher-console", May::Know(&["usher-core"])),
    ("usher-webhook", May::Know(&["usher-core"])),
    ("usher-signin", May::Know(&["usher-core"])),
    ("usher-mail", May::Know(&["usher-core"])),
    ("usher-storage", May::Know(&["usher-core", "usher-scim"])),
    ("usher-engine", May::Know(&["usher-core", "usher-storage"])),
    ("usher-fakes", May::Know(&["usher-core", "usher-scim"])),
    ("usher-testkit", May::Know(&["usher-core", "usher-fakes"])),
    ("usher-testpg", May::Know(&[])),
    // An integrator's crate, so it also runs the program.
    (
        "usher-adapter-example",
        May::Know(&["usher-core", "usher-outbound", "usher-server"]),
    ),
    (
        "usher-adapter-*",
        May::Know(&["usher-core", "usher-scim", "usher-outbound"]),
    ),
    ("usher-server", May::KnowAll),
    ("usher-bench", May::KnowAll),
    // It starts the one cluster of a test run.
    ("usher-xtask", May::Know(&["usher-testpg"])),
];

/// Crates that tests of any other may use, and nothing else but the server: its demo lives on the fakes.
const FOR_TESTS: &[&str] = &["usher-fakes", "usher-testkit", "usher-testpg"];

/// Crates that nothing depends on.
const NOBODY_KNOWS: &[&str] = &["usher-bench", "usher-xtask", "usher-server"];

/// Crates that run the program all the same.
const RUN_THE_PROGRAM: &[&str] = &["usher-bench", "usher-adapter-example"];

/// Packages of which the tree may hold one at most: two would link, and then disagree.
const ONE_OF: &[(&[&str], &str)] = &[
    (
        &["ring", "aws-lc-rs", "openssl"],
        "TLS providers: choose features so that only aws-lc-rs remains",
    ),
    (
        &["libsqlite3-sys"],
        "copies of SQLite: bring the crates that bind it to one version",
    ),
];

enum May {
    Know(&'static [&'static str]),
    KnowAll,
}

pub(super) fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for package in &workspace.packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(may) = rule_for(name) else {
            found.push(Finding {
                place: name.to_owned(),
                what: "no rule says what this crate may depend on".to_owned(),
                remedy:
                    "add it to the table in crates/xtask/src/check/dependencies.rs, and to ARCHITECTURE.md"
                        .to_owned(),
            });
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            found.extend(judge(name, may, dependency));
        }
    }
    found.extend(rivals(&built(workspace)?));
    Ok(found)
}

fn rule_for(name: &str) -> Option<&'static May> {
    let applies = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    };
    MAY_KNOW
        .iter()
        .find(|(pattern, _)| applies(pattern))
        .map(|(_, may)| may)
}

fn judge(name: &str, may: &May, dependency: &Value) -> Option<Finding> {
    let other = dependency["name"].as_str().unwrap_or_default();
    let for_tests = dependency["kind"] == "dev";
    if !other.starts_with("usher-") {
        return foreign(name, other, dependency);
    }
    let allowed = match may {
        May::KnowAll => true,
        May::Know(known) => known.contains(&other),
    };
    let allowed = (allowed || (for_tests && FOR_TESTS.contains(&other)))
        && (!NOBODY_KNOWS.contains(&other) || (RUN_THE_PROGRAM.contains(&name) && other == "usher-server"));
    (!allowed).then(|| Finding {
        place: name.to_owned(),
        what: format!("depends on {other}, against the direction of dependencies"),
        remedy: format!("move what is shared down, or what uses it up, and drop {other} from its Cargo.toml"),
    })
}

/// Outside crates come from the registry, so that a clone builds anywhere.
fn foreign(name: &str, other: &str, dependency: &Value) -> Option<Finding> {
    let source = dependency["source"].as_str().unwrap_or("a path");
    (!source.starts_with("registry+")).then(|| Finding {
        place: name.to_owned(),
        what: format!("takes {other} from {source}"),
        remedy: "depend on a released version".to_owned(),
    })
}

/// What is built here, a line for each package with its version. The lock file also names what features could bring in
/// and do not: ring stands in it as an alternative that nobody takes.
fn built(workspace: &Workspace) -> Result<String> {
    let output = workspace
        .cargo(&["tree", "--workspace", "--prefix", "none", "--format", "{p}"])
        .output()
        .context("cannot run `cargo tree`")?;
    if !output.status.success() {
        bail!(
            "`cargo tree` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).context("`cargo tree` answered with something else than text")
}

/// Packages of [`ONE_OF`] that are built beside each other.
fn rivals(tree: &str) -> Vec<Finding> {
    let packages: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    let mut found = Vec::new();
    for (names, remedy) in ONE_OF {
        let present: Vec<String> = packages
            .iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        if present.len() > 1 {
            found.push(Finding {
                place: "Cargo.lock".to_owned(),
                what: format!("{} are all in the tree", present.join(", ")),
                remedy: format!("{remedy} (`cargo tree -i NAME` shows who asks)"),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(name: &str, other: &str, kind: Option<&str>) -> bool {
        let dependency = json!({"name": other, "kind": kind});
        judge(name, rule_for(name).unwrap(), &dependency).is_some()
    }

    #[test]
    fn dependencies_point_one_way() {
        assert!(!refused("usher-engine", "usher-storage", None));
        assert!(refused("usher-storage", "usher-engine", None));
        assert!(refused("usher-engine", "usher-scim", None));
        assert!(refused("usher-core", "usher-scim", None));
        assert!(refused("usher-adapter-okta", "usher-adapter-scim", None));
        assert!(refused("usher-adapter-scim", "usher-storage", Some("dev")));
        assert!(!refused("usher-adapter-scim", "usher-testkit", Some("dev")));
        assert!(refused("usher-adapter-scim", "usher-testkit", None));
        assert!(!refused("usher-server", "usher-adapter-scim", None));
        assert!(refused("usher-server", "usher-xtask", None));
        assert!(!refused("usher-adapter-example", "usher-server", Some("dev")));
        assert!(refused("usher-adapter-example", "usher-storage", Some("dev")));
    }

    #[test]
    fn a_crate_without_a_rule_is_found() {
        assert!(rule_for("usher-newcomer").is_none());
    }

    #[test]
    fn a_dependency_from_outside_the_registry_is_found() {
        let git = json!({"name": "axum", "kind": null, "source": "git+https://example.org/axum"});
        assert!(judge("usher-server", rule_for("usher-server").unwrap(), &git).is_some());
        let released = json!({"name": "axum", "kind": null, "source": "registry+https://example.org"});
        assert!(judge("usher-server", rule_for("usher-server").unwrap(), &released).is_none());
    }

    #[test]
    fn two_tls_providers_are_found() {
        assert_eq!(rivals("ring v0.17.14\nring v0.17.14 (*)\n\n").len(), 0);
        assert_eq!(rivals("ring v0.17.14\naws-lc-rs v1.19.0 (*)\n").len(), 1);
        assert_eq!(
            rivals("libsqlite3-sys v0.37.0\nlibsqlite3-sys v0.36.0\n").len(),
            1
        );
    }
}
