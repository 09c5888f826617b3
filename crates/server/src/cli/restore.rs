//! `usher restore suggest|list|plan|apply|undo|close`.

use clap::Subcommand;
use usher_core::{GrantId, MembershipId, RestoreId, Timestamp};
use usher_engine::restore::{self, Choices, SuggestRestore};
use usher_storage::{Tx, query};

use super::act::{Consent, Why};
use super::room::ALL;
use super::{CliError, Context, show};
use crate::api::restores::{UndoneView, ask_about, ask_sources};
use crate::api::view::{
    RestoreDetails, RestorePlanView, RestoreView, memberships, restore_plan, restores, suggestion,
};
use crate::api::{ApiError, name};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Ask for a restore of a person who is back in a room; lists the candidates.
    Suggest {
        /// The room, by name or id.
        room: String,
        /// The person, by address or id.
        person: String,
        /// When the person was removed, where somebody remembers.
        #[arg(long, value_name = "TIME")]
        removed: Option<Timestamp>,
        /// When the person came back, where somebody remembers.
        #[arg(long, value_name = "TIME")]
        returned: Option<Timestamp>,
        #[command(flatten)]
        why: Why,
    },
    /// List open suggestions.
    List {
        /// Those that were applied, undone or closed too.
        #[arg(long)]
        all: bool,
    },
    /// Show a restore with its candidates, best first.
    Show {
        /// The restore's id.
        restore: RestoreId,
    },
    /// Show what restoring a candidate would do.
    Plan {
        /// The restore's id.
        restore: RestoreId,
        /// The former membership; the best one when left out.
        #[arg(long, value_name = "ID")]
        candidate: Option<MembershipId>,
    },
    /// Restore exactly as the plan shows it.
    Apply(Box<Apply>),
    /// Undo a restore.
    Undo(One),
    /// Close a suggestion that nobody wants.
    Close(One),
}

#[derive(Debug, Clone, clap::Args)]
struct One {
    /// The restore's id.
    restore: RestoreId,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Clone, clap::Args)]
struct Apply {
    #[command(flatten)]
    one: One,
    /// The former membership; the best one when left out.
    #[arg(long, value_name = "ID")]
    candidate: Option<MembershipId>,
    /// Another level than the former one.
    #[arg(long)]
    level: Option<String>,
    /// Yes to a level above the present one.
    #[arg(long)]
    confirm_level: bool,
    /// A grant, of either membership, that is not kept; may be given several times.
    #[arg(long = "drop", value_name = "ID")]
    drops: Vec<GrantId>,
    #[command(flatten)]
    consent: Consent,
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Suggest {
            room,
            person,
            removed,
            returned,
            why,
        } => {
            let (readers, cause) = (context.readers()?, context.cause(None));
            let (of, about) = (room.as_str(), person.as_str());
            context.with_engine(|engine| async move {
                Ok(ask_about(&engine, &readers, &cause, of, about).await?)
            })?;
            context.do_and_show(&why, show::restore_details, move |unit| {
                let (room, who) = (room.clone(), name::who(&person));
                Box::pin(async move {
                    let ask = SuggestRestore {
                        who,
                        room: name::room(unit.tx(), &room).await?.id,
                        removed,
                        returned,
                    };
                    let told = unit.suggest_restore(ask).await?;
                    Ok(suggestion(unit.tx(), told).await?)
                })
            })
        }
        Verb::List { all } => {
            let shown = context.look(move |tx| {
                Box::pin(async move {
                    let rows = query::restore::page(tx, !all, None, ALL).await?;
                    Ok(restores(tx, rows).await?)
                })
            })?;
            context.output.show(&shown, |shown| show::restores(shown))
        }
        Verb::Show { restore: id } => {
            let shown: RestoreDetails = context.look(move |tx| {
                Box::pin(async move {
                    let told = restore::suggestion(tx, id).await?;
                    Ok(suggestion(tx, told).await?)
                })
            })?;
            context.output.show(&shown, show::restore_details)
        }
        Verb::Plan {
            restore: id,
            candidate,
        } => {
            let plan = planned(context, id, candidate)?;
            context.output.show(&plan, show::restore_plan)
        }
        Verb::Apply(apply) => self::apply(context, *apply),
        Verb::Undo(one) => {
            ask(context, one.restore)?;
            context.do_and_show(&one.why, undone_text, move |unit| {
                Box::pin(async move {
                    let undone = unit.undo_restore(one.restore).await?;
                    let present: Vec<_> = undone.present.into_iter().collect();
                    Ok(UndoneView {
                        present: memberships(unit.tx(), present).await?.pop(),
                        former: memberships(unit.tx(), vec![undone.former]).await?.pop(),
                    })
                })
            })
        }
        Verb::Close(one) => context.do_and_show(&one.why, one_text, move |unit| {
            Box::pin(async move {
                let row = unit.close_restore(one.restore).await?;
                let mut views = restores(unit.tx(), vec![row]).await?;
                Ok(views.pop().expect("there is a view for each row"))
            })
        }),
    }
}

