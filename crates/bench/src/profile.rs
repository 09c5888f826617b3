//! Where a server spends its CPU: its stacks as `perf` sees them, folded for a flame graph.
//!
//! Each line of the file is a stack, outermost function first, and how often it was seen, which is what `flamegraph.pl`,
//! inferno and speedscope read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::process::Process;

/// Looks at the stacks so often a second: not in step with anything that happens every millisecond.
const FREQUENCY: &str = "499";

/// Stacks are found by the tables that unwinding has anyway; so much of each is kept.
const CALL_GRAPH: &str = "dwarf,16384";

/// A recording that runs.
pub(crate) struct Profile {
    perf: Child,
    data: PathBuf,
    folded: PathBuf,
}

impl Profile {
    /// Begins to look at a server; what was seen goes into `file` with `.folded` at its end. Where there is no `perf`, or
    /// it may not look, this says so and nothing else happens.
    pub(crate) fn start(server: &Process, file: &Path) -> Result<Option<Self>> {
        let (data, folded) = (file.with_extension("data"), file.with_extension("folded"));
        let perf = Command::new("perf")
            .args([
                "record",
                "--quiet",
                "--freq",
                FREQUENCY,
                "--call-graph",
                CALL_GRAPH,
                "--output",
            ])
            .arg(&data)
            .args(["--pid", &server.id().to_string()])
            .stdin(Stdio::null())
            .spawn();
        match perf {
            Ok(perf) => Ok(Some(Self { perf, data, folded })),
            Err(error) => {
                eprintln!("bench: no profile: cannot run perf: {error}");
                Ok(None)
            }
        }
    }

    /// Writes the file.
    pub(crate) fn finish(mut self) -> Result<()> {
        // It writes what it has when it is interrupted, and ends.
        Command::new("kill")
            .args(["-s", "INT", &self.perf.id().to_string()])
            .status()
            .context("cannot run kill")?;
        self.perf.wait()?;
        if !self.data.exists() {
            eprintln!("bench: no profile: perf recorded nothing; see kernel.perf_event_paranoid");
            return Ok(());
        }
        let mut script = Command::new("perf")
            .args(["script", "--no-inline", "--fields", "comm,ip,sym", "--input"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run perf")?;
        let output = script.stdout.take().context("perf has no output")?;
        let stacks = fold(BufReader::new(output))?;
        script.wait()?;
        let mut file = BufWriter::new(File::create(&self.folded)?);
        for (stack, count) in &stacks {
            writeln!(file, "{stack} {count}")?;
        }
        file.flush()?;
        std::fs::remove_file(&self.data)?;
        eprintln!(
            "bench: {} stacks are in {}",
            stacks.values().sum::<u64>(),
            self.folded.display()
        );
        Ok(())
    }
}

/// The stacks that `perf script` prints: the name of a thread, then a line for each function from the innermost outwards,
/// then an empty line.
fn fold(script: impl BufRead) -> Result<BTreeMap<String, u64>> {
    let mut stacks = BTreeMap::new();
    let mut thread = String::new();
    let mut functions: Vec<String> = Vec::new();
    for line in script.split(b'\n').chain([Ok(Vec::new())]) {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            if !functions.is_empty() {
                functions.push(std::mem::take(&mut thread));
                functions.reverse();
                *stacks.entry(functions.join(";")).or_default() += 1;
                functions.clear();
            }
        } else if line.starts_with(char::is_whitespace) {
            let line = line.trim_start();
            let name = line.split_once(' ').map_or("[unknown]", |(_, name)| name.trim());
            functions.push(plain(name));
        } else {
            thread = plain(line.trim());
        }
    }
    Ok(stacks)
}

/// A name without what has a meaning in the file, and without the hash at the end of Rust's.
fn plain(name: &str) -> String {
    let hash = name
        .rsplit_once("::h")
        .filter(|(_, hash)| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hash.map_or(name, |(name, _)| name).replace(';', ":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_counted_and_begin_outside() {
        let script = "usher-rt\n\t    55d0 usher::answer::h0123456789abcdef\n\t    55d1 tokio::run\n\n\
                      usher-rt\n\t    55d4 usher::answer::h0123456789abcdef\n\t    55d1 tokio::run\n\n\
                      writer\n\t    7f00 [unknown]\n";
        let stacks = fold(script.as_bytes()).unwrap();
        let expected = [
            ("usher-rt;tokio::run;usher::answer".to_owned(), 2),
            ("writer;[unknown]".to_owned(), 1),
        ];
        assert_eq!(stacks, BTreeMap::from(expected));
    }

    #[test]
    fn only_a_hash_is_cut_off() {
        assert_eq!(plain("a::hello"), "a::hello");
        assert_eq!(plain("f(int; char)"), "f(int: char)");
    }
}
