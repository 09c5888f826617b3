//! The bare route: the ceiling of rates, and the least CPU of a request.

use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::{Bench, Section, progress};
use crate::bare::{PATH, ROOT};
use crate::client::Endpoint;
use crate::load::{Run, drive};
use crate::process::Process;
use crate::report::{Row, Unit};

/// As long as a token of Usher, so that both read as many bytes.
const TOKEN: &str = "usher_0123456789012345678901234567890123456789012";

/// A server of the bare route.
pub(super) struct Bare {
    server: Process,
    endpoint: Endpoint,
    /// CPU of a request, in milliseconds.
    pub(super) cpu_ms: f64,
    _folder: TempDir,
}

impl Bare {
    async fn ask(&self, count: usize, in_flight: usize) -> Result<Run> {
        drive(
            &self.endpoint,
            &self.server,
            count,
            in_flight,
            |_| self.endpoint.get(PATH),
            |_, answer| answer.expect(&[200]).map(drop),
        )
        .await
    }
}

impl Bench {
    pub(super) async fn bare(&mut self) -> Result<()> {
        progress("bare route");
        let folder = tempfile::tempdir_in(&self.data)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--bare-route");
        let server = Process::start(command, &folder.path().join("bare.log")).await?;
        let mut bare = Bare {
            endpoint: Endpoint::new(server.address(), ROOT, Some(TOKEN))?,
            server,
            cpu_ms: 0.0,
            _folder: folder,
        };
        let in_flight = self.sizes.in_flight;
        bare.ask(self.sizes.bare_requests / 10, in_flight).await?;
        let run = bare.ask(self.sizes.bare_requests, in_flight).await?;
        bare.cpu_ms = run.cpu_ms();
        self.bare = Some(bare);
        let rate = Row::new(
            Section::Bare,
            format!("bare axum route, {in_flight} in flight"),
            Unit::PerSecond,
            run.rate(),
        );
        self.row(rate.note(format!(
            "{:.3} ms CPU a request, {}",
            run.cpu_ms(),
            run.latency_note()
        )));
        Ok(())
    }

    /// How many requests a second the bare route answers now: a machine is not always as fast as it was.
    pub(super) async fn bare_now(&self) -> Result<Option<f64>> {
        let Some(bare) = &self.bare else {
            return Ok(None);
        };
        let run = bare
            .ask(self.sizes.bare_requests / 3, self.sizes.in_flight)
            .await?;
        Ok(Some(run.rate()))
    }
}
