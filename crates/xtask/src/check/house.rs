//! Rules that a compiler does not know, found by reading the text of the checked-in files.

use std::fs;

use anyhow::{Context as _, Result};

use super::Finding;
use crate::workspace::Workspace;

/// Above this many lines a file probably has two subjects.
const LONG_FILE: usize = 800;

/// Where SQL may be put together at run time; everywhere else it is a constant.
const BUILDS_SQL: &[&str] = &[
    "crates/storage/src/query/directory.rs",
    // From the names of tables and columns that the database's own catalog gives.
    "crates/storage/src/content.rs",
];

/// Where SQL may stand at all: the storage crate, the load generator, which measures the database by itself, the clusters for
/// tests, the end-to-end test that looks for itself at what nodes left in the database, and here.
const HOLDS_SQL: &[&str] = &[
    "crates/storage/",
    "crates/bench/",
    "crates/testpg/",
    "crates/xtask/",
    // Tests that make a state which takes a clock or another process to come by, or look from outside.
    "crates/engine/tests/it/pulls/",
    "crates/server/tests/it/pull/",
    "crates/server/tests/it/webhooks/",
    "tests/backup/",
    "tests/harness/",
    "tests/nodes/",
];

/// What begins a SQL statement.
const STATEMENTS: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "DELETE FROM ",
    "WITH RECURSIVE ",
];

/// A text that may not occur, in which files, and what to do instead. The texts are in two halves so that this file does
/// not find itself.
const BANNED: &[Banned] = &[
    Banned::in_rust(["to", "do!("], "finish it or leave it out"),
    Banned::in_rust(["unimpl", "emented!("], "finish it or leave it out"),
    Banned::in_rust(["#[ig", "nore"], "mend the test or delete it"),
    Banned::in_rust(
        ["thread::sl", "eep"],
        "wait for the condition itself, with a deadline",
    ),
    Banned::in_rust(
        ["time::sl", "eep("],
        "wait for the condition itself, with a deadline",
    )
    // The one file of outbound waits for as long as an identity provider asks; the bench spreads its rounds over the beat of
    // the servers that it measures.
    .but(&[
        "crates/bench/src/measure/pull.rs",
        "crates/server/src/",
        "tests/harness/",
        "crates/outbound/src/patience.rs",
    ]),
    Banned::in_rust(["#[al", "low("], "use #[expect(…, reason = \"…\")]"),
    Banned::in_rust(["#![al", "low("], "use #![expect(…, reason = \"…\")]"),
    Banned::anywhere(["TO", "DO:"], "finish it, or open an issue"),
    Banned::anywhere(["FIX", "ME"], "finish it, or open an issue"),
    Banned::anywhere(["XX", "X:"], "finish it, or open an issue"),
    Banned::anywhere(["pypi", ".org"], "name the package, not the registry's host"),
    Banned::anywhere(
        ["registry.np", "mjs"],
        "name the package, not the registry's host",
    ),
    Banned::anywhere(
        ["index.cra", "tes.io"],
        "name the package, not the registry's host",
    ),
    Banned::anywhere(["crates.io/", "api"], "name the package, not the registry's host"),
    Banned::anywhere(["deb.deb", "ian"], "name the package, not the registry's host"),
    Banned::anywhere(
        ["/ro", "ot/"],
        "use a path relative to the workspace, or a temporary folder",
    ),
    Banned::anywhere(
        ["/ho", "me/"],
        "use a path relative to the workspace, or a temporary folder",
    ),
];

/// Names of files that say nothing, and files that are somebody else's.
const NO_NAMES: &[&str] = &["utils.rs", "util.rs", "helpers.rs", "common.rs", "manager.rs"];

struct Banned {
    halves: [&'static str; 2],
    rust_only: bool,
    but: &'static [&'static str],
    remedy: &'static str,
}

impl Banned {
    const fn in_rust(halves: [&'static str; 2], remedy: &'static str) -> Self {
        Self {
            halves,
            rust_only: true,
            but: &[],
            remedy,
        }
    }

    const fn anywhere(halves: [&'static str; 2], remedy: &'static str) -> Self {
        Self {
            halves,
            rust_only: false,
            but: &[],
            remedy,
        }
    }

    const fn but(mut self, but: &'static [&'static str]) -> Self {
        self.but = but;
        self
    }
}

pub(super) fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for file in workspace.files()? {
        found.extend(judge_name(&file));
        let bytes = fs::read(workspace.root.join(&file)).with_context(|| format!("cannot read {file}"))?;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        found.extend(judge_text(&file, &text));
        let lines = text.lines().count();
        if file.ends_with(".rs") && lines > LONG_FILE {
            println!("  note: {file} has {lines} lines; does it have two subjects?");
        }
    }
    for package in &workspace.packages {
        found.extend(judge_package(package));
    }
    Ok(found)
}

fn judge_name(file: &str) -> Option<Finding> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let finding = |what: &str, remedy: &str| {
        Some(Finding {
            place: file.to_owned(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        })
    };
    if NO_NAMES.contains(&name) {
        return finding(
            "the name says nothing of what is inside",
            "name the file after its one subject",
        );
    }
    let vendored = file
        .split('/')
        .any(|part| matches!(part, "vendor" | "node_modules" | "third_party"));
    if vendored || name.ends_with(".min.js") || name.ends_with(".min.css") {
        return finding(
            "a copy of somebody else's code",
            "get it from its registry at build time, pinned",
        );
    }
    if folder == "changelog.d" && name != "README.md" {
        let kind = name
            .strip_suffix(".md")
            .and_then(|stem| stem.rsplit_once('.'))
            .map(|(_, kind)| kind);
        if !matches!(kind, Some("added" | "changed" | "fixed" | "removed")) {
            return finding(
                "not a change note",
                "name it SLUG.added.md, .changed.md, .fixed.md or .removed.md",
            );
        }
    }
    None
}

