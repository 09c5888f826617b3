#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks through its terminal"
)]

mod bare;
mod ceiling;
mod client;
mod disk;
mod engine;
mod load;
mod loader;
mod measure;
mod postgres;
mod process;
mod profile;
mod provider;
mod reader;
mod report;
mod scim;
mod sizes;
mod sqlite;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use engine::Engine;
use measure::{Bench, Section, Settings};
use report::Report;
use sizes::Sizes;

/// Measures the release binary over HTTP, beside ceilings of the same machine in the same run.
#[derive(Debug, Parser)]
#[command(name = "usher-bench")]
struct Args {
    /// Where the server keeps its data. For `postgres` a cluster is started, and SQLite is measured beside it.
    #[arg(long, value_enum, value_name = "DATABASE", default_value = "sqlite")]
    storage: Engine,
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
    /// Measure this section alone, and write where the server spends its CPU into `profile-DATABASE-SECTION.folded` in the
    /// folder for the data.
    #[arg(long, value_enum, value_name = "SECTION", conflicts_with = "only")]
    profile: Option<Section>,
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
        let mut bench = Bench::new(Settings {
            usher: &args.usher,
            data: &args.data,
            sizes,
            keep: args.keep,
            engine: args.storage,
            profile: args.profile,
        })
        .await?;
        bench
            .run(
                args.profile
                    .as_slice()
                    .first()
                    .map_or(&*args.only, std::slice::from_ref),
            )
            .await?;
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
