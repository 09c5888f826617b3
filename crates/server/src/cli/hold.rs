//! `usher hold list|show|approve|reject`.

use clap::Subcommand;
use usher_core::HoldId;
use usher_engine::hold;
use usher_storage::query;

use super::act::{Consent, Why};
use super::room::ALL;
use super::{CliError, Context, show};
use crate::api::holds::{view, views};
use crate::api::view::{HoldDetails, HoldView};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List open holds.
    List {
        /// Closed ones too.
        #[arg(long)]
        all: bool,
    },
    /// Show who is in a hold, and why.
    Show {
        /// The hold's id.
        hold: HoldId,
    },
    /// Let happen what a hold holds: its people leave the room, or come in.
    Approve(Decide),
    /// Refuse what a hold holds: its people stay, or keep waiting.
    Reject(Decide),
}

#[derive(Debug, Clone, clap::Args)]
struct Decide {
    /// The hold's id.
    hold: HoldId,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    why: Why,
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::List { all } => {
            let holds = context.look(move |tx| {
                Box::pin(async move {
                    let rows = query::hold::page(tx, !all, None, ALL).await?;
                    Ok(views(tx, rows).await?)
                })
            })?;
            context.output.show(&holds, |holds| show::holds(holds))
        }
        Verb::Show { hold } => {
            let shown = details(context, hold)?;
            context.output.show(&shown, show::hold_details)
        }
        Verb::Approve(decide) => {
            let digest = decide.digest(context)?;
            context.do_and_show(&decide.why, one, move |unit| {
                let digest = digest.clone();
                Box::pin(async move {
                    let row = unit.approve_hold(decide.hold, &digest).await?;
                    Ok(view(unit.tx(), row).await?)
                })
            })
        }
        Verb::Reject(decide) => {
            let digest = decide.digest(context)?;
            context.do_and_show(&decide.why, one, move |unit| {
                let digest = digest.clone();
                Box::pin(async move {
                    let row = unit.reject_hold(decide.hold, &digest).await?;
                    Ok(view(unit.tx(), row).await?)
                })
            })
        }
    }
}

impl Decide {
    fn digest(&self, context: &Context<'_>) -> Result<String, CliError> {
        let shown = details(context, self.hold)?;
        self.consent.given(&shown.digest, &show::hold_details(&shown))
    }
}

fn details(context: &Context<'_>, id: HoldId) -> Result<HoldDetails, CliError> {
    // Who decides at the command line is shown everybody.
    context.look(move |tx| Box::pin(async move { Ok(hold::view(tx, id, hold::EVERYBODY).await?.into()) }))
}

fn one(view: &HoldView) -> String {
    show::holds(std::slice::from_ref(view))
}
