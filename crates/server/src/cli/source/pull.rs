//! `usher source check|groups|sync|runs|drift|join`: reading sources.

use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use usher_core::{GroupQuery, PullRunId, PullRunState, RemoteGroupId};
use usher_engine::{Engine, EngineError};
use usher_storage::query;

use crate::api::ApiError;
use crate::api::sources::{JoinInput, JoinedView, SyncInput, find_runs, join, parse, sync};
use crate::api::view::{
    CheckView, CountsView, DriftView, PullRunView, RemoteGroupView, SaidView, run as one_view, runs,
};
use crate::cli::act::Why;
use crate::cli::output::table;
use crate::cli::show::{fields, or_nothing};
use crate::cli::{CliError, Context};

/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// A running server takes a read up within a second.
const TAKEN: Duration = Duration::from_secs(3);
/// Runs that are listed when nobody says how many.
const RUNS: u32 = 20;

/// Which groups to list.
#[derive(Debug, clap::Args)]
pub(super) struct Groups {
    /// The source's name.
    source: String,
    /// Those alone whose name begins so.
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// The one with this id at the provider.
    #[arg(long)]
    id: Option<String>,
    /// The most groups to list.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
}

/// What to read.
#[derive(Debug, clap::Args)]
pub(super) struct Sync {
    /// The source's name.
    source: String,
    /// Everything, and not what changed alone.
    #[arg(long, conflicts_with_all = ["group", "person"])]
    full: bool,
    /// This group alone, completely, by the provider's id of it.
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// This person alone, by address, id, or the provider's id of the account.
    #[arg(long, value_name = "ID", conflicts_with = "group")]
    person: Option<String>,
    /// Wait until it is done, and show how far it is.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    why: Why,
}

/// Which runs.
#[derive(Debug, clap::Args)]
pub(super) struct Runs {
    /// The source's name.
    source: String,
    /// How many, the newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = RUNS)]
    limit: u32,
}

/// What is one and the same.
#[derive(Debug, clap::Args)]
pub(super) struct Join {
    /// The source's name.
    source: String,
    /// The provider's id of a user who waits; the pushed user of the same name is meant.
    #[arg(
        long,
        value_name = "ID",
        required_unless_present = "group",
        conflicts_with = "group"
    )]
    user: Option<String>,
    /// The SCIM id of a pushed group.
    #[arg(long, value_name = "ID", requires = "remote")]
    group: Option<String>,
    /// The provider's id of that group.
    #[arg(long, value_name = "ID", requires = "group")]
    remote: Option<String>,
    #[command(flatten)]
    why: Why,
}

pub(super) fn check(context: &Context<'_>, source: &str) -> Result<(), CliError> {
    let readers = context.readers()?;
    let reader = readers.get(source)?;
    let view = context.with_engine(|engine| async move {
        let checked = crate::pull::check(&engine, reader)
            .await
            .map_err(|error| ApiError::source(&reader.name, error))?;
        Ok(CheckView::new(reader.name.to_string(), checked))
    })?;
    context.output.show(&view, check_text)?;
    if view.good {
        return Ok(());
    }
    Err(EngineError::refused(
        "check_failed",
        view.refusal
            .unwrap_or_else(|| format!("source '{source}' cannot do all that it needs")),
        "grant what is missing at the provider, and check again",
    )
    .into())
}

fn check_text(view: &CheckView) -> String {
    let mut text = fields(&[
        ("Source", view.source.clone()),
        ("Tenant", view.tenant.clone().unwrap_or_default()),
    ]);
    for one in &view.permissions {
        let state = match one.state {
            "works" => "works  ",
            "missing" => "MISSING",
            _ => "unknown",
        };
        text.push_str(&format!("\n{state}  {}: {}", one.name, one.why));
        if let Some(detail) = &one.detail {
            text.push_str(&format!("\n         {detail}"));
        }
        if one.state == "missing" {
            text.push_str(&format!("\n         Grant {} at the provider.", one.name));
        }
    }
    if !view.guidance.is_empty() {
        text.push_str("\n\nAt the provider:");
        for step in &view.guidance {
            text.push_str(&format!("\n- {step}"));
        }
    }
    text
}

