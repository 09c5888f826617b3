#![doc = include_str!("../README.md")]

mod guard;
mod network;
mod schedule;
mod seal;
mod sender;
mod signature;

pub use guard::{Guard, GuardError};
pub use network::{Network, NetworkError};
pub use schedule::Schedule;
pub use seal::{SealError, SealingKey};
pub use sender::{Limits, Message, Outcome, Sender, SenderError};
pub use signature::{SecretError, SigningSecret, sign};
