//! `usher token create|list|revoke`.

use clap::{ArgGroup, Subcommand};
use serde_json::json;
use usher_core::{Role, SourceName, Timestamp, TokenId};
use usher_engine::EngineError;
use usher_storage::query;
use usher_storage::query::token::TokenRow;

use super::output::table;
use super::{CliError, Context};
use crate::access::{self, Purpose, TokenRequest};
use crate::config::Period;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token and print it, once.
    #[command(group(ArgGroup::new("purpose").required(true).args(["source", "role"])))]
    Create(Create),
    /// List tokens, without their secrets.
    List,
    /// Revoke a token; servers refuse it within a second.
    Revoke {
        /// The token's id, as in `token list`.
        id: TokenId,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Create {
    /// Let an identity provider push to this source.
    #[arg(long)]
    source: Option<SourceName>,
    /// Let a person or program use the API: viewer, requester, it, support, admin or app.
    #[arg(long)]
    role: Option<Role>,
    /// Where the token is used, in words.
    #[arg(long)]
    label: String,
    /// The e-mail address of the person that it acts for; required for a requester.
    #[arg(long, value_name = "EMAIL", conflicts_with = "source")]
    subject: Option<String>,
    /// How long the token works, such as 365d. Without it, until it is revoked.
    #[arg(long, value_name = "TIME")]
    expires_in: Option<Period>,
}

pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> Result<(), CliError> {
    match &arguments.verb {
        Verb::Create(arguments) => create(context, arguments),
        Verb::List => list(context),
        Verb::Revoke { id } => revoke(context, *id),
    }
}

fn create(context: &Context<'_>, arguments: &Create) -> Result<(), CliError> {
    let purpose = match (&arguments.source, arguments.role) {
        (Some(source), _) => Purpose::Source(source.clone()),
        (None, Some(role)) => Purpose::Role(role),
        (None, None) => {
            return Err(CliError::Usage(
                "say what the token is for: --source NAME or --role ROLE".into(),
            ));
        }
    };
    let request = TokenRequest {
        purpose,
        label: arguments.label.clone(),
        subject: arguments.subject.clone(),
        expires_in: arguments.expires_in,
    };
    let cause = context.cause(None);
    let issued = context
        .with_engine(|engine| async move { Ok(access::issue_token(&engine, cause, request).await?) })?;
    context.output.show(&issued, |issued| {
        format!(
            "{}\n\nThis is token {}. It is shown once; keep it where it is used.",
            issued.token, issued.id
        )
    })
}

fn list(context: &Context<'_>) -> Result<(), CliError> {
    let (rows, now) = context.with_engine(|engine| async move {
        let rows: Result<Vec<TokenRow>, EngineError> = engine
            .read(|tx| Box::pin(async move { Ok(query::token::all(tx).await?) }))
            .await;
        Ok((rows?, engine.now()))
    })?;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "source": row.source_name, "role": row.role, "label": row.label,
                "subject": row.subject, "created": row.created, "expires": row.expires, "revoked": row.revoked,
                "last_used": row.last_used, "state": state(row, now),
            })
        })
        .collect();
    context.output.show(&json!({ "tokens": shown }), |_| {
        let lines = rows
            .iter()
            .map(|row| {
                [
                    row.id.to_string(),
                    row.source_name
                        .clone()
                        .or(row.role.map(|role| role.to_string()))
                        .unwrap_or_default(),
                    row.label.clone(),
                    state(row, now).to_owned(),
                    row.expires.map(|at| at.to_string()).unwrap_or_default(),
                    row.last_used
                        .map_or_else(|| "never".to_owned(), |at| at.to_string()),
                ]
            })
            .collect();
        let headings = ["id", "for", "label", "state", "expires", "last used"];
        table(
            headings,
            lines,
            "there are no tokens; make one with `usher token create`",
        )
    })
}

fn state(row: &TokenRow, now: Timestamp) -> &'static str {
    match (row.revoked, row.expires) {
        (Some(_), _) => "revoked",
        (None, Some(expires)) if expires <= now => "expired",
        _ => "valid",
    }
}

fn revoke(context: &Context<'_>, id: TokenId) -> Result<(), CliError> {
    let cause = context.cause(None);
    let changed =
        context.with_engine(|engine| async move { Ok(access::revoke_token(&engine, cause, id).await?) })?;
    context
        .output
        .show(&json!({ "id": id, "revoked": true, "changed": changed }), |_| {
            if changed {
                format!("token {id} is revoked")
            } else {
                format!("token {id} was revoked before")
            }
        })
}
