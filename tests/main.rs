//! End-to-end tests: the built binary, driven over HTTP and through its command line by clients that are not ours.

#![expect(unreachable_pub, reason = "the harness is written as a small library")]

mod conformance;
mod harness;
mod lifecycle;
