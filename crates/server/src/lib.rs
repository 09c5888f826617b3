#![doc = include_str!("../README.md")]

pub mod access;
mod alarm;
pub mod api;
mod apply;
pub mod cli;
mod client;
pub mod config;
mod console;
#[cfg(feature = "demo")]
mod demo;
mod edge;
mod health;
mod jobs;
mod lanes;
mod lenient;
mod lifecycle;
mod logging;
pub mod mail;
mod metrics;
mod pull;
mod requests;
mod router;
mod scim;
mod signin;
mod start;
mod state;
mod tls;
mod usher;
pub mod webhook;

pub use apply::Sources;
pub use edge::RequestId;
pub use jobs::spawn as spawn_jobs;
pub use pull::{Reader, Readers};
pub use router::router;
pub use signin::set_password;
pub use start::{StartError, apply, open, state};
pub use state::{AppState, PushSource};
pub use usher::Usher;
