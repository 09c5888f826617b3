//! The SQL of the product, a module for each area. Functions take a transaction and speak in domain types.

pub mod directory;
pub mod event;
pub mod facts;
pub mod grant;
pub mod ground;
pub mod group;
pub mod history;
pub mod hold;
pub mod idempotency;
pub mod job;
pub mod jwt_key;
pub mod keyring;
pub mod mapping;
pub mod member;
pub mod membership;
pub mod order;
pub mod person;
pub mod plan;
pub mod policy;
pub mod pull_run;
pub mod pulled;
pub mod restore;
pub mod room;
pub mod source;
pub mod token;
pub mod user;