pub(super) fn groups(context: &Context<'_>, which: Groups) -> Result<(), CliError> {
    let readers = context.readers()?;
    let reader = readers.get(&which.source)?;
    let id = which.id.map(RemoteGroupId::new).transpose();
    let query = GroupQuery {
        name_prefix: which.prefix,
        id: id.map_err(|error| CliError::Usage(error.to_string()))?,
        limit: which.limit,
    };
    let found = context.with_engine(|_engine| async move {
        let found = reader.adapter.list_groups(query).await;
        Ok(found.map_err(|error| ApiError::source(&reader.name, error))?)
    })?;
    let views: Vec<_> = found.into_iter().map(RemoteGroupView::from).collect();
    context.output.show(&views, |views| {
        let or_unknown = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let rows = views
            .iter()
            .map(|group| {
                [
                    group.id.clone(),
                    group.display_name.clone(),
                    group.kind.clone(),
                    or_unknown(group.members),
                    or_unknown(group.guests),
                    or_unknown(group.nested_groups),
                    match group.assigned {
                        Some(true) => "yes",
                        Some(false) => "no",
                        None => "?",
                    }
                    .to_owned(),
                ]
            })
            .collect();
        let header = [
            "Id",
            "Name",
            "Kind",
            "Members",
            "Guests",
            "Groups inside",
            "Assigned",
        ];
        table(header, rows, "The provider shows no such group.")
    })
}

pub(super) fn start(context: &Context<'_>, asked: Sync) -> Result<(), CliError> {
    let input = SyncInput {
        group: asked.group,
        person: asked.person,
        full: asked.full,
        reason: None,
    };
    let source = asked.source.clone();
    let begun = context.change(&asked.why, move |unit| {
        let (source, input) = (source.clone(), input.clone());
        Box::pin(async move { sync(unit, &source, &input).await })
    })?;
    let is_wanted = !context.output.is_json();
    let last = context.with_engine(|engine| watch(engine, begun, asked.wait, is_wanted))?;
    context.output.show(&last, one_run)?;
    match last.state {
        PullRunState::Waiting => {
            let mut out = std::io::stderr().lock();
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(
                out,
                "usher: no server took it up within {} seconds: it waits until `usher serve` runs, or until the read \
                 before it is done",
                TAKEN.as_secs()
            );
            Ok(())
        }
        PullRunState::Failed => {
            let reason = last.error.map(|error| error.reason).unwrap_or_default();
            Err(CliError::Failed(format!("the read failed: {reason}")))
        }
        PullRunState::Abandoned => Err(CliError::Failed(
            "the server stopped in the middle of the read; it is repeated when a server runs".into(),
        )),
        PullRunState::Running | PullRunState::Done => Ok(()),
    }
}

/// Looks at a run until it is over, or until it is clear that it is taken up or not.
async fn watch(
    engine: Engine,
    run: PullRunView,
    to_the_end: bool,
    tell: bool,
) -> Result<PullRunView, CliError> {
    let begun = Instant::now();
    let tell = tell && std::io::stderr().is_terminal();
    let mut seen = run;
    loop {
        let is_over = seen.ended.is_some();
        let waits_in_vain = seen.state == PullRunState::Waiting && begun.elapsed() >= TAKEN;
        if is_over || waits_in_vain || !to_the_end && seen.state != PullRunState::Waiting {
            if tell {
                let _ = write!(std::io::stderr(), "\r\x1b[K");
            }
            return Ok(seen);
        }
        if tell {
            let _ = write!(
                std::io::stderr(),
                "\r\x1b[K{}: {}",
                seen.state,
                counts(&seen.counts)
            );
        }
        tokio::time::sleep(LOOK).await;
        let id = PullRunId::from_uuid(seen.id);
        seen = engine
            .read(move |tx| {
                Box::pin(async move {
                    let row = query::pull_run::by_id(tx, id)
                        .await?
                        .ok_or_else(|| EngineError::not_found("run", id))?;
                    Ok::<_, ApiError>(one_view(tx, row).await?)
                })
            })
            .await?;
    }
}

