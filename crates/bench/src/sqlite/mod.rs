//! SQLite: a look into its file from beside the server, and what it does alone.

mod ceiling;
mod database;

pub(crate) use ceiling::Ceiling;
pub(crate) use database::Database;
