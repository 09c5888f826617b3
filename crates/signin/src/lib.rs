#![doc = include_str!("../README.md")]

mod attempt;
mod claims;
mod connection;
mod discovery;
mod error;
mod guesses;
mod local_path;
mod network;
mod password;
mod provider;

pub use attempt::{Attempt, Returned};
pub use claims::{RoleRule, RoleRules};
pub use error::{ProviderError, SignInError};
pub use guesses::{Guesses, Verdict};
pub use local_path::LocalPath;
pub use network::ClientNetwork;
pub use password::{Password, PasswordError, Passwords};
pub use provider::{Identity, Provider, ProviderSettings, Started};
