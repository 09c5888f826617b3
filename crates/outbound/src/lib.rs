#![doc = include_str!("../README.md")]

mod answer;
mod assertion;
mod authority;
mod call;
mod client;
mod credentials;
mod dpop;
mod link;
mod origin;
mod patience;
mod redact;
mod refusal;
mod signer;
mod token;
mod wire;

pub use answer::Answer;
pub use call::Call;
pub use client::{Builder, Client};
pub use credentials::{
    ClientAuthentication, ClientCredentials, Credentials, Dpop, PrivateKeyJwt, SigningAlgorithm,
};
pub use patience::Patience;
