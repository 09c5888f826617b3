//! What PostgreSQL commits when nothing else is to be done.

use anyhow::{Context as _, Result};

use super::{Bench, Section, progress};
use crate::postgres;
use crate::report::{Row, Unit};

impl Bench {
    pub(super) async fn commits(&mut self) -> Result<()> {
        progress("commits of PostgreSQL alone");
        let postgres = self.postgres.as_ref().context("there is no cluster")?;
        let database = postgres.database().await?;
        let (count, in_flight) = (self.sizes.commits, self.sizes.in_flight);
        let before = postgres.cpu()?;
        let elapsed = postgres::commits(&database.url(), count, in_flight).await?;
        let cpu = postgres.cpu()?.saturating_sub(before);
        let rate = count as f64 / elapsed.as_secs_f64();
        self.commits = Some(rate);
        let row = Row::new(
            Section::Commits,
            format!("one INSERT and COMMIT over {in_flight} connections, prepared"),
            Unit::PerSecond,
            rate,
        );
        self.row(row.note(format!(
            "{:.3} ms CPU of PostgreSQL each",
            cpu.as_secs_f64() * 1e3 / count as f64
        )));
        Ok(())
    }
}
