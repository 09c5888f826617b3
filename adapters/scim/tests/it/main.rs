//! The adapter in front of a fake service provider.

mod contract;
mod world;
