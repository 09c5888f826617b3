//! Calls against small providers on this machine.

#![expect(
    clippy::unwrap_used,
    reason = "a failure in a test's support is a failed test"
)]

mod assertions;
mod bounds;
mod calls;
mod dpop;
mod origins;
mod patience;
mod provider;
mod secrecy;
mod tls;
mod tokens;
