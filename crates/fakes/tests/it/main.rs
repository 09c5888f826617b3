//! The fakes over real HTTP.

mod push;
mod transport;
