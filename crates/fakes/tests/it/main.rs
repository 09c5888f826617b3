//! The fakes over real HTTP.

mod transport;
