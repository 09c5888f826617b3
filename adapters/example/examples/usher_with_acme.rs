//! The `usher` program with one more adapter: everything else is as in the original.

use std::process::ExitCode;

use usher_server::Usher;

fn main() -> ExitCode {
    Usher::new()
        .register(usher_adapter_example::KIND, usher_adapter_example::build)
        .run()
}
