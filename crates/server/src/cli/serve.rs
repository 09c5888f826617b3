//! `usher serve`.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_core::{Role, SystemClock};
use usher_engine::{Actor, Cause, Engine};
use usher_storage::{StorageError, query};

use super::context::runtime;
use super::{CliError, Context};
use crate::access::{Purpose, TokenRequest, issue_token};
use crate::apply::Sources;
use crate::config::{Config, Loaded, Rules};
use crate::router::App;
use crate::signin::{ADMINISTRATOR, set_password};
use crate::tls::Tls;
use crate::{jobs, lifecycle, logging, start};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(context: &Context<'_>, _arguments: &Arguments) -> Result<(), CliError> {
    let (loaded, rules) = context.load()?;
    logging::start(&loaded.config.log)?;
    runtime(true)?.block_on(serve(context, loaded, rules))
}

async fn serve(context: &Context<'_>, loaded: Loaded, rules: Rules) -> Result<(), CliError> {
    let Loaded { config, file } = loaded;
    let listener = bind(config.server.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|error| CliError::Failed(error.to_string()))?;
    let tls = config.server.tls.as_ref().map(|tls| Tls::read(&tls.certificate, &tls.key));
    let tls = tls.transpose().map_err(|error| CliError::Failed(error.to_string()))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let public_url = config
        .server
        .public_url
        .clone()
        .unwrap_or_else(|| format!("{scheme}://{address}"));
    let limits = lifecycle::Limits {
        connections: config.server.max_connections,
        header_timeout: config.server.header_timeout.duration(),
        grace: config.server.shutdown_grace.duration(),
    };

    let engine = start::open(&config, Arc::new(SystemClock)).await?;
    start::apply(&engine, &rules, Sources::Exactly).await?;
    let state = start::state(engine.clone(), Arc::new(config), &rules, &public_url).await?;
    if file.is_none() {
        welcome(context, &engine, &state.config, &public_url).await?;
    }

    let (stopping, dropping) = (state.stopping.clone(), CancellationToken::new());
    let tracker = TaskTracker::new();
    jobs::spawn(&state, &tracker, &stopping);
    tokio::spawn(lifecycle::watch_signals(stopping.clone(), dropping.clone()));
    if let Some(tls) = tls.clone() {
        tracker.spawn(tls.watch(stopping.clone()));
    }

    context.output.line(&format!("listening on {scheme}://{address}"))?;
    tracing::info!(server.address = %address, node.id = %engine.node(), "ready");
    lifecycle::serve(listener, App::new(state), tls, limits, &stopping, &dropping).await;
    tracker.close();
    tokio::select! {
        () = tracker.wait() => {}
        () = dropping.cancelled() => {}
    }
    engine.storage().clone().close().await;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                ": something else uses it; set server.listen or USHER_SERVER__LISTEN to another address, \
                 such as 127.0.0.1:0 for a free port"
            }
            _ => "",
        };
        CliError::Failed(format!("cannot listen on {address}: {error}{hint}"))
    })
}

/// At the first start without a configuration file, prints what is needed to try the program out.
async fn welcome(
    context: &Context<'_>,
    engine: &Engine,
    config: &Config,
    public_url: &str,
) -> Result<(), CliError> {
    let output = context.output;
    output.line(
        "try-out mode: no configuration file was given, everybody is in scope and data go to ./data; \
         use --config FILE for real work",
    )?;
    let used: bool = engine
        .read(|tx| Box::pin(query::token::any(tx)))
        .await
        .map_err(|error: StorageError| CliError::from(error))?;
    let Some(source) = config.sources.first().filter(|_| !used) else {
        return Ok(());
    };
    let request = |purpose| TokenRequest {
        purpose,
        label: "try-out".into(),
        subject: None,
        expires_in: None,
    };
    let cause = || Cause::new(Actor::Usher("first start".into()));
    let pushing = issue_token(engine, cause(), request(Purpose::Source(source.name.clone()))).await?;
    let administrator = issue_token(engine, cause(), request(Purpose::Role(Role::Admin))).await?;
    let password = set_password(engine, cause(), ADMINISTRATOR, false).await?;
    let password = password.map_or_else(
        || "as set before".to_owned(),
        |password| password.expose().to_owned(),
    );
    output.line(&format!(
        "Console:     {public_url}/\nSign in as:  {ADMINISTRATOR}\nPassword:    {password}\n\
         SCIM URL:    {public_url}/scim/{}/v2\nSCIM token:  {}\nAdmin token: {}\n\
         The password and these tokens are shown once.",
        source.name, pushing.token, administrator.token
    ))
}
