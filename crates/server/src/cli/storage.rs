//! `usher storage copy`: to another database, of whatever engine.

use std::sync::{Arc, Mutex, PoisonError};

use clap::Subcommand;
use serde::Serialize;
use usher_storage::copy::{self, CopyError, Progress};
use usher_storage::{StorageError, TableContent};

use super::context::runtime;
use super::output::table;
use super::progress::Ticker;
use super::{CliError, Context};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Copy everything into another database, which has to be empty, and check it. The server must not run.
    Copy(Copy),
}

#[derive(Debug, clap::Args)]
struct Copy {
    /// The address of the database, or of a backup, to copy from, such as sqlite:data/usher.db. The environment keeps
    /// passwords off the command line.
    #[arg(long, value_name = "URL", env = "USHER_COPY_FROM", hide_env_values = true)]
    from: String,
    /// The address of the empty database to copy to, such as postgres://usher@db.example/usher.
    #[arg(long, value_name = "URL", env = "USHER_COPY_TO", hide_env_values = true)]
    to: String,
}

/// What `usher storage copy` prints.
#[derive(Debug, Serialize)]
struct Copied {
    /// How many rows were copied.
    rows: u64,
    /// What is in each table, in both databases.
    tables: Vec<TableContent>,
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    let Verb::Copy(Copy { from, to }) = arguments.verb;
    if from == to {
        return Err(CliError::Usage(
            "--from and --to name the same database; name an empty one with --to".into(),
        ));
    }
    let ticker = Mutex::new(Ticker::new(context.output));
    let listener = move |progress: Progress<'_>| {
        let mut ticker = ticker.lock().unwrap_or_else(PoisonError::into_inner);
        ticker.show(|| describe(progress));
    };
    let tables = runtime(true)?.block_on(copy::copy(&from, &to, Arc::new(listener)))?;
    let rows = tables.iter().map(|table| table.rows).sum();
    context.output.show(&Copied { rows, tables }, text)
}

fn text(copied: &Copied) -> String {
    let rows = copied
        .tables
        .iter()
        .filter(|table| table.rows > 0)
        .map(|table| {
            [
                table.table.clone(),
                table.rows.to_string(),
                table.digest[..16].to_owned(),
            ]
        })
        .collect();
    format!(
        "{}\n\n{} rows copied and compared. Set storage.url to the new database and start the server; the old one is as it \
         was.",
        table(["Table", "Rows", "Digest"], rows, "There was nothing to copy."),
        copied.rows
    )
}

fn describe(progress: Progress<'_>) -> String {
    let Progress {
        table,
        done,
        all,
        checking,
    } = progress;
    let doing = if checking { "comparing" } else { "copying" };
    format!("{doing} {table}: {done} of {all} rows")
}

impl From<CopyError> for CliError {
    fn from(error: CopyError) -> Self {
        let text = error.to_string();
        match error {
            CopyError::Storage(error @ StorageError::Migration(_)) => error.into(),
            CopyError::Storage(_) | CopyError::Interrupted | CopyError::Differs(_) => Self::Failed(text),
            CopyError::Source(_)
            | CopyError::InUse
            | CopyError::Schema { .. }
            | CopyError::NotEmpty { .. }
            | CopyError::Unlike(_) => Self::Refused(text),
        }
    }
}