fn judge_text(file: &str, text: &str) -> Vec<Finding> {
    let rust = file.ends_with(".rs");
    let legal_or_locked = matches!(file, "LICENSE" | "Cargo.lock") || file.ends_with(".lock");
    let mut found = Vec::new();
    if legal_or_locked {
        return found;
    }
    for (index, line) in text.lines().enumerate() {
        let mut finding = |what: String, remedy: &str| {
            found.push(Finding {
                place: format!("{file}:{}", index + 1),
                what,
                remedy: remedy.to_owned(),
            });
        };
        for banned in BANNED.iter().filter(|banned| rust || !banned.rust_only) {
            let needle = banned.halves.concat();
            let excused = banned.but.iter().any(|prefix| file.starts_with(prefix));
            if !excused && line.contains(&needle) {
                finding(format!("`{needle}`"), banned.remedy);
            }
        }
        if !rust || BUILDS_SQL.contains(&file) {
            continue;
        }
        if begins_statement(line) && !HOLDS_SQL.iter().any(|prefix| file.starts_with(prefix)) {
            finding(
                "SQL outside storage".to_owned(),
                "add a query to usher-storage and call that",
            );
        } else if file.starts_with("crates/storage/") && builds_statement(line) {
            finding(
                "SQL put together at run time".to_owned(),
                &format!("write it as a constant, or build it in {BUILDS_SQL:?}"),
            );
        }
    }
    found
}

/// A string literal that opens with a statement: `"SELECT …`.
fn begins_statement(line: &str) -> bool {
    STATEMENTS
        .iter()
        .any(|statement| line.contains(&format!("\"{statement}")))
}

/// A statement inside `format!` on one line, which is how it is written when somebody is in a hurry.
fn builds_statement(line: &str) -> bool {
    line.contains("format!(") && begins_statement(line)
}

/// Each crate says what it is, takes the workspace's lints, and shows its README as its documentation.
fn judge_package(package: &serde_json::Value) -> Vec<Finding> {
    let manifest = package["manifest_path"].as_str().unwrap_or_default();
    let name = package["name"].as_str().unwrap_or_default();
    let mut found = Vec::new();
    let mut finding = |what: &str, remedy: &str| {
        found.push(Finding {
            place: name.to_owned(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        });
    };
    if package["description"].as_str().is_none_or(str::is_empty) {
        finding(
            "no description",
            "say in its Cargo.toml, in one line, what the crate is for",
        );
    }
    let lints = fs::read_to_string(manifest).is_ok_and(|text| text.contains("[lints]\nworkspace = true"));
    if !lints {
        finding(
            "does not take the workspace's lints",
            "add `[lints]` with `workspace = true` to its Cargo.toml",
        );
    }
    let front = package["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|target| {
            target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "lib"))
        });
    if let Some(path) = front.and_then(|target| target["src_path"].as_str()) {
        let shown = fs::read_to_string(path)
            .is_ok_and(|text| text.contains("#![doc = include_str!(\"../README.md\")]"));
        if !shown {
            finding(
                "its README is not its documentation",
                "begin lib.rs with #![doc = include_str!(\"../README.md\")]",
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(file: &str, text: &str) -> Vec<String> {
        judge_text(file, text)
            .into_iter()
            .map(|finding| finding.place)
            .collect()
    }

    #[test]
    fn unfinished_marks_are_found_with_their_line() {
        let text = format!("fn f() {{\n    {}{}\n}}\n", "to", "do!()");
        assert_eq!(
            places("crates/core/src/lib.rs", &text),
            ["crates/core/src/lib.rs:2"]
        );
        assert!(places("docs/page.md", &text).is_empty());
    }

    #[test]
    fn sql_stays_in_storage_and_is_not_put_together() {
        let constant = "const LIST: &str = \"SELECT id FROM room\";";
        let built = "let sql = format!(\"SELECT {column} FROM room\");";
        assert_eq!(places("crates/engine/src/lib.rs", constant).len(), 1);
        assert!(places("crates/storage/src/rooms.rs", constant).is_empty());
        assert_eq!(places("crates/storage/src/rooms.rs", built).len(), 1);
        assert!(places(BUILDS_SQL[0], built).is_empty());
    }

    #[test]
    fn registry_hosts_are_found_in_every_file() {
        let text = format!("see https://{}{}/project/x", "pypi", ".org");
        assert_eq!(places("docs/page.md", &text), ["docs/page.md:1"]);
        assert!(places("Cargo.lock", &text).is_empty());
    }

    #[test]
    fn change_notes_are_named_after_their_kind() {
        assert!(judge_name("changelog.d/scim-bulk.added.md").is_none());
        assert!(judge_name("changelog.d/scim-bulk.md").is_some());
        assert!(judge_name("crates/core/src/utils.rs").is_some());
        assert!(judge_name("docs/vendor/x.css").is_some());
    }
}
