//! The real router on a fresh database, called as the server calls it.

mod access;
mod api;
mod bad_input;
mod bulk;
mod concurrency;
mod entra;
mod groups;
mod lists;
mod long;
mod mail;
mod okta;
mod protocol;
mod pull;
mod service;
mod signin;
mod tolerance;
mod webhooks;
mod world;
