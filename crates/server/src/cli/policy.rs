//! `usher policy show|plan|confirm`.

use clap::Subcommand;

use super::act::{Consent, Why};
use super::{CliError, Context, show};
use crate::api::policy::{PolicyView, planned, view};
use crate::api::view::PolicyPlanView;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the rules in force, and those that wait for a confirmation.
    Show,
    /// Show what the rules that wait would do.
    Plan,
    /// Put the rules that wait in force, as the plan shows them.
    Confirm {
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        why: Why,
    },
}

pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), CliError> {
    match arguments.verb {
        Verb::Show => {
            let policy = context.look(|tx| Box::pin(async move { Ok(view(tx).await?) }))?;
            context.output.show(&policy, policy_text)
        }
        Verb::Plan => {
            let plan = context.with_engine(|engine| async move { Ok(planned(&engine).await?) })?;
            context.output.show(&plan, plan_text)
        }
        Verb::Confirm { consent, why } => {
            let plan = context.with_engine(|engine| async move { Ok(planned(&engine).await?) })?;
            let digest = consent.given(&plan.digest, &plan_text(&plan))?;
            context.do_and_show(&why, policy_text, move |unit| {
                let digest = digest.clone();
                Box::pin(async move {
                    unit.confirm_policy(&digest).await?;
                    Ok(view(unit.tx()).await?)
                })
            })
        }
    }
}

fn policy_text(policy: &PolicyView) -> String {
    let pretty = |value| serde_json::to_string_pretty(value).unwrap_or_default();
    let mut text = format!("Version {}\n{}", policy.version, pretty(&policy.active));
    if let Some(proposed) = &policy.proposed {
        text.push_str("\n\nWaiting for a confirmation:\n");
        text.push_str(&pretty(proposed));
    }
    text
}

fn plan_text(plan: &PolicyPlanView) -> String {
    let invalid: Vec<_> = plan
        .invalid_levels
        .iter()
        .map(|(level, count)| format!("{level} ({count})"))
        .collect();
    format!(
        "{}\n{}\n\nPlan {}",
        show::fields(&[
            ("Changes", plan.changes.join(", ")),
            ("Accounts into scope", plan.into_scope.to_string()),
            ("Accounts out of scope", plan.out_of_scope.to_string()),
            ("Levels that no longer exist", invalid.join(", ")),
        ]),
        show::tallies(&plan.people),
        plan.digest
    )
}
