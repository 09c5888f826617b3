#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool speaks through its standard output"
)]

mod bench;
mod binaries;
mod check;
mod fuzz;
mod needs;
mod node;
mod pictures;
mod runner;
mod system;
mod test;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <command>

  check [--fix]                                     what the continuous integration asks of the code
  test [--without NEED,…] [--long] [--fuzz SECONDS] [-- …]
                                                    every test; what follows `--` goes to the runner
  postgres                                          a PostgreSQL to run single tests against, until Enter
  pictures                                          the screenshots of the documentation, taken anew
  bench [ARGS…]                                     release build and load figures; arguments are passed on
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = Workspace::locate().and_then(|workspace| match command.as_str() {
        "check" => check::run(&workspace, &rest),
        "test" => test::run(&workspace, &rest),
        "postgres" => test::hold_postgres(),
        "pictures" => pictures::take(&workspace),
        "bench" => bench::run(&workspace, &rest),
        _ => {
            print!("{USAGE}");
            anyhow::bail!("no such command: `{command}`")
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
