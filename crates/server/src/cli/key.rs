//! `usher key add|list|revoke`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use usher_core::{JwtKeyId, SourceName};
use usher_engine::EngineError;
use usher_storage::query;
use usher_storage::query::jwt_key::JwtKeyRow;

use super::output::table;
use super::{CliError, Context};
use crate::access::{self, KeyRequest};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Register a public key. Tokens signed with it may push to the source; they live at most an hour.
    Add(Add),
    /// List registered keys.
    List {
        /// Only those of this source.
        #[arg(long)]
        source: Option<SourceName>,
    },
    /// Revoke a key; servers refuse its tokens within a second.
    Revoke {
        /// The key's id, as in `key list`.
        id: JwtKeyId,
        /// Refuse to revoke a key of another source.
        #[arg(long)]
        source: Option<SourceName>,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Add {
    /// The source that tokens signed with the key may push to.
    #[arg(long)]
    source: SourceName,
    /// Where the key is used, in words.
    #[arg(long)]
    label: String,
    /// The one algorithm that the key is used with, such as ES256.
    #[arg(long)]
    algorithm: String,
    /// The public key as a PEM file.
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// The issuer (iss) that the tokens carry.
    #[arg(long)]
    issuer: String,
    /// The audience (aud) that the tokens carry.
    #[arg(long)]
    audience: String,
    /// The key id (kid) that the tokens carry.
    #[arg(long)]
    key_id: Option<String>,
}

pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> Result<(), CliError> {
    match &arguments.verb {
        Verb::Add(arguments) => add(context, arguments),
        Verb::List { source } => list(context, source.as_ref()),
        Verb::Revoke { id, source } => revoke(context, *id, source.clone()),
    }
}

fn add(context: &Context<'_>, arguments: &Add) -> Result<(), CliError> {
    let path = arguments.public_key.display();
    let public_key = std::fs::read_to_string(&arguments.public_key)
        .map_err(|error| CliError::Failed(format!("cannot read the public key {path}: {error}")))?;
    let request = KeyRequest {
        source: arguments.source.clone(),
        label: arguments.label.clone(),
        algorithm: arguments.algorithm.clone(),
        public_key,
        issuer: arguments.issuer.clone(),
        audience: arguments.audience.clone(),
        key_id: arguments.key_id.clone(),
    };
    let cause = context.cause(None);
    let key = context
        .with_engine(|engine| async move { Ok(access::register_key(&engine, cause, request).await?) })?;
    context.output.show(&shown(&key), |_| {
        format!("key {} is registered for source '{}'", key.id, key.source_name)
    })
}

fn list(context: &Context<'_>, source: Option<&SourceName>) -> Result<(), CliError> {
    let mut keys = context.with_engine(|engine| async move {
        let keys: Result<Vec<JwtKeyRow>, EngineError> = engine
            .read(|tx| Box::pin(async move { Ok(query::jwt_key::all(tx).await?) }))
            .await;
        Ok(keys?)
    })?;
    keys.retain(|key| source.is_none_or(|source| source.as_str() == key.source_name));
    let json: Vec<_> = keys.iter().map(shown).collect();
    context.output.show(&json!({ "keys": json }), |_| {
        let lines = keys
            .iter()
            .map(|key| {
                [
                    key.id.to_string(),
                    key.source_name.clone(),
                    key.label.clone(),
                    key.algorithm.clone(),
                    key.issuer.clone(),
                    key.revoked
                        .map_or_else(|| "valid".to_owned(), |at| format!("revoked {at}")),
                ]
            })
            .collect();
        let headings = ["id", "source", "label", "algorithm", "issuer", "state"];
        table(
            headings,
            lines,
            "no keys are registered; add one with `usher key add`",
        )
    })
}

fn revoke(context: &Context<'_>, id: JwtKeyId, source: Option<SourceName>) -> Result<(), CliError> {
    let cause = context.cause(None);
    let changed = context
        .with_engine(|engine| async move { Ok(access::revoke_key(&engine, cause, id, source).await?) })?;
    context
        .output
        .show(&json!({ "id": id, "revoked": true, "changed": changed }), |_| {
            if changed {
                format!("key {id} is revoked")
            } else {
                format!("key {id} was revoked before")
            }
        })
}

fn shown(key: &JwtKeyRow) -> serde_json::Value {
    json!({
        "id": key.id, "source": key.source_name, "label": key.label, "algorithm": key.algorithm,
        "key_id": key.key_id, "issuer": key.issuer, "audience": key.audience, "thumbprint": key.thumbprint,
        "created": key.created, "revoked": key.revoked,
    })
}
