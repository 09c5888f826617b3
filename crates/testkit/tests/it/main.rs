//! The suite, tried on an adapter that keeps every promise and on others that each break one.

mod adapter;
mod broken;
mod provider;
mod sound;
