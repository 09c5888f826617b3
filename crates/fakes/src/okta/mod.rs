//! A fake Okta org: the parts of Okta's management API from which groups, members and users are read, over HTTP.
//!
//! An [`Org`] is a view of a [`Directory`](crate::Directory). Its answers have the shape of the published OpenAPI document
//! (okta/okta-management-openapi-spec, 2026.06.3). Where the public documentation leaves open how Okta behaves,
//! [`Behaviour`] has a switch, so that a client can be tested against both readings.
//!
//! Nested groups do not exist in Okta, so groups that are members are not shown. A softly deleted user is a deactivated
//! one; a deleted group is gone.

mod access;
mod answer;
mod apps;
mod ask;
mod behaviour;
mod filter;
mod groups;
mod jwt;
mod logs;
mod org;
mod page;
mod rights;
mod token;
mod users;

pub use behaviour::{Behaviour, Busy, Ungranted};
pub use org::{Org, ServiceApp};
pub use rights::Rights;
