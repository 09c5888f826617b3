//! The command line. Each verb has a file; `--json` makes any of them print JSON.

mod act;
mod admin;
mod backup;
mod config;
mod context;
mod doctor;
mod events;
mod hold;
mod key;
mod mapping;
mod member;
mod order;
mod output;
mod person;
mod policy;
mod progress;
mod restore;
mod room;
mod serve;
mod show;
mod source;
mod storage;
mod token;
mod webhook;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::Usher;
use crate::config::ConfigError;
use crate::start::StartError;

pub use context::Context;
pub use output::Output;

/// Decides who is in which room, from the groups of identity providers.
#[derive(Debug, Parser)]
#[command(
    name = "usher",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Arguments {
    /// The configuration file. Without one, the try-out configuration is used.
    #[arg(long, global = true, value_name = "FILE", env = "USHER_CONFIG")]
    config: Option<PathBuf>,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Arguments),
    /// Check the configuration, or print its schema.
    Config(config::Arguments),
    /// Make, list and revoke access tokens.
    Token(token::Arguments),
    /// Make and replace passwords of local administrators of the console.
    Admin(admin::Arguments),
    /// Register, list and revoke keys with which a customer signs access tokens.
    Key(key::Arguments),
    /// Order rooms, and see orders through to the room in use.
    Order(order::Arguments),
    /// List, show, archive and reopen rooms.
    Room(room::Arguments),
    /// Map groups to rooms: make, plan, confirm, replace and retire mappings.
    Mapping(mapping::Arguments),
    /// Members of rooms: list, explain, look back, change by hand.
    Member(member::Arguments),
    /// Decide about held endings and arrivals.
    Hold(hold::Arguments),
    /// Bring back what a person had in a room before.
    Restore(restore::Arguments),
    /// Find people, and link two who are one.
    Person(person::Arguments),
    /// List sources; check, read and retire one.
    Source(source::Arguments),
    /// The rules that decisions follow, and changed ones that wait.
    Policy(policy::Arguments),
    /// Print the feed of events.
    Events(events::Arguments),
    /// Endpoints that events are delivered to: add, list, pause, rotate, test, replay.
    Webhook(webhook::Arguments),
    /// Print the description of the API (OpenAPI).
    Openapi,
    /// Take a backup of the database, beside a running server, and check it.
    Backup(backup::Take),
    /// Put a backup in place, after checking it.
    RestoreBackup(backup::PutBack),
    /// Copy everything to another database.
    Storage(storage::Arguments),
    /// Check that everything is in place.
    Doctor,
    /// Bring the schema of the database up to date, and say its version.
    Migrate,
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be used. Exit code 3.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The engine said no. Exit code 4, or 5 for something that is not there.
    #[error(transparent)]
    Engine(#[from] usher_engine::EngineError),
    /// The database or the network. Exit code 1.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The arguments do not fit together, beyond what is known when they are read. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// What was asked for does not fit what is there. Exit code 4.
    #[error("{0}")]
    Refused(String),
    /// Something that was named is not there. Exit code 5.
    #[error("{0}")]
    Missing(String),
    /// Anything else. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl From<usher_storage::StorageError> for CliError {
    fn from(error: usher_storage::StorageError) -> Self {
        Self::Engine(error.into())
    }
}

impl CliError {
    /// A demo that did not work out.
    #[cfg(feature = "demo")]
    #[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
    fn from_demo(error: crate::demo::DemoError) -> Self {
        Self::Failed(error.to_string())
    }

    /// The exit code; the README lists them.
    fn code(&self) -> u8 {
        use usher_engine::EngineError;
        match self {
            Self::Usage(_) => 2,
            Self::Config(_) => 3,
            Self::Engine(EngineError::NotFound { .. }) | Self::Missing(_) => 5,
            Self::Engine(EngineError::Storage(_)) | Self::Start(_) | Self::Failed(_) => 1,
            Self::Engine(_) | Self::Refused(_) => 4,
        }
    }
}

/// Does what the arguments say.
pub(crate) fn run(usher: &Usher, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too, with code 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let output = Output::new(arguments.json);
    let context = Context::new(usher, arguments.config, output);
    let result = match arguments.command {
        Command::Serve(arguments) => serve::run(&context, &arguments),
        Command::Config(arguments) => config::run(&context, &arguments),
        Command::Token(arguments) => token::run(&context, &arguments),
        Command::Admin(arguments) => admin::run(&context, &arguments),
        Command::Key(arguments) => key::run(&context, &arguments),
        Command::Order(arguments) => order::run(&context, arguments),
        Command::Room(arguments) => room::run(&context, arguments),
        Command::Mapping(arguments) => mapping::run(&context, arguments),
        Command::Member(arguments) => member::run(&context, arguments),
        Command::Hold(arguments) => hold::run(&context, arguments),
        Command::Restore(arguments) => restore::run(&context, arguments),
        Command::Person(arguments) => person::run(&context, arguments),
        Command::Source(arguments) => source::run(&context, arguments),
        Command::Policy(arguments) => policy::run(&context, arguments),
        Command::Events(arguments) => events::run(&context, &arguments),
        Command::Webhook(arguments) => webhook::run(&context, arguments),
        Command::Openapi => output.line(crate::api::openapi()),
        Command::Backup(arguments) => backup::take(&context, &arguments),
        Command::RestoreBackup(arguments) => backup::put_back(&context, &arguments),
        Command::Storage(arguments) => storage::run(&context, arguments),
        Command::Doctor => doctor::run(&context),
        Command::Migrate => doctor::migrate(&context),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.code())
        }
    }
}
