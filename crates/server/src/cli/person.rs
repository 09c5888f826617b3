//! `usher person find|link`.

use clap::Subcommand;
use usher_engine::person;

use super::act::Why;
use super::output::table;
use super::{CliError, Context, show};
use crate::api::name;
use crate::api::view::{PersonDetails, details};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Find people by address or id, with accounts, memberships and those who may be the same.
    Find {
        /// The address, or the person's id.
        person: String,
    },
    /// Link two people who are one; --reason says how that is known.
    Link {
        /// The person that stays, by id, or by an address that one person has.
        person: String,
        /// The other one, by id: accounts and memberships become those of the first.
        other: String,
        #[command(flatten)]
        why: Why,
    },
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Find { person } => {
            let found = context.look(move |tx| {
                let who = name::who(&person);
                Box::pin(async move {
                    let mut found = Vec::new();
                    for row in who.people(tx).await? {
                        found.push(details(tx, row).await?);
                    }
                    Ok(found)
                })
            })?;
            context.output.show(&found, |found| {
                found.iter().map(text).collect::<Vec<_>>().join("\n\n")
            })
        }
        Verb::Link {
            person: kept,
            other,
            why,
        } => context.do_and_show(&why, text, move |unit| {
            let (kept, other) = (kept.clone(), other.clone());
            Box::pin(async move {
                let kept = name::person(unit.tx(), &kept).await?.id;
                let other = name::person(unit.tx(), &other).await?.id;
                let row = unit.link_people(kept, other).await?;
                unit.settle_now().await?;
                let row = person::find(unit.tx(), row.id).await?;
                Ok(details(unit.tx(), row).await?)
            })
        }),
    }
}

fn text(details: &PersonDetails) -> String {
    let accounts = details
        .accounts
        .iter()
        .map(|account| {
            let state = match (&account.gone, account.active) {
                (Some(_), _) => "gone",
                (None, true) => "active",
                (None, false) => "inactive",
            };
            [
                account.source.clone(),
                account.user_name.clone(),
                state.to_owned(),
                account.scope.to_string().replace('_', " "),
            ]
        })
        .collect();
    let rooms = details
        .memberships
        .iter()
        .map(|membership| {
            [
                membership.room.name.clone(),
                membership.level.clone(),
                membership.kind.to_string(),
                membership.started.to_string(),
                show::or_nothing(membership.ended.as_ref()),
            ]
        })
        .collect();
    let may_be: Vec<_> = details.may_be.iter().map(|other| other.id.to_string()).collect();
    format!(
        "{}\n{}\n\n{}",
        show::fields(&[
            ("Person", details.person.id.to_string()),
            ("Address", show::or_nothing(details.person.email.as_ref())),
            ("Name", show::or_nothing(details.person.name.as_ref())),
            ("May be", may_be.join(", ")),
        ]),
        table(["Source", "Account", "State", "Scope"], accounts, "No accounts."),
        table(["Room", "Level", "Kind", "From", "To"], rooms, "No memberships.")
    )
}
