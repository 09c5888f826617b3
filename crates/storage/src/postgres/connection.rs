//! Opening a connection with the settings that the promises rest on.

use std::time::Duration;

use super::address::Address;
use super::answer::Script;
use super::error::{Again, Fault};
use super::session::Session;
use super::socket::{self, Server};
use super::wire::Wire;
use crate::StorageError;

/// Setting and value, as the server spells them.
pub(super) type Settings = Vec<(&'static str, String)>;

/// The oldest server that has what is used here (`client_connection_check_interval`).
const OLDEST: u32 = 140_000;

/// A setting that is no server's own: where it is on, in the server's configuration or by the address
/// (`options=-c%20usher.allow_unsafe=on`), a server is accepted that may lose what it acknowledged. For tests.
const ALLOW_UNSAFE: &str = "usher.allow_unsafe";

/// How long a statement may take.
const STATEMENT: Duration = Duration::from_secs(60);
/// How long a transaction may be open without a statement: units of work wait for nothing else, so that one is stuck.
const IDLE: Duration = Duration::from_secs(60);

/// With the seeded fault: a commit is acknowledged before the server has written it down.
const LATE: &str = match cfg!(feature = "fault-ack-before-commit") {
    true => "; SET synchronous_commit = off",
    false => "",
};

/// Connects to the first server of the address that takes changes, sets the connection up and asks how it is set. As long as
/// the connection is open, nothing happens to the schema that a program cannot live with that knows it up to version `known`.
pub(super) async fn open(
    address: &Address,
    lock_wait: Duration,
    known: u32,
) -> Result<(Session, Settings), Fault> {
    let mut last = Fault::lost("the address names no server");
    for server in socket::servers(&address.config).await {
        let opened = match server {
            Ok(server) => set_up(address, &server, lock_wait, known).await,
            Err(fault) => Err(fault),
        };
        match opened {
            Err(fault) if matches!(fault.error, StorageError::Unavailable { .. }) => last = fault,
            opened => return opened,
        }
    }
    Err(last)
}

async fn set_up(
    address: &Address,
    server: &Server,
    lock_wait: Duration,
    known: u32,
) -> Result<(Session, Settings), Fault> {
    let mut wire = Wire::new(socket::connect(address, server).await?);
    let (set, names) = script(lock_wait, known);
    let mut answer = Script::default();
    let sent = wire.script(&set, &mut answer).await;
    let mut values = answer.outcome(sent)?.into_iter();
    let settings: Settings = names
        .iter()
        .map(|name| (*name, values.next().flatten().unwrap_or_default()))
        .collect();
    check(&settings).map_err(|error| Fault::new(error, Again::No))?;
    // What cannot be written to is not the server that is looked for.
    if settings
        .iter()
        .any(|(name, value)| *name == "in_hot_standby" && value == "on")
    {
        return Err(Fault::lost("the server is a standby and takes no changes"));
    }
    Ok((Session::new(wire), settings))
}

/// What sets a connection up and reads the settings back, in one go. The lock says that a program of this version is at work.
fn script(lock_wait: Duration, known: u32) -> (String, [&'static str; 18]) {
    let names = [
        "server_version_num",
        "server_encoding",
        "fsync",
        "synchronous_commit",
        "in_hot_standby",
        "application_name",
        "client_encoding",
        "search_path",
        "TimeZone",
        "default_transaction_isolation",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "client_connection_check_interval",
        "jit",
        "plan_cache_mode",
        "random_page_cost",
        ALLOW_UNSAFE,
    ];
    let read: Vec<_> = names
        .iter()
        .map(|name| format!("current_setting('{name}', true)"))
        .collect();
    let script = format!(
        "SET search_path = public; SET TimeZone = 'UTC'; SET client_encoding = 'UTF8'; \
         SET standard_conforming_strings = on; SET default_transaction_isolation = 'read committed'; \
         SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SET client_connection_check_interval = 5000; SET jit = off; SET plan_cache_mode = force_generic_plan; \
         SET random_page_cost = 1.1; SET client_min_messages = warning; \
         SELECT pg_advisory_lock_shared(1970496883, {known}); SELECT {}{LATE}",
        STATEMENT.as_millis(),
        lock_wait.as_millis().max(1),
        IDLE.as_millis(),
        read.join(", ")
    );
    (script, names)
}

/// Refuses a server that may lose what it acknowledged, or cannot hold every text.
fn check(settings: &Settings) -> Result<(), StorageError> {
    let allow_unsafe = settings
        .iter()
        .any(|(name, value)| *name == ALLOW_UNSAFE && value == "on");
    for (setting, got) in settings {
        let wanted = match *setting {
            "server_version_num" if got.parse().unwrap_or(0) < OLDEST => "140000 or more",
            "server_encoding" if got != "UTF8" => "UTF8",
            "fsync" if got == "off" && !allow_unsafe => "on",
            "synchronous_commit" if got == "off" && !allow_unsafe => "on",
            _ => continue,
        };
        return Err(StorageError::Setting {
            setting,
            wanted: wanted.to_owned(),
            got: got.clone(),
        });
    }
    Ok(())
}
