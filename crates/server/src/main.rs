//! The `usher` program.

use std::process::ExitCode;

/// Requests and answers are many small objects, allocated on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    usher_server::Usher::new().run()
}
