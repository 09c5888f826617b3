//! `usher member list|explain|history|end|level|add|extend|make-manual`.

use std::fmt::Write as _;

use clap::Subcommand;
use usher_core::Timestamp;
use usher_engine::history;
use usher_engine::manual::{AddManual, MakeManual};
use usher_storage::Tx;
use usher_storage::query;
use usher_storage::query::membership::MembershipRow;

use super::act::Why;
use super::output::table;
use super::room::ALL;
use super::{CliError, Context, show};
use crate::api::memberships::{EndedView, explained};
use crate::api::rooms::members_at;
use crate::api::view::{ExplanationView, MembershipView, memberships, stays};
use crate::api::{ApiError, name};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the members of a room: now, or at a moment of the past.
    List {
        /// The room, by name or id.
        room: String,
        /// The moment, such as 2026-01-31T09:00:00Z.
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
    /// Explain why a person is, or is not, in a room.
    Explain(Pair),
    /// Show all stays of a person in a room.
    History(Pair),
    /// End a membership by hand.
    End {
        #[command(flatten)]
        pair: Pair,
        #[command(flatten)]
        why: Why,
    },
    /// Give a member another level.
    Level {
        #[command(flatten)]
        pair: Pair,
        /// The level's key.
        level: String,
        #[command(flatten)]
        why: Why,
    },
    /// Add a person to a room by hand; --reason is needed.
    Add {
        #[command(flatten)]
        pair: Pair,
        /// For a new external person: their name.
        #[arg(long)]
        name: Option<String>,
        /// The level.
        #[arg(long)]
        level: String,
        #[command(flatten)]
        by_hand: ByHand,
    },
    /// Give a manual membership another end, or none.
    Extend {
        #[command(flatten)]
        pair: Pair,
        /// The moment, such as 2026-12-31T00:00:00Z; never when left out.
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
        #[command(flatten)]
        why: Why,
    },
    /// Turn a managed membership into a manual one; --reason is needed.
    MakeManual {
        #[command(flatten)]
        pair: Pair,
        /// Another level than the one they have.
        #[arg(long)]
        level: Option<String>,
        #[command(flatten)]
        by_hand: ByHand,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Pair {
    /// The room, by name or id.
    room: String,
    /// The person, by address or id.
    person: String,
}

#[derive(Debug, Clone, clap::Args)]
struct ByHand {
    /// The human who answers for the membership.
    #[arg(long, value_name = "EMAIL")]
    owner: String,
    /// When it ends by itself, such as 2026-12-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    #[command(flatten)]
    why: Why,
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::List { room, at } => list(context, room, at),
        Verb::Explain(pair) => {
            let explanations = context.with_engine(|engine| async move {
                let policy_of = engine.clone();
                let told = engine
                    .read(move |tx| {
                        let (engine, pair) = (policy_of.clone(), pair.clone());
                        Box::pin(async move { explained(&engine, tx, &pair.room, &pair.person).await })
                    })
                    .await?;
                Ok(told)
            })?;
            context.output.show(&explanations, |told| {
                told.iter().map(explanation).collect::<Vec<_>>().join("\n\n")
            })
        }
        Verb::History(pair) => {
            let found = context.look(move |tx| {
                let pair = pair.clone();
                Box::pin(async move {
                    let room = name::room(tx, &pair.room).await?.id;
                    let person = name::person(tx, &pair.person).await?.id;
                    let found = history::of_pair(tx, room, person).await?;
                    Ok(stays(tx, found).await?)
                })
            })?;
            context.output.show(&found, |found| show::stays(found))
        }
        Verb::End { pair, why } => end(context, pair, &why),
        Verb::Level { pair, level, why } => context.do_and_show(&why, show::membership, move |unit| {
            let (pair, level) = (pair.clone(), level.clone());
            Box::pin(async move {
                let row = name::active_membership(unit.tx(), &pair.room, &pair.person).await?;
                let row = unit.give_level(row.id, &level, Some(row.version)).await?;
                one(unit.tx(), row).await
            })
        }),
        Verb::Add {
            pair,
            name: called,
            level,
            by_hand,
        } => {
            let why = by_hand.why.clone();
            context.do_and_show(&why, show::membership, move |unit| {
                let (pair, called) = (pair.clone(), called.clone());
                let (level, by_hand) = (level.clone(), by_hand.clone());
                Box::pin(async move {
                    let ask = AddManual {
                        room: name::room(unit.tx(), &pair.room).await?.id,
                        who: name::who(&pair.person),
                        display_name: called,
                        level,
                        owner: by_hand.owner,
                        reason: by_hand.why.reason.unwrap_or_default(),
                        until: by_hand.until,
                    };
                    let row = unit.add_manual(&ask).await?;
                    one(unit.tx(), row).await
                })
            })
        }
        Verb::Extend { pair, until, why } => context.do_and_show(&why, show::membership, move |unit| {
            let pair = pair.clone();
            Box::pin(async move {
                let row = name::active_membership(unit.tx(), &pair.room, &pair.person).await?;
                let row = unit.extend_manual(row.id, until, Some(row.version)).await?;
                one(unit.tx(), row).await
            })
        }),
        Verb::MakeManual { pair, level, by_hand } => {
            let why = by_hand.why.clone();
            context.do_and_show(&why, show::membership, move |unit| {
                let (pair, level, by_hand) = (pair.clone(), level.clone(), by_hand.clone());
                Box::pin(async move {
                    let row = name::active_membership(unit.tx(), &pair.room, &pair.person).await?;
                    let ask = MakeManual {
                        owner: by_hand.owner,
                        reason: by_hand.why.reason.unwrap_or_default(),
                        level,
                        until: by_hand.until,
                    };
                    let row = unit.make_manual(row.id, &ask).await?;
                    one(unit.tx(), row).await
                })
            })
        }
    }
}

fn list(context: &Context<'_>, room: String, at: Option<Timestamp>) -> Result<(), CliError> {
    let members = context.look(move |tx| {
        let room = room.clone();
        Box::pin(async move {
            let room = name::room(tx, &room).await?.id;
            let rows = match at {
                Some(at) => members_at(tx, room, at, None, ALL).await?,
                None => query::membership::page_active(tx, room, None, ALL).await?,
            };
            Ok(memberships(tx, rows).await?)
        })
    })?;
    context
        .output
        .show(&members, |members| show::memberships(members))
}

fn end(context: &Context<'_>, pair: Pair, why: &Why) -> Result<(), CliError> {
    let text = |ended: &EndedView| {
        let mut text = show::membership(&ended.membership);
        if let Some(next) = &ended.followed_by {
            write!(text, "\nA group asks for them: membership {} follows.", next.id)
                .expect("text takes all lines");
        }
        text
    };
    context.do_and_show(why, text, move |unit| {
        let pair = pair.clone();
        Box::pin(async move {
            let row = name::active_membership(unit.tx(), &pair.room, &pair.person).await?;
            let ended = unit.end_by_hand(row.id, Some(row.version)).await?;
            let followed_by: Vec<_> = ended.followed_by.into_iter().collect();
            Ok(EndedView {
                membership: one(unit.tx(), ended.membership).await?,
                followed_by: memberships(unit.tx(), followed_by).await?.pop(),
            })
        })
    })
}

async fn one(tx: &mut Tx<'_>, row: MembershipRow) -> Result<MembershipView, ApiError> {
    let mut views = memberships(tx, vec![row]).await?;
    Ok(views.pop().expect("there is a view for each row"))
}

fn explanation(told: &ExplanationView) -> String {
    let grounds = told
        .grounds
        .iter()
        .map(|ground| {
            [
                ground.source.clone(),
                ground.group.clone(),
                ground.user_name.clone().unwrap_or_default(),
                ground.standing.replace('_', " "),
            ]
        })
        .collect();
    let events = told
        .events
        .iter()
        .map(|event| {
            [
                event.time.to_string(),
                event.kind.clone(),
                event.actor.clone(),
                event.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    format!(
        "{}\n{}\n\n{}",
        show::fields(&[
            ("Person", told.person.to_string()),
            ("Is", told.summary.clone()),
            ("Next", told.next.clone()),
            ("Decision", told.decision.replace('_', " ")),
        ]),
        table(
            ["Source", "Group", "Account", "Counts"],
            grounds,
            "No group leads here."
        ),
        table(["When", "What", "Who", "Why"], events, "Nothing happened so far.")
    )
}
