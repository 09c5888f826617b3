//! The `usher` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    usher_server::Usher::new().run()
}
