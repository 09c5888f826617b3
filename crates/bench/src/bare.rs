//! The ceiling of any HTTP server here: a route that does nothing, in a process of its own.

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

/// As long as the resource of a user in one group, so that both send as many bytes.
const BODY_LENGTH: usize = 1_030;

/// What is asked for, like a user.
pub(crate) const PATH: &str = "/Users/01900000-0000-7000-8000-000000000000";
/// Below this.
pub(crate) const ROOT: &str = "/scim/idp/v2";

/// Serves [`PATH`] on a free port until it is killed, and prints where.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let body: &'static str = format!("{{\"pad\":\"{}\"}}", "x".repeat(BODY_LENGTH - 10)).leak();
        let router = Router::new().route(
            &format!("{ROOT}/Users/{{id}}"),
            get(move || async move { ([(CONTENT_TYPE, "application/scim+json")], body) }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot listen")?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        axum::serve(listener, router).await.context("cannot serve")
    })
}