pub(super) fn list(context: &Context<'_>, which: Runs) -> Result<(), CliError> {
    let views = context.look(move |tx| {
        let source = which.source.clone();
        Box::pin(async move {
            let rows = find_runs(tx, &source, None, which.limit).await?;
            Ok(runs(tx, rows).await?)
        })
    })?;
    context.output.show(&views, |views| {
        let rows = views
            .iter()
            .map(|run| {
                [
                    run.id.to_string(),
                    run.state.to_string(),
                    what(run),
                    run.cause.to_string(),
                    or_nothing(run.started.as_ref()),
                    or_nothing(run.ended.as_ref()),
                    counts(&run.counts),
                    outcome(run),
                ]
            })
            .collect();
        let header = [
            "Run",
            "State",
            "Of",
            "Cause",
            "Started",
            "Ended",
            "Seen and changed",
            "",
        ];
        table(header, rows, "The source was never read.")
    })
}

fn one_run(run: &PullRunView) -> String {
    fields(&[
        ("Run", run.id.to_string()),
        ("Source", run.source.clone()),
        ("Of", what(run)),
        ("State", run.state.to_string()),
        ("Started", or_nothing(run.started.as_ref())),
        ("Ended", or_nothing(run.ended.as_ref())),
        ("Seen and changed", counts(&run.counts)),
        ("Not seen", outcome(run)),
    ])
}

fn what(run: &PullRunView) -> String {
    let kind = if run.full { "everything" } else { "what changed" };
    match run.targets.as_slice() {
        [] => kind.to_owned(),
        [only] => format!("{} {only}", run.scope),
        several => format!("{} {}", several.len(), run.scope),
    }
}

fn counts(counts: &CountsView) -> String {
    let mut text = format!(
        "{} groups, {} members; {} users changed, {} members came, {} went",
        counts.groups, counts.members, counts.users_changed, counts.added, counts.removed
    );
    if counts.doubted > 0 {
        text.push_str(&format!(", {} to be seen twice", counts.doubted));
    }
    text
}

/// Why it failed, or what it did not see.
fn outcome(run: &PullRunView) -> String {
    match (&run.error, run.not_seen.as_slice()) {
        (Some(error), _) => error.reason.clone(),
        (None, []) => String::new(),
        (None, [first, rest @ ..]) => {
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" and {} more", rest.len())
            };
            format!("{}: {}{more}", first.what, first.reason)
        }
    }
}

pub(super) fn drift(context: &Context<'_>, source: &str) -> Result<(), CliError> {
    /// The most differences of each kind that are listed.
    const MOST: u32 = 1000;
    let name = parse(source)?;
    let views = context.with_engine(|engine| async move {
        let drifts = engine.drift(name, MOST).await?;
        Ok(drifts.into_iter().map(DriftView::from).collect::<Vec<_>>())
    })?;
    context.output.show(&views, |views| {
        let said = |said: &Option<SaidView>| {
            said.as_ref().map_or_else(String::new, |said| match &said.at {
                Some(at) => format!("{} since {at}", said.what),
                None => said.what.clone(),
            })
        };
        let rows = views
            .iter()
            .map(|one| {
                [
                    one.kind.clone(),
                    one.group_name.clone().unwrap_or_default(),
                    one.user_name
                        .clone()
                        .or_else(|| one.remote_id.clone())
                        .unwrap_or_default(),
                    said(&one.pushed),
                    said(&one.read),
                    match one.in_effect {
                        Some(true) => "in",
                        Some(false) => "out",
                        None => "",
                    }
                    .to_owned(),
                    one.next.clone(),
                ]
            })
            .collect();
        let header = ["What", "Group", "Who", "Pushed", "Read", "In effect", "Next"];
        table(header, rows, "Nothing differs.")
    })
}

pub(super) fn put_together(context: &Context<'_>, asked: Join) -> Result<(), CliError> {
    let input = JoinInput {
        user: asked.user,
        group: asked.group,
        remote_group: asked.remote,
        reason: None,
    };
    let source = asked.source;
    let text = |joined: &JoinedView| match (joined.user, joined.group) {
        (Some(user), _) => format!("Account {user} is both now."),
        (None, Some(group)) => format!("Group {group} is both now; a read of it waits."),
        (None, None) => String::new(),
    };
    context.do_and_show(&asked.why, text, move |unit| {
        let (source, input) = (source.clone(), input.clone());
        Box::pin(async move { join(unit, &source, &input).await })
    })
}
