#![doc = include_str!("../README.md")]

pub mod directory;
mod engine;
mod error;
mod event;
pub mod grant;
pub mod ground;
pub mod hold;
pub mod level;
pub mod manual;
mod order;
pub mod person;
mod policy;
pub mod restore;
mod settle;
mod unit;

pub use directory::{GroupData, MemberName, MembersChange, UserData};
pub use engine::Engine;
pub use error::{EngineError, Refusal};
pub use event::EventKind;
pub use policy::{BrakePolicy, Finalise, Policy, SourcePolicy, StoredPolicy};
pub use settle::{AccountState, Decision, Desired, Door, Effective, PairFacts, decide};
pub use unit::{About, Actor, Cause, Unit};
