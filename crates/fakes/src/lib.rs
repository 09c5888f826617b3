#![doc = include_str!("../README.md")]

pub mod directory;
pub mod fault;
pub mod graph;
pub mod oidc;
pub mod okta;
pub mod push;
pub mod scim;
mod serve;

pub use directory::{Directory, Group, Guest, IdStyle, Life, User};
pub use fault::{Fault, Faults};
pub use serve::{FaultNow, Seen, Served};
