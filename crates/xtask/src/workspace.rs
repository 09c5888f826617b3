//! Where the workspace is, what `cargo metadata` says of it, and how commands are run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The checked-out workspace.
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds; not always `target`.
    pub(crate) target: PathBuf,
    /// The members, as `cargo metadata --no-deps` lists them.
    pub(crate) packages: Vec<Value>,
}

impl Workspace {
    /// Asks cargo, which needs no network for this.
    pub(crate) fn locate() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed; mend the manifest it names");
        }
        let metadata: Value =
            serde_json::from_slice(&output.stdout).context("cannot read `cargo metadata`")?;
        let path = |key: &str| {
            metadata[key]
                .as_str()
                .map(PathBuf::from)
                .with_context(|| format!("`cargo metadata` gives no {key}"))
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            packages: metadata["packages"].as_array().cloned().unwrap_or_default(),
        })
    }

    /// A cargo command that runs in the workspace's root, without input.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = cargo();
        command.args(args).current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// The member of that name.
    pub(crate) fn package(&self, name: &str) -> Option<&Value> {
        self.packages.iter().find(|package| package["name"] == name)
    }

    /// What makes cargo choose the features of dependencies as it does for tests, so that nothing is compiled twice: it counts
    /// those of development dependencies only where a test or an example is built, and this example is the smallest of these.
    pub(crate) fn example(&self) -> &'static [&'static str] {
        let is_there = self.package("usher-adapter-example").is_some();
        if is_there {
            &["--example", "usher_with_acme"]
        } else {
            &[]
        }
    }

    /// Files that are tracked, or new and not ignored, relative to the root.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let output = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(&self.root)
            .output()
            .context("cannot run `git ls-files`; install git and work in a clone")?;
        if !output.status.success() {
            bail!(
                "`git ls-files` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let listing = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let present = |name: &&str| !name.is_empty() && self.root.join(name).is_file();
        let mut files: Vec<String> = listing.split('\0').filter(present).map(str::to_owned).collect();
        files.sort_unstable();
        files.dedup();
        Ok(files)
    }

    /// A path as a person would type it: relative to the root where it is inside.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}

/// Prints a command as it could be typed, then runs it with its output on ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("  $ {}", typed(command));
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", typed(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", typed(command));
    }
    Ok(())
}

/// Whether a command can be started and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command line, with the variables that were set for it in front.
pub(crate) fn typed(command: &Command) -> String {
    let mut words = Vec::new();
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!(
                "{}={}",
                key.to_string_lossy(),
                quoted(&value.to_string_lossy())
            ));
        }
    }
    let program = command.get_program().to_string_lossy();
    let name = if program.ends_with("/cargo") {
        "cargo"
    } else {
        &program
    };
    words.push(name.to_owned());
    words.extend(command.get_args().map(|arg| quoted(&arg.to_string_lossy())));
    words.join(" ")
}

/// Starts a section of the output.
pub(crate) fn heading(title: &str) {
    println!("\n== {title}");
}

/// The cargo that runs us, so that a `+toolchain` is kept.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_command_can_be_pasted_into_a_shell() {
        let mut command = Command::new("/toolchain/bin/cargo");
        command
            .args(["doc", "it's here"])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            typed(&command),
            r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s here'"
        );
    }
}
