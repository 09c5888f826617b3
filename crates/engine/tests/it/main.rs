//! The engine against a real database.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;
mod brake;
mod explains;
mod grants;
mod history;
mod holds;
mod jobs;
mod levels;
mod manual;
mod mappings;
mod orders;
mod persons;
mod plans;
mod policies;
mod properties;
mod pulls;
mod rejoins;
mod restores;
mod rooms;
mod sources;
mod world;
