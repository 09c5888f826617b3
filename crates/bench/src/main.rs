#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks through its terminal"
)]

mod bare;
mod ceiling;
mod client;
mod database;
mod disk;
mod load;
mod measure;
mod process;
mod provider;
mod reader;
mod report;
mod scim;
mod sizes;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use measure::{Bench, Section};
use report::Report;
use sizes::Sizes;

/// Measures the release binary over HTTP, beside ceilings of the same machine in the same run.
#[derive(Debug, Parser)]
#[command(name = "usher-bench")]
struct Args {
    /// Small sizes, for trying; the figures mean little and no target fails the run.
    #[arg(long)]
    quick: bool,
    /// Measure this part of the table alone; may be given several times.
    #[arg(long, value_enum, value_name = "SECTION")]
    only: Vec<Section>,
    /// Print JSON in place of the table.
    #[arg(long)]
    json: bool,
    /// Put the table into this file, between its markers.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// The `usher` binary to measure.
    #[arg(
        long,
        env = "USHER_BIN",
        value_name = "FILE",
        default_value = "target/release/usher"
    )]
    usher: PathBuf,
    /// The folder for the data; it decides which disk is measured.
    #[arg(long, value_name = "FOLDER", default_value = "target")]
    data: PathBuf,
    /// Keep the data for a look afterwards.
    #[arg(long)]
    keep: bool,
    /// Serve the bare route, for the process that is the ceiling.
    #[arg(long, hide = true)]
    bare_route: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = if args.bare_route {
        bare::serve().map(|()| true)
    } else {
        bench(&args)
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("usher-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, reports, and says whether every target was met. One thread only: the load generator must leave the
/// other cores to what it measures.
fn bench(args: &Args) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let sizes = if args.quick { Sizes::QUICK } else { Sizes::FULL };
    let report = runtime.block_on(async {
        let mut bench = Bench::new(&args.usher, &args.data, sizes, args.keep)?;
        bench.run(&args.only).await?;
        Ok::<Report, anyhow::Error>(bench.into_report())
    })?;
    if args.json {
        println!("{:#}", report.json());
    } else {
        println!("{}", report.text());
    }
    if let Some(file) = &args.write {
        report.write_into(file)?;
    }
    Ok(args.quick || report.missed() == 0)
}