fn apply(context: &Context<'_>, apply: Apply) -> Result<(), CliError> {
    let id = apply.one.restore;
    let plan = planned(context, id, apply.candidate)?;
    let digest = apply.consent.given(&plan.digest, &show::restore_plan(&plan))?;
    let candidate = plan.candidate.membership.id.to_string();
    // Somebody may have thought about the plan for a while.
    ask(context, id)?;
    let choices = Choices {
        level: apply.level,
        confirm_level: apply.confirm_level,
        drop: apply.drops.into_iter().collect(),
    };
    context.do_and_show(&apply.one.why, show::membership, move |unit| {
        let (digest, candidate, choices) = (digest.clone(), candidate.clone(), choices.clone());
        Box::pin(async move {
            let candidate = name::id("membership", &candidate)?;
            let row = unit.apply_restore(id, candidate, &choices, &digest).await?;
            let mut views = memberships(unit.tx(), vec![row]).await?;
            Ok(views.pop().expect("there is a view for each row"))
        })
    })
}

fn planned(
    context: &Context<'_>,
    id: RestoreId,
    candidate: Option<MembershipId>,
) -> Result<RestorePlanView, CliError> {
    let (readers, cause) = (context.readers()?, context.cause(None));
    context.with_engine(|engine| async move {
        ask_sources(&engine, &readers, &cause, id).await?;
        let policy_of = engine.clone();
        let plan = engine
            .read(move |tx| {
                let engine = policy_of.clone();
                Box::pin(async move { plan_in(&engine, tx, id, candidate).await })
            })
            .await?;
        Ok(plan)
    })
}

/// Asks the sources that are read about the person of a restore, in this process.
fn ask(context: &Context<'_>, id: RestoreId) -> Result<(), CliError> {
    let (readers, cause) = (context.readers()?, context.cause(None));
    context.with_engine(|engine| async move { Ok(ask_sources(&engine, &readers, &cause, id).await?) })
}

async fn plan_in(
    engine: &usher_engine::Engine,
    tx: &mut Tx<'_>,
    id: RestoreId,
    candidate: Option<MembershipId>,
) -> Result<RestorePlanView, ApiError> {
    let policy = engine.policy(tx).await?;
    let plan = restore::plan(tx, &policy, engine.now(), id, candidate).await?;
    Ok(restore_plan(tx, plan).await?)
}

fn undone_text(undone: &UndoneView) -> String {
    match (&undone.present, &undone.former) {
        (Some(present), _) => show::membership(present),
        (None, Some(former)) => format!(
            "{}\nNo group asks for them any more: nothing takes its place.",
            show::membership(former)
        ),
        (None, None) => "Undone.".to_owned(),
    }
}

fn one_text(view: &RestoreView) -> String {
    show::restores(std::slice::from_ref(view))
}
