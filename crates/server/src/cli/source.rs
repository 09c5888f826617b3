//! `usher source list|retire`.

use clap::Subcommand;
use usher_engine::EngineError;

use super::act::{Consent, Why};
use super::output::table;
use super::{CliError, Context, show};
use crate::api::sources::{all, parse, planned};
use crate::api::view::SourceView;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List sources, configured or not, and how fresh what they said is.
    List,
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

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::List => {
            let sources = context.look(|tx| Box::pin(async move { Ok(all(tx).await?) }))?;
            context.output.show(&sources, |sources| text(sources))
        }
        Verb::Retire { source, consent, why } => {
            let name = parse(&source)?;
            let plan = context.with_engine(|engine| async move { Ok(planned(&engine, &source).await?) })?;
            let digest = consent.given(&plan.digest, &show::retire_plan(&plan))?;
            context.do_and_show(&why, text_of_one, move |unit| {
                let (name, digest) = (name.clone(), digest.clone());
                Box::pin(async move {
                    unit.retire_source(&name, &digest).await?;
                    let sources = all(unit.tx()).await?;
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
                source.users.to_string(),
                source.groups.to_string(),
                show::or_nothing(source.last_write.as_ref()),
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
        ],
        rows,
        "There are no sources.",
    )
}
