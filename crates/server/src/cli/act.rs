//! One unit of work, or one read, from the command line; and plans, which are shown before they are confirmed.

use std::io::{IsTerminal, Write as _};

use futures_util::future::BoxFuture;
use serde::Serialize;
use usher_engine::Unit;
use usher_storage::Tx;

use super::{CliError, Context};
use crate::api::ApiError;

/// Why something is done, for the history.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Why {
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// How a plan is confirmed. Without any of these a terminal is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Consent {
    /// Confirm the plan with this digest, and no other.
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    /// Show the plan as it is now and confirm exactly it.
    #[arg(long, conflicts_with = "plan")]
    yes: bool,
}

impl Consent {
    /// The digest to confirm: the one named, or that of the plan shown now.
    ///
    /// # Errors
    /// When the answer is no, or there is nobody to ask.
    pub(super) fn given(&self, digest: &str, shown: &str) -> Result<String, CliError> {
        if let Some(plan) = &self.plan {
            return Ok(plan.clone());
        }
        let mut out = std::io::stderr().lock();
        let failed = |error| CliError::Failed(format!("cannot show the plan: {error}"));
        writeln!(out, "{shown}\n").map_err(failed)?;
        if self.yes {
            return Ok(digest.to_owned());
        }
        if !std::io::stdin().is_terminal() {
            return Err(CliError::Usage(format!(
                "nothing was done: confirm this plan with --plan {digest}, or whatever the plan is then with --yes"
            )));
        }
        write!(out, "Confirm? [y/N] ").map_err(failed)?;
        out.flush().map_err(failed)?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(failed)?;
        match line.trim() {
            "y" | "Y" | "yes" => Ok(digest.to_owned()),
            _ => Err(CliError::Failed("nothing was done".into())),
        }
    }
}

impl Context<'_> {
    /// Does `work` as one unit on the configured database.
    ///
    /// # Errors
    /// What the configuration, the database or `work` says. Nothing is changed then.
    pub(super) fn change<T, W>(&self, why: &Why, work: W) -> Result<T, CliError>
    where
        T: Send + 'static,
        W: for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, ApiError>>
            + Send
            + Sync
            + 'static,
    {
        let cause = self.cause(why.reason.clone());
        self.with_engine(|engine| async move { Ok(engine.write(cause, work).await?) })
    }

    /// Reads one state of the configured database.
    ///
    /// # Errors
    /// What the configuration, the database or `work` says.
    pub(super) fn look<T, W>(&self, work: W) -> Result<T, CliError>
    where
        T: Send + 'static,
        W: for<'a, 't> Fn(&'a mut Tx<'t>) -> BoxFuture<'a, Result<T, ApiError>> + Send + Sync + 'static,
    {
        self.with_engine(|engine| async move { Ok(engine.read(work).await?) })
    }

    /// Does `work` and shows what it answers: as JSON, or as the text that `text` makes of it.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub(super) fn do_and_show<T, W>(
        &self,
        why: &Why,
        text: impl FnOnce(&T) -> String,
        work: W,
    ) -> Result<(), CliError>
    where
        T: Serialize + Send + 'static,
        W: for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, ApiError>>
            + Send
            + Sync
            + 'static,
    {
        let done = self.change(why, work)?;
        self.output.show(&done, text)
    }
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Engine(error) => Self::Engine(error),
            other => Self::Failed(other.to_string()),
        }
    }
}
