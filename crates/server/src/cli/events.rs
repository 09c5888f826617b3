//! `usher events`: the feed, a line each.

use std::time::Duration;

use super::{CliError, Context, Output};
use crate::api::events::read;
use crate::api::view::CloudEvent;

/// Events that are read together.
const PAGE: u32 = 1000;
/// How often the feed is looked at while nothing comes.
const LOOK: Duration = Duration::from_millis(400);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Go on after the event with this id; from the beginning when left out.
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
    /// Keep waiting for what comes next.
    #[arg(long)]
    follow: bool,
}

/// With `--json`, one CloudEvent a line.
pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> Result<(), CliError> {
    let output = context.output;
    context.with_engine(|engine| async move {
        let mut after = arguments.after;
        loop {
            let rows = read(&engine, after, PAGE).await?;
            if let Some(last) = rows.last() {
                after = last.seq;
                for row in rows {
                    print(output, &CloudEvent::from(row))?;
                }
                continue;
            }
            if !arguments.follow {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    })
}

fn print(output: Output, event: &CloudEvent) -> Result<(), CliError> {
    if output.is_json() {
        let line = serde_json::to_string(event).map_err(|error| CliError::Failed(error.to_string()))?;
        return output.line(&line);
    }
    let reason = event.reason.as_ref().map(|reason| format!("  ({reason})"));
    output.line(&format!(
        "{:>6}  {}  {}  {}  {}{}",
        event.id,
        event.time,
        event.kind,
        event.actor,
        event.data,
        reason.unwrap_or_default()
    ))
}
