//! What commands print: JSON for programs, tables for people.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::CliError;
use crate::api::Problem;

/// Prints to standard output; errors go to standard error.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON is wanted.
    #[must_use]
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Prints `value` as JSON, or for people what `text` makes of it.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn show<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), CliError> {
        if self.json {
            let json =
                serde_json::to_string_pretty(value).map_err(|error| CliError::Failed(error.to_string()))?;
            self.line(&json)
        } else {
            self.line(&text(value))
        }
    }

    /// Prints one line, or several.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn line(self, text: &str) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", text.trim_end())
            .and_then(|()| out.flush())
            .map_err(|error| CliError::Failed(format!("cannot write to standard output: {error}")))
    }

    /// Says on standard error why a command failed.
    pub(super) fn error(self, error: &CliError) {
        let mut out = std::io::stderr().lock();
        let message = error.to_string();
        // Nobody is left to tell when standard error is closed.
        let _ = if self.json {
            let problem = match error {
                CliError::Engine(error) => Some(Problem::of_engine(error)),
                _ => None,
            };
            let told = Failure {
                error: &message,
                code: problem.as_ref().map(|problem| problem.code.as_str()),
                next: problem.as_ref().and_then(|problem| problem.next.as_deref()),
            };
            writeln!(out, "{}", serde_json::json!(told))
        } else {
            writeln!(out, "usher: {message}")
        };
    }
}

/// What programs are told when a command failed.
#[derive(Debug, Serialize)]
struct Failure<'a> {
    error: &'a str,
    /// A stable word, as in the API's problems.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

/// A table for people; `nothing` stands in its place when there are no rows.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>, nothing: &str) -> String {
    if rows.is_empty() {
        return nothing.to_owned();
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}
