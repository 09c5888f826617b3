//! From a checked configuration to shared state: database, rules in force, sources, keys.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use usher_core::Clock;
use usher_engine::Engine;
use usher_scim::cursor::CursorKey;
use usher_storage::query::source::SourceRow;
use usher_storage::{Storage, StorageConfig, StorageError, query};

use crate::access::Access;
use crate::apply::Sources;
use crate::config::{Config, ConfigError, ConfiguredSource, Rules};
use crate::mail::Mail;
use crate::pull::Readers;
use crate::signin::SignIn;
use crate::state::Shared;
use crate::webhook::Webhooks;
use crate::{AppState, PushSource, console, metrics, signin};

/// Why a program cannot start to work.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened or used.
    #[error("cannot use the database: {0}")]
    Storage(#[from] StorageError),
    /// The engine refused the configuration.
    #[error("cannot put the configuration into force: {0}")]
    Engine(#[from] usher_engine::EngineError),
    /// The configuration was not checked before.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Opens the database and brings its schema up to date. The rules and sources of the configuration come in with
/// [`apply`].
///
/// # Errors
/// What the database says.
pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Engine, StartError> {
    let storage = Storage::open(StorageConfig {
        readers: config.storage.readers,
        connections: config.storage.connections,
        busy_timeout: config.storage.busy_timeout.duration(),
        ..StorageConfig::new(&config.storage.url)
    })
    .await?;
    Ok(Engine::new(storage, clock))
}

/// Puts the configuration into force: at the first start its rules are adopted, later ones wait as a proposal; its
/// sources are listened to, and with [`Sources::Exactly`] those that disappeared are frozen.
///
/// # Errors
/// What the engine or the database says.
pub async fn apply(engine: &Engine, rules: &Rules, sources: Sources) -> Result<(), StartError> {
    Ok(crate::apply::apply(engine, rules, sources).await?)
}

/// The state that handlers share.
///
/// # Errors
/// What the database says.
pub async fn state(
    engine: Engine,
    config: Arc<Config>,
    rules: &Rules,
    public_url: &str,
) -> Result<AppState, StartError> {
    let mut fresh = [[0; 32]; 2];
    getrandom::fill(fresh.as_flattened_mut()).expect("the operating system gives randomness");
    let (secret, sign_in, rows) = engine
        .storage()
        .write(move |tx| {
            Box::pin(async move {
                let secret = query::keyring::get_or_insert(tx, "scim_cursor", fresh[0]).await?;
                let sign_in = query::keyring::get_or_insert(tx, signin::KEY, fresh[1]).await?;
                Ok::<_, StorageError>((secret, sign_in, query::source::all(tx).await?))
            })
        })
        .await?;
    let sources = rules
        .sources
        .iter()
        .filter_map(|source| {
            let row = rows.iter().find(|row| row.name == source.name.as_str())?;
            Some((
                source.name.clone(),
                Arc::new(push_source(source, row, public_url)),
            ))
        })
        .collect::<HashMap<_, _>>();
    Ok(AppState::new(Shared {
        access: Arc::new(Access::new(
            engine.clone(),
            config.server.auth_failures_per_minute,
            sources.keys().map(ToString::to_string).collect(),
        )),
        engine,
        proxies: config.server.proxies()?.into(),
        sign_in: Arc::new(SignIn::new(&config.sign_in, &sign_in)?),
        news: console::news(),
        webhooks: Webhooks::new(&config.webhooks)?,
        mail: Mail::new(&config, public_url)?,
        config,
        sources: Arc::new(sources),
        readers: Readers::new(rules),
        hooks: Arc::default(),
        requests: Arc::default(),
        public_url: public_url.into(),
        stopping: CancellationToken::new(),
        cursor_key: CursorKey::new(&secret),
        metrics: metrics::start(),
    }))
}

fn push_source(source: &ConfiguredSource, row: &SourceRow, public_url: &str) -> PushSource {
    PushSource {
        key: row.key,
        name: source.name.clone(),
        kind: source.kind.clone(),
        mode: source.mode,
        adapter: Arc::clone(&source.adapter),
        profile: source.profile.clone(),
        base: format!("{public_url}/scim/{}/v2", source.name).into(),
    }
}

/// What a server of the try-out's configuration works with, for tests of this crate: its database is in `folder`.
#[cfg(test)]
pub(crate) async fn try_out(folder: &std::path::Path, change: impl FnOnce(&mut Config)) -> AppState {
    let mut config = Config::try_out();
    config.storage.url = format!("sqlite:{}/usher.db", folder.display());
    change(&mut config);
    let rules = config
        .check(crate::Usher::new().registry())
        .expect("a valid configuration");
    let engine = open(&config, Arc::new(usher_core::SystemClock))
        .await
        .expect("a database");
    apply(&engine, &rules, Sources::Exactly).await.expect("rules");
    state(engine, Arc::new(config), &rules, "http://x")
        .await
        .expect("state")
}
