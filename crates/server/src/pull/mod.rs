//! Reading identity providers: when, what, how it ended; and questions that a human waits for.

mod ask;
mod held;
pub(crate) mod hooks;
mod read;
mod readers;
mod schedule;
mod supervisor;
mod watched;

pub(crate) use ask::{Checked, SourceSays, about_group, about_person, check};
pub use readers::{Reader, Readers};
pub(crate) use schedule::jittered;
pub(crate) use supervisor::spawn;
