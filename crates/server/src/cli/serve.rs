//! `usher serve`.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_core::{Clock, Role, SystemClock};
use usher_engine::{Actor, Cause, Engine};
use usher_storage::{StorageError, query};

use super::context::runtime;
use super::{CliError, Context};
use crate::access::{Purpose, TokenRequest, issue_token};
use crate::apply::Sources;
use crate::config::{Config, Loaded, Rules};
use crate::lanes::Lanes;
use crate::router::App;
use crate::signin::{ADMINISTRATOR, set_password};
use crate::tls::Tls;
use crate::{jobs, lifecycle, logging, start};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Try out with a made-up company and a fake Entra tenant: its last week is lived in some seconds, and everything is gone
    /// when the server stops.
    #[cfg(feature = "demo")]
    #[arg(long)]
    demo: bool,
}

/// What is done while the server is up, before people come; it gets the address.
type Prelude<'p> = Box<dyn FnOnce(Engine, String) -> BoxFuture<'p, Result<(), CliError>> + 'p>;

#[cfg_attr(
    not(feature = "demo"),
    expect(unused_variables, reason = "there is only one way to serve")
)]
pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> Result<(), CliError> {
    #[cfg(feature = "demo")]
    if arguments.demo {
        return runtime(true)?.block_on(serve_demo(context));
    }
    let (loaded, rules) = context.load()?;
    logging::start(&loaded.config.log)?;
    runtime(true)?.block_on(serve(context, loaded, rules, Arc::new(SystemClock), None))
}

#[cfg(feature = "demo")]
async fn serve_demo(context: &Context<'_>) -> Result<(), CliError> {
    let demo = crate::demo::Demo::start().await.map_err(CliError::from_demo)?;
    let (loaded, rules) = context.load_demo(&demo.config())?;
    logging::start(&loaded.config.log)?;
    let week: Prelude<'_> = Box::new(|engine, address| {
        let demo = &demo;
        Box::pin(async move {
            let output = context.output;
            output.line(
                "a made-up company is set up, and a week of its life is lived; this takes some seconds",
            )?;
            demo.live(&engine, &address).await.map_err(CliError::from_demo)?;
            let cause = || Cause::new(Actor::Usher("demo".into()));
            let request = TokenRequest {
                purpose: Purpose::Role(Role::Admin),
                label: "demo".into(),
                subject: None,
                expires_in: None,
            };
            let token = issue_token(&engine, cause(), request).await?;
            let password = set_password(&engine, cause(), ADMINISTRATOR, true).await?;
            output.line(&format!(
                "Console:     {address}/\nSign in as:  {ADMINISTRATOR}\nPassword:    {}\nAdmin token: {}\n\
                 Look around; everything is gone when the server stops.",
                password.as_ref().map_or("", |password| password.expose()),
                token.token
            ))
        })
    });
    serve(context, loaded, rules, demo.clock(), Some(week)).await
}

async fn serve(
    context: &Context<'_>,
    loaded: Loaded,
    rules: Rules,
    clock: Arc<dyn Clock>,
    prelude: Option<Prelude<'_>>,
) -> Result<(), CliError> {
    let Loaded { config, file } = loaded;
    let listener = bind(config.server.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|error| CliError::Failed(error.to_string()))?;
    let tls = config
        .server
        .tls
        .as_ref()
        .map(|tls| Tls::read(&tls.certificate, &tls.key));
    let tls = tls
        .transpose()
        .map_err(|error| CliError::Failed(error.to_string()))?;
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

    let engine = start::open(&config, clock).await?;
    start::apply(&engine, &rules, Sources::Exactly).await?;
    let state = start::state(engine.clone(), Arc::new(config), &rules, &public_url).await?;
    if file.is_none() && prelude.is_none() {
        welcome(context, &engine, &state.config, &public_url).await?;
    }

    let (stopping, dropping) = (state.stopping.clone(), CancellationToken::new());
    let tracker = TaskTracker::new();
    jobs::spawn(&state, &tracker, &stopping);
    tokio::spawn(lifecycle::watch_signals(stopping.clone(), dropping.clone()));
    if let Some(tls) = tls.clone() {
        tracker.spawn(tls.watch(stopping.clone()));
    }

    context
        .output
        .line(&format!("listening on {scheme}://{address}"))?;
    tracing::info!(server.address = %address, node.id = %engine.node(), "ready");
    let lanes = Lanes::start(engine.storage().reads_here())
        .map_err(|error| CliError::Failed(format!("cannot start threads: {error}")))?;
    let app = App::new(state);
    let serving = lifecycle::serve(listener, &lanes, app, tls, limits, &stopping, &dropping);
    let began = async {
        let Some(prelude) = prelude else { return Ok(()) };
        let began = prelude(engine.clone(), public_url.clone()).await;
        if began.is_err() {
            stopping.cancel();
        }
        began
    };
    let ((), began) = tokio::join!(serving, began);
    tracker.close();
    tokio::select! {
        () = tracker.wait() => {}
        () = dropping.cancelled() => {}
    }
    engine.storage().clone().close().await;
    tracing::info!("stopped");
    began
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
