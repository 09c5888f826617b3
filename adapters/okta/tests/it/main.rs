//! The adapter against a fake Okta org over HTTP.

mod contract;
mod world;
