//! `usher config check|schema`.

use clap::Subcommand;
use serde_json::json;

use super::{CliError, Context};
use crate::config::json_schema;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what is wrong with the configuration, without opening or calling anything.
    Check,
    /// Print the JSON Schema of the configuration file.
    Schema,
}

pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Check => check(context),
        Verb::Schema => {
            let schema = serde_json::to_string_pretty(&json_schema()).expect("a schema is plain JSON");
            context.output.line(&schema)
        }
    }
}

fn check(context: &Context<'_>) -> Result<(), CliError> {
    let (loaded, rules) = context.load()?;
    let file = loaded.file.map_or_else(
        || "the built-in configuration".to_owned(),
        |file| file.display().to_string(),
    );
    let sources: Vec<_> = rules
        .sources
        .iter()
        .map(|s| json!({ "name": s.name, "kind": s.kind, "mode": s.mode }))
        .collect();
    context
        .output
        .show(&json!({ "ok": true, "file": file, "sources": sources }), |_| {
            let names: Vec<&str> = rules.sources.iter().map(|source| source.name.as_str()).collect();
            match names.as_slice() {
                [] => format!("{file} is valid; it has no source yet"),
                names => format!("{file} is valid; sources: {}", names.join(", ")),
            }
        })
}
