//! The adapter against a fake Okta org over HTTP.

mod answers;
mod changes;
mod contract;
mod faults;
mod hooks;
mod limits;
mod lists;
mod logins;
mod people;
mod scopes;
mod settings;
mod statuses;
mod world;
