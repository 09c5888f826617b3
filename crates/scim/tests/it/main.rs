//! The protocol as clients see it: requests that real identity providers send, and rules that hold for all of them.

#![expect(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]

mod bulk;
mod clients;
mod entra;
mod filter;
mod list;
mod okta;
mod patch;
mod properties;
mod resource;
mod support;
