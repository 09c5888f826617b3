//! What every command has: the configuration, the database, who asks, how to print.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use usher_core::SystemClock;
use usher_engine::{Actor, Cause, Engine};

use super::{CliError, Output};
use crate::Usher;
use crate::apply::Sources;
use crate::config::{self, Loaded, Rules};
use crate::pull::Readers;
use crate::start;

/// What every command has.
pub struct Context<'a> {
    usher: &'a Usher,
    file: Option<PathBuf>,
    /// How to print.
    pub output: Output,
}

impl<'a> Context<'a> {
    pub(super) const fn new(usher: &'a Usher, file: Option<PathBuf>, output: Output) -> Self {
        Self { usher, file, output }
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// [`CliError::Config`] with the place of what is wrong.
    pub fn load(&self) -> Result<(Loaded, Rules), CliError> {
        let loaded = config::load(self.file.as_deref(), utf8_environment())?;
        let rules = loaded.config.check(self.usher.registry())?;
        Ok((loaded, rules))
    }

    /// Reads a configuration that the program made itself.
    ///
    /// # Errors
    /// As [`Self::load`], and when a file is named beside it.
    #[cfg(feature = "demo")]
    pub(super) fn load_demo(&self, text: &str) -> Result<(Loaded, Rules), CliError> {
        if self.file.is_some() {
            let problem = "a demo has a configuration of its own: leave out --config and USHER_CONFIG";
            return Err(CliError::Usage(problem.to_owned()));
        }
        let loaded = config::load_text(text, "the demo's configuration", utf8_environment())?;
        let rules = loaded.config.check(self.usher.registry())?;
        Ok((loaded, rules))
    }

    /// The configured sources, to ask them from this process.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn readers(&self) -> Result<Readers, CliError> {
        Ok(Readers::new(&self.load()?.1))
    }

    /// Does `work` on the configured database, beside a server that may be running on it.
    ///
    /// # Errors
    /// What the configuration, the database or `work` says.
    pub fn with_engine<T, F>(&self, work: impl FnOnce(Engine) -> F) -> Result<T, CliError>
    where
        F: Future<Output = Result<T, CliError>>,
    {
        let mut result = None;
        let slot = &mut result;
        self.on_engine(Box::new(|engine| {
            let work = work(engine);
            Box::pin(async { *slot = Some(work.await) })
        }))?;
        result.expect("the work ended")
    }

    /// As [`Self::with_engine`], with the types erased: a runtime is compiled once and not for each command.
    fn on_engine<'w>(
        &self,
        work: Box<dyn FnOnce(Engine) -> LocalBoxFuture<'w, ()> + 'w>,
    ) -> Result<(), CliError> {
        let (loaded, rules) = self.load()?;
        runtime(false)?.block_on(async {
            let engine = start::open(&loaded.config, Arc::new(SystemClock)).await?;
            start::apply(&engine, &rules, Sources::AtLeast).await?;
            work(engine.clone()).await;
            engine.storage().clone().close().await;
            Ok(())
        })
    }

    /// Who asks: the operating system's name for the person.
    #[must_use]
    pub fn cause(&self, reason: Option<String>) -> Cause {
        let variable = if cfg!(windows) { "USERNAME" } else { "USER" };
        let name = std::env::var("SUDO_USER").or_else(|_| std::env::var(variable));
        Cause {
            reason,
            ..Cause::new(Actor::Operator(name.unwrap_or_else(|_| "unknown".into())))
        }
    }
}

/// A runtime for this process.
pub(super) fn runtime(many_threads: bool) -> Result<tokio::runtime::Runtime, CliError> {
    let mut builder = if many_threads {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder
        .enable_all()
        .build()
        .map_err(|error| CliError::Failed(format!("cannot start: {error}")))
}

/// Variables that are no text are nobody's settings.
fn utf8_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
}
