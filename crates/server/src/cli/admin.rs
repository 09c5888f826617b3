//! `usher admin password`: local administrators of the console.

use clap::Subcommand;
use serde::Serialize;

use super::{CliError, Context};
use crate::signin::{ADMINISTRATOR, set_password};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a password for a local administrator of the console and print it, once.
    Password {
        /// The name to sign in with.
        #[arg(long, default_value = ADMINISTRATOR)]
        name: String,
        /// Replace the password of one who has one, and sign them out everywhere.
        #[arg(long)]
        reset: bool,
    },
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    password: String,
}

pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> Result<(), CliError> {
    let Verb::Password { name, reset } = &arguments.verb;
    let cause = context.cause(None);
    let password =
        context.with_engine(|engine| async move { Ok(set_password(&engine, cause, name, *reset).await?) })?;
    let Some(password) = password else {
        return Err(CliError::Refused(format!(
            "the local administrator '{name}' has a password; replace it with --reset, which also signs them out"
        )));
    };
    let shown = Shown {
        name: name.clone(),
        password: password.expose().to_owned(),
    };
    context.output.show(&shown, |shown| {
        format!(
            "{}\n\nThis is the password of '{}'. It is shown once; sign in with it at <public_url>/sign-in.",
            shown.password, shown.name
        )
    })
}
