//! `usher webhook …`: endpoints that events are delivered to.

use clap::{ArgGroup, Subcommand};
use serde::Serialize;
use usher_core::{Role, Timestamp, WebhookId};
use usher_engine::Engine;

use super::act::Why;
use super::output::table;
use super::{CliError, Context};
use crate::api::ApiError;
use crate::api::view::{
    DeliveryView, NewWebhookView, ReplayView, WebhookTestView, WebhookView, webhook as view, webhooks,
};
use crate::api::webhooks::{list_deliveries, seqs};
use crate::config::Period;
use crate::webhook::{self, NewEndpoint, Replay, Webhooks};

/// The most deliveries that are listed.
const MOST: u32 = 10_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add an endpoint and print its secret, once.
    Add(Add),
    /// List endpoints and how they stand.
    List,
    /// Show an endpoint.
    Show {
        /// Its id, as in `webhook list`.
        id: WebhookId,
    },
    /// Stop deliveries; what happens meanwhile is delivered afterwards.
    Pause {
        /// Its id.
        id: WebhookId,
        #[command(flatten)]
        why: Why,
    },
    /// Let deliveries go on at once.
    Resume {
        /// Its id.
        id: WebhookId,
        /// Leave out everything that happened until now.
        #[arg(long)]
        skip: bool,
        #[command(flatten)]
        why: Why,
    },
    /// Remove an endpoint and everything that waits for it.
    Remove {
        /// Its id.
        id: WebhookId,
        #[command(flatten)]
        why: Why,
    },
    /// Make a new secret and print it, once; the present one still signs beside it for a while.
    Rotate {
        /// Its id.
        id: WebhookId,
        /// For how long, such as 1d; the configured time when left out.
        #[arg(long, value_name = "TIME")]
        overlap: Option<Period>,
        #[command(flatten)]
        why: Why,
    },
    /// Send a test event at once, from this machine.
    Test {
        /// Its id.
        id: WebhookId,
    },
    /// List deliveries that wait or were given up.
    Deliveries {
        /// Its id.
        id: WebhookId,
        /// Only those that were given up.
        #[arg(long)]
        dead: bool,
    },
    /// Deliver events again: by id, since a time, or those that were given up.
    #[command(group(ArgGroup::new("what").required(true).args(["event", "since", "dead"])))]
    Replay(Again),
}

#[derive(Debug, Clone, clap::Args)]
struct Add {
    /// Where deliveries go: an https URL.
    url: String,
    /// What it is for, in words.
    #[arg(long, default_value = "")]
    description: String,
    /// What its receiver may see: viewer, it, support, admin or app.
    #[arg(long, default_value_t = Role::App)]
    role: Role,
    /// A type of events that it wants, such as membership.started or membership.*; all when left out.
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// A room whose events it wants, by name or id; all when left out.
    #[arg(long = "room", value_name = "ROOM")]
    rooms: Vec<String>,
    /// A source whose events it wants; all when left out.
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Clone, clap::Args)]
struct Again {
    /// The endpoint's id.
    id: WebhookId,
    /// An event, by id; may be given several times.
    #[arg(long, value_name = "ID")]
    event: Vec<String>,
    /// Everything since this moment that the endpoint wants, such as 2026-01-31T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only what happened before this moment.
    #[arg(long, value_name = "TIME", requires = "since")]
    before: Option<Timestamp>,
    /// Everything that was given up.
    #[arg(long)]
    dead: bool,
    #[command(flatten)]
    why: Why,
}

/// An endpoint that was removed.
#[derive(Debug, Serialize)]
struct Removed {
    id: WebhookId,
    removed: bool,
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Add(arguments) => add(context, arguments),
        Verb::List => {
            let all = context.with_engine(|engine| async move {
                let now = engine.now();
                Ok(engine.read(move |tx| Box::pin(webhooks(tx, now))).await?)
            })?;
            context.output.show(&all, |all| lines(all))
        }
        Verb::Show { id } => {
            let shown = context.with_engine(|engine| async move { shown(&engine, id).await })?;
            context.output.show(&shown, details)
        }
        Verb::Pause { id, why } => context.do_and_show(&why, details, move |unit| {
            Box::pin(async move {
                webhook::pause(unit, id).await?;
                let now = unit.now();
                Ok::<_, ApiError>(view(unit.tx(), id, now).await?)
            })
        }),
        Verb::Resume { id, skip, why } => context.do_and_show(&why, details, move |unit| {
            Box::pin(async move {
                webhook::resume(unit, id, skip).await?;
                let now = unit.now();
                Ok::<_, ApiError>(view(unit.tx(), id, now).await?)
            })
        }),
        Verb::Remove { id, why } => context.do_and_show(
            &why,
            |_| format!("webhook {id} is removed"),
            move |unit| {
                Box::pin(async move {
                    webhook::remove(unit, id).await?;
                    Ok::<_, ApiError>(Removed { id, removed: true })
                })
            },
        ),
        Verb::Rotate { id, overlap, why } => {
            let (webhooks, cause) = (configured(context)?, context.cause(why.reason));
            let made = context.with_engine(|engine| async move {
                let overlap = overlap.map(Period::duration);
                let (_, secret) = webhook::rotate(&engine, &webhooks, cause, id, overlap).await?;
                let about = shown(&engine, id).await?;
                let secret = secret.expose().as_str().into();
                Ok(NewWebhookView { secret, about })
            })?;
            context.output.show(&made, new)
        }
        Verb::Test { id } => test(context, id),
        Verb::Deliveries { id, dead } => {
            let rows = context.with_engine(|engine| async move {
                Ok(list_deliveries(&engine, id, dead, 0, MOST).await?)
            })?;
            context.output.show(&rows, |rows| deliveries(rows))
        }
        Verb::Replay(arguments) => {
            let what = match arguments.since {
                Some(since) => Replay::Range(since, arguments.before),
                None if arguments.dead => Replay::Dead,
                None => Replay::Events(seqs(&arguments.event)?),
            };
            context.do_and_show(
                &arguments.why,
                |done: &ReplayView| format!("{} events are delivered again", done.events),
                move |unit| {
                    let what = what.clone();
                    Box::pin(async move {
                        let events = webhook::replay(unit, arguments.id, &what).await?;
                        Ok::<_, ApiError>(ReplayView { events })
                    })
                },
            )
        }
    }
}

