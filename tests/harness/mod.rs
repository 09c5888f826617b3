//! The built binary as its users meet it: started with a config file, spoken to over HTTP and through the command line.
//!
//! Each test makes a [`World`] of its own, in a temporary folder and on a port that the system chooses; nothing outlives
//! it. Waiting is always for a condition, under [`DEADLINE`].

mod answer;
mod api;
mod browser;
mod cli;
mod config;
mod desk;
mod mailbox;
mod needs;
mod openid;
mod output;
mod scim2;
mod server;
mod stage;
mod world;

use std::time::Duration;

pub use answer::Answer;
pub use api::Client;
pub use browser::{Browser, Manner};
pub use cli::Finished;
pub use config::{Config, Source};
pub use desk::{Desk, Order, Room};
pub use mailbox::{Letter, Mailbox};
pub use needs::{browser, python, seeded_binary, strace};
pub use openid::{CLIENT, CLIENT_SECRET, OpenId};
pub use output::Output;
pub use scim2::Scim2;
pub use server::Server;
pub use stage::{Crowd, Stage};
pub use world::World;

/// How long anything may take before it counts as stuck. Generous: only a broken program ever waits this long.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// How often a condition that cannot announce itself is looked at again.
const GLANCE: Duration = Duration::from_millis(20);

/// Looks again and again until `condition` gives a value; fails the test at the deadline, naming what it waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let mut glances = tokio::time::interval(GLANCE);
    let looking = async {
        loop {
            glances.tick().await;
            if let Some(value) = condition().await {
                return value;
            }
        }
    };
    match tokio::time::timeout(DEADLINE, looking).await {
        Ok(value) => value,
        Err(_) => panic!("waited {} s in vain for {what}", DEADLINE.as_secs()),
    }
}

/// Waits as long as lies between two looks at a condition.
pub async fn glance() {
    tokio::time::sleep(GLANCE).await;
}
