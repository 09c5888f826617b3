#![doc = include_str!("../README.md")]

mod company;
mod model;
mod order;
mod promise;
pub mod promises;
mod provider;
mod reader;
mod recorder;
mod trouble;

pub use model::{Model, ModelGroup, ModelUser};
pub use promise::{Broken, Outcome, Verdict, run};
pub use provider::{Calls, Provider, Shape};
pub use reader::{Read, Reader};
pub use recorder::{Page, Recorder};
