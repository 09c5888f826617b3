//! The adapter against a fake Microsoft Graph.

mod contract;
mod credentials;
mod deltas;
mod hosts;
mod lists;
mod permissions;
mod person;
mod reads;
mod samples;
mod world;
