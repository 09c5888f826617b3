#![doc = include_str!("../README.md")]

pub mod access;
pub mod api;
mod apply;
pub mod cli;
pub mod config;
mod edge;
mod health;
mod jobs;
mod lenient;
mod lifecycle;
mod logging;
pub mod mail;
mod metrics;
mod pull;
mod router;
mod scim;
mod start;
mod state;
mod usher;
pub mod webhook;

pub use apply::Sources;
pub use edge::RequestId;
pub use jobs::spawn as spawn_jobs;
pub use pull::{Reader, Readers};
pub use router::router;
pub use start::{StartError, apply, open, state};
pub use state::{AppState, PushSource};
pub use usher::Usher;
