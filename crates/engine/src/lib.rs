#![doc = include_str!("../README.md")]

mod bootstrap;
mod change;
pub mod directory;
mod engine;
mod error;
mod event;
pub mod explain;
pub mod grant;
pub mod ground;
pub mod history;
pub mod hold;
pub mod job;
pub mod level;
mod lock;
pub mod manual;
pub mod mapping;
pub mod order;
pub mod person;
pub mod plan;
mod policy;
pub mod policy_plan;
pub mod pull;
mod reminder;
pub mod restore;
pub mod room;
mod settle;
pub mod source;
mod unit;

pub use directory::{GroupData, MemberName, MembersChange, UserData};
pub use engine::Engine;
pub use error::{EngineError, Refusal};
pub use event::EventKind;
pub use policy::{BrakePolicy, Finalise, Policy, SourcePolicy, StoredPolicy};
pub use settle::{AccountState, Decision, Desired, Door, Effective, PairFacts, decide};
pub use unit::{About, Actor, Cause, Unit};