fn add(context: &Context<'_>, arguments: Add) -> Result<(), CliError> {
    let (webhooks, cause) = (configured(context)?, context.cause(arguments.why.reason));
    let new_endpoint = NewEndpoint {
        url: arguments.url,
        description: arguments.description,
        role: arguments.role,
        events: arguments.events,
        rooms: arguments.rooms,
        sources: arguments.sources,
    };
    let made = context.with_engine(|engine| async move {
        let (row, secret) = webhook::create(&engine, &webhooks, cause, new_endpoint).await?;
        let about = shown(&engine, row.id).await?;
        let secret = secret.expose().as_str().into();
        Ok(NewWebhookView { secret, about })
    })?;
    context.output.show(&made, new)
}

fn test(context: &Context<'_>, id: WebhookId) -> Result<(), CliError> {
    let webhooks = configured(context)?;
    let tested: WebhookTestView = context
        .with_engine(|engine| async move { Ok(webhook::test(&engine, &webhooks, id).await?.into()) })?;
    context.output.show(&tested, |tested| match &tested.error {
        None => format!("the receiver took it, after {} ms", tested.milliseconds),
        Some(error) => format!("the receiver did not take it: {error}"),
    })?;
    match tested.delivered {
        true => Ok(()),
        false => Err(CliError::Failed("the test was not delivered".into())),
    }
}

fn configured(context: &Context<'_>) -> Result<Webhooks, CliError> {
    Ok(Webhooks::new(&context.load()?.0.config.webhooks)?)
}

async fn shown(engine: &Engine, id: WebhookId) -> Result<WebhookView, CliError> {
    let now = engine.now();
    Ok(engine.read(move |tx| Box::pin(view(tx, id, now))).await?)
}

fn new(made: &NewWebhookView) -> String {
    use secrecy::ExposeSecret as _;
    format!(
        "{}\n\nThis signs deliveries to {} (webhook {}). It is shown once; keep it where deliveries are received.",
        made.secret.expose_secret(),
        made.about.url,
        made.about.id
    )
}

fn lines(all: &[WebhookView]) -> String {
    let rows = all
        .iter()
        .map(|one| {
            [
                one.id.to_string(),
                one.url.clone(),
                one.state.to_string(),
                wanted(one),
                one.delivered.to_string(),
                one.waiting.to_string(),
                one.dead.to_string(),
                one.last_error
                    .clone()
                    .filter(|_| one.failing_since.is_some() || one.waiting > 0)
                    .unwrap_or_default(),
            ]
        })
        .collect();
    let headings = [
        "id",
        "URL",
        "state",
        "events",
        "delivered",
        "waiting",
        "dead",
        "error",
    ];
    table(
        headings,
        rows,
        "there are no webhooks; add one with `usher webhook add`",
    )
}

fn wanted(one: &WebhookView) -> String {
    let mut parts = one.events.clone();
    parts.extend(one.sources.iter().map(|source| format!("source {source}")));
    if !one.rooms.is_empty() {
        parts.push(format!("{} rooms", one.rooms.len()));
    }
    if parts.is_empty() {
        parts.push(format!("all that '{}' sees", one.role));
    }
    parts.join(", ")
}

fn details(one: &WebhookView) -> String {
    let time = |time: &Option<crate::api::words::Time>| time.map(|time| time.to_string());
    let mut rows = vec![
        ["id", &one.id.to_string()].map(str::to_owned),
        ["URL", &one.url].map(str::to_owned),
        ["state", &one.state.to_string()].map(str::to_owned),
        ["role", &one.role.to_string()].map(str::to_owned),
        ["events", &wanted(one)].map(str::to_owned),
        ["delivered", &one.delivered.to_string()].map(str::to_owned),
        ["waiting", &one.waiting.to_string()].map(str::to_owned),
        ["given up", &one.dead.to_string()].map(str::to_owned),
        ["events behind", &one.behind.to_string()].map(str::to_owned),
        ["live secrets", &one.secrets.len().to_string()].map(str::to_owned),
    ];
    let optional = [
        (
            "description",
            Some(one.description.clone()).filter(|text| !text.is_empty()),
        ),
        ("why not active", one.state_reason.clone()),
        ("last success", time(&one.last_success)),
        ("failing since", time(&one.failing_since)),
        ("next attempt", time(&one.next_attempt)),
        ("last failure", time(&one.last_failure)),
        ("last error", one.last_error.clone()),
    ];
    rows.extend(
        optional
            .into_iter()
            .filter_map(|(name, text)| Some([name.to_owned(), text?])),
    );
    table(["", ""], rows, "")
}

fn deliveries(rows: &[DeliveryView]) -> String {
    let lines = rows
        .iter()
        .map(|row| {
            [
                row.event.clone(),
                row.kind.clone(),
                row.room.map(|room| room.to_string()).unwrap_or_default(),
                row.state.to_owned(),
                row.attempts.to_string(),
                row.next_attempt.map(|at| at.to_string()).unwrap_or_default(),
                row.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let headings = [
        "event",
        "type",
        "room",
        "state",
        "attempts",
        "next attempt",
        "error",
    ];
    table(headings, lines, "nothing waits, and nothing was given up")
}
