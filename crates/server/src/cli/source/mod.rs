//! `usher source list|check|groups|sync|runs|drift|join|retire`.

mod pull;

use clap::Subcommand;
use usher_engine::EngineError;

use crate::api::sources::{all, parse, planned};
use crate::api::view::SourceView;
use crate::cli::act::{Consent, Why};
use crate::cli::output::table;
use crate::cli::{CliError, Context, show};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List sources, configured or not, and how fresh what they said is.
    List,
    /// Call the provider as a read would, and say for each permission what works and what breaks without it.
    Check {
        /// The source's name.
        source: String,
    },
    /// List groups as the provider shows them, to name one in an order or a mapping.
    Groups(pull::Groups),
    /// Ask for a read: of what changed, everything, a group or a person. A running server does it.
    Sync(pull::Sync),
    /// List reads, the newest first: what each saw and changed, and why it failed.
    Runs(pull::Runs),
    /// List where what was pushed, what was read and what is in effect differ.
    Drift {
        /// The source's name.
        source: String,
    },
    /// Say that what was pushed and what was read are one and the same.
    Join(pull::Join),
    /// Retire a source as the plan shows it: what it alone backed ends.
    Retire {
        /// The source's name.
        source: String,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        why: Why,
    },
}

pub(in crate::cli) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::List => {
            let sources = context.look(|tx| Box::pin(async move { Ok(all(tx, true).await?) }))?;
            context.output.show(&sources, |sources| text(sources))
        }
        Verb::Check { source } => pull::check(context, &source),
        Verb::Groups(which) => pull::groups(context, which),
        Verb::Sync(asked) => pull::start(context, asked),
        Verb::Runs(which) => pull::list(context, which),
        Verb::Drift { source } => pull::drift(context, &source),
        Verb::Join(asked) => pull::put_together(context, asked),
        Verb::Retire { source, consent, why } => {
            let name = parse(&source)?;
            let plan = context.with_engine(|engine| async move { Ok(planned(&engine, &source).await?) })?;
            let digest = consent.given(&plan.digest, &show::retire_plan(&plan))?;
            context.do_and_show(&why, text_of_one, move |unit| {
                let (name, digest) = (name.clone(), digest.clone());
                Box::pin(async move {
                    unit.retire_source(&name, &digest).await?;
                    let sources = all(unit.tx(), true).await?;
                    let found = sources.into_iter().find(|one| one.name == name.as_str());
                    Ok(found.ok_or_else(|| EngineError::not_found("source", &name))?)
                })
            })
        }
    }
}

fn text_of_one(source: &SourceView) -> String {
    text(std::slice::from_ref(source))
}

fn text(sources: &[SourceView]) -> String {
    let rows = sources
        .iter()
        .map(|source| {
            [
                source.name.clone(),
                source.kind.clone(),
                source.mode.clone(),
                source.state.to_string(),
                source.users.unwrap_or_default().to_string(),
                source.groups.unwrap_or_default().to_string(),
                show::or_nothing(source.last_write.as_ref()),
                show::or_nothing(source.pull.as_ref().and_then(|pull| pull.last_read.as_ref())),
                trouble(source),
            ]
        })
        .collect();
    table(
        [
            "Name",
            "Kind",
            "Mode",
            "State",
            "Accounts",
            "Groups",
            "Last change",
            "Last read",
            "In trouble",
        ],
        rows,
        "There are no sources.",
    )
}

/// Why a source cannot be read, and since when.
fn trouble(source: &SourceView) -> String {
    let degraded = source.pull.as_ref().and_then(|pull| pull.degraded.as_ref());
    degraded.map_or_else(String::new, |degraded| {
        format!("since {}: {}", degraded.since, degraded.reason)
    })
}
