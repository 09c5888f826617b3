//! `usher doctor` and `usher migrate`: is everything in place?

use serde::Serialize;
use usher_core::{SourceState, WebhookState};
use usher_storage::query;

use super::output::table;
use super::room::ALL;
use super::{CliError, Context};
use crate::api::ApiError;
use crate::api::view::webhooks;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    what: String,
    /// Whether it is as it should be.
    good: bool,
    /// What was found, and what to do about it.
    found: String,
}

impl Finding {
    fn new(what: &str, good: bool, found: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            good,
            found: found.into(),
        }
    }
}

/// Looks at configuration, database, sources, rules and what waits for a human.
///
/// # Errors
/// When something is not as it should be, after all of it was printed.
pub(super) fn run(context: &Context<'_>) -> Result<(), CliError> {
    let (loaded, _) = context.load()?;
    let has_webhook_key = loaded.config.webhooks.key.is_some();
    let mut findings = vec![Finding::new("configuration", true, "it is valid")];
    let more = context.with_engine(|engine| async move {
        let settings = engine.storage().pragmas().len();
        let mut findings: Vec<Finding> = engine.read(|tx| Box::pin(async move { look(tx).await })).await?;
        findings.extend(look_at_webhooks(&engine, has_webhook_key).await?);
        let opened = format!("it opens, and its {settings} connections took every setting");
        findings.insert(0, Finding::new("database", true, opened));
        Ok(findings)
    })?;
    findings.extend(more);
    if loaded.config.server.public_url.is_none() {
        let found = "server.public_url is not set: SCIM answers point to the listening address";
        findings.push(Finding::new("public URL", true, found));
    }
    if let Some(found) = super::backup::newest(&loaded.config.storage.url) {
        findings.push(Finding::new("backups", true, found));
    }
    context.output.show(&findings, |findings| {
        let rows = findings
            .iter()
            .map(|finding| {
                let mark = if finding.good { "good" } else { "LOOK" };
                [mark.to_owned(), finding.what.clone(), finding.found.clone()]
            })
            .collect();
        table(["", "What", "Found"], rows, "")
    })?;
    match findings.iter().filter(|finding| !finding.good).count() {
        0 => Ok(()),
        1 => Err(CliError::Failed("one thing needs a look".into())),
        several => Err(CliError::Failed(format!("{several} things need a look"))),
    }
}

async fn look(tx: &mut usher_storage::Tx<'_>) -> Result<Vec<Finding>, ApiError> {
    let mut findings = Vec::new();
    for source in query::source::all(tx).await? {
        let what = format!("source '{}'", source.name);
        findings.push(match source.state {
            SourceState::Frozen => Finding::new(
                &what,
                false,
                "it is frozen: put it back into the configuration, or `usher source retire` it",
            ),
            state => Finding::new(&what, true, format!("it is {state}")),
        });
    }
    for source in query::source::all(tx).await? {
        if let Some(degraded) = query::pull_run::state(tx, source.key).await?.degraded {
            let found = format!(
                "it cannot be read since {}: {}; `usher source check {}` says more",
                degraded.since, degraded.reason, source.name
            );
            findings.push(Finding::new(&format!("source '{}'", source.name), false, found));
        }
    }
    let waiting = query::policy::load(tx)
        .await?
        .is_some_and(|row| row.proposed.is_some());
    findings.push(if waiting {
        Finding::new(
            "rules",
            false,
            "changed rules wait: `usher policy plan` and confirm",
        )
    } else {
        Finding::new("rules", true, "those of the configuration are in force")
    });
    let holds = query::hold::page(tx, true, None, ALL).await?.len();
    findings.push(if holds == 0 {
        Finding::new("holds", true, "none are open")
    } else {
        Finding::new("holds", false, format!("{holds} are open: `usher hold list`"))
    });
    for room in query::room::page(tx, None, ALL).await? {
        if let Some(since) = room.no_administrator_since {
            let found = format!("nobody administers it since {since}: give a member an administrator level");
            findings.push(Finding::new(&format!("room '{}'", room.name), false, found));
        }
    }
    Ok(findings)
}

async fn look_at_webhooks(engine: &usher_engine::Engine, has_key: bool) -> Result<Vec<Finding>, ApiError> {
    let now = engine.now();
    let all = engine.read(move |tx| Box::pin(webhooks(tx, now))).await?;
    let mut findings = Vec::new();
    if !has_key && !all.is_empty() {
        let found = "there are some, and no webhooks.key to open their secrets with: nothing is delivered";
        findings.push(Finding::new("webhooks", false, found));
    }
    for one in all {
        let error = one.last_error.as_deref().unwrap_or("no error was written down");
        let (good, found) = match (one.state, one.failing_since, one.dead) {
            (WebhookState::Disabled, ..) => (
                false,
                format!(
                    "it is disabled ({error}): mend the receiver and `usher webhook resume {}`",
                    one.id
                ),
            ),
            (WebhookState::Active, Some(since), _) => {
                (false, format!("nothing gets through since {since}: {error}"))
            }
            (_, _, dead @ 1..) => {
                let next = format!(
                    "look at `usher webhook deliveries {} --dead`, and replay them",
                    one.id
                );
                (false, format!("{dead} deliveries were given up: {next}"))
            }
            (state, ..) => (
                true,
                format!(
                    "it is {state}, {} delivered, {} waiting",
                    one.delivered, one.waiting
                ),
            ),
        };
        findings.push(Finding::new(&format!("webhook '{}'", one.url), good, found));
    }
    Ok(findings)
}

/// What `usher migrate` prints.
#[derive(Debug, Serialize)]
struct Schema {
    /// The version up to which the database has the schema; a newer program may have added to it.
    version: u32,
}

/// Brings the schema up to date. Every command does so when it opens the database; this one says the version.
///
/// # Errors
/// When the database is newer than this program, or a migration fails.
pub(super) fn migrate(context: &Context<'_>) -> Result<(), CliError> {
    context.with_engine(|_engine| async move { Ok(()) })?;
    let version = usher_storage::migrate::SQLITE
        .last()
        .map_or(0, |migration| migration.version);
    context.output.show(&Schema { version }, |schema| {
        format!("The database has the schema up to version {}.", schema.version)
    })
}
