//! Identity providers as SCIM clients: the requests that Microsoft Entra ID and Okta send, in their order, from a
//! [`Directory`](crate::Directory) to any SCIM base URL.
//!
//! Both know only what they sent themselves and what they were answered. They never read members, and they forget what they
//! leave out: just as the real ones, which is why an endpoint has to cope with it.

mod entra;
mod entra_member;
mod entra_user;
mod okta;
mod okta_group;
mod report;
mod wire;

pub use entra::{Dialect, EntraClient, EntraOptions, ExternalIdSource, GuestName, MatchingAttribute};
pub use okta::{DisabledMeans, Flavour, OktaClient, OktaOptions};
pub use report::{CycleReport, Trouble};
pub use wire::{Exchange, Login};
