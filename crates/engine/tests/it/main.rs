//! The engine against a real database.

mod orders;
mod restores;
mod world;
