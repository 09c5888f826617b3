//! The adapter in front of a fake service provider.

mod abilities;
mod contract;
mod habits;
mod world;
