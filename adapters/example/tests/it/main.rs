//! The adapter at a fake Acme Directory.

mod acme;
mod contract;
mod guide;
