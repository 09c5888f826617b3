//! The SQL of the product, a module for each area. Functions take a transaction and speak in domain types.

pub mod audit;
pub mod delivery;
pub mod directory;
pub mod drift;
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
pub mod lock;
mod lookup;
pub mod mail;
pub mod mapping;
pub mod member;
pub mod membership;
pub mod order;
pub mod overview;
pub mod person;
pub mod person_search;
pub mod plan;
pub mod policy;
pub mod pull_lease;
pub mod pull_run;
pub mod pulled;
pub mod pulled_user;
pub mod reminder;
pub mod request_log;
pub mod restore;
pub mod room;
pub mod room_list;
pub mod room_member;
pub mod session;
pub mod shown;
pub mod source;
pub mod token;
pub mod user;
pub mod webhook;

use crate::Value;

/// The id after which a page begins; the least there is for the first page.
fn or_start(after: Option<impl Into<Value>>) -> Value {
    after.map_or(Value::Uuid(uuid::Uuid::nil()), Into::into)
}

/// The id before which a page begins, the newest first; the greatest there is for the first page.
fn or_end(before: Option<impl Into<Value>>) -> Value {
    before.map_or(Value::Uuid(uuid::Uuid::max()), Into::into)
}
