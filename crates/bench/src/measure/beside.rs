//! What a request costs, and the same requests on PostgreSQL beside SQLite.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::{Bench, Section};
use crate::load::Run;
use crate::report::{Row, Target, Unit};
use crate::world::World;

/// How much more CPU a node may spend on a request with PostgreSQL.
const NODE_CPU: f64 = 1.3;

/// What was spent so far.
pub(super) struct Spent {
    statements: u64,
    database: Option<Duration>,
}

/// What one request costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// CPU of the server.
    pub(super) cpu_ms: f64,
    /// Statements.
    pub(super) statements: f64,
    /// CPU of the database, where that is a server of its own.
    pub(super) database_ms: Option<f64>,
}

impl Cost {
    /// In words, without the CPU of the server.
    pub(super) fn note(&self) -> String {
        let statements = format!("{:.1} statements", self.statements);
        self.database_ms.map_or_else(
            || statements.clone(),
            |ms| format!("{statements}, {ms:.3} ms CPU of PostgreSQL"),
        )
    }
}

/// What requests cost on SQLite, in a run on PostgreSQL.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<String, Cost>);

impl Bench {
    /// Before a load.
    pub(super) async fn spent(&self, world: &World) -> Result<Spent> {
        Ok(Spent {
            statements: world.statements().await?,
            database: self.database_cpu(world)?,
        })
    }

    /// After it.
    pub(super) async fn since(&self, before: &Spent, world: &World, run: &Run) -> Result<Cost> {
        let database = self.database_cpu(world)?;
        let requests = run.requests as f64;
        let spent = before.database.zip(database);
        Ok(Cost {
            cpu_ms: run.cpu_ms(),
            statements: (world.statements().await? - before.statements) as f64 / requests,
            database_ms: spent
                .map(|(before, after)| after.saturating_sub(before).as_secs_f64() * 1e3 / requests),
        })
    }

    fn database_cpu(&self, world: &World) -> Result<Option<Duration>> {
        let is_postgres = world.place().engine() == crate::engine::Engine::Postgres;
        self.postgres
            .as_ref()
            .filter(|_| is_postgres)
            .map(crate::postgres::Postgres::cpu)
            .transpose()
    }

    /// Keeps what these requests cost on SQLite, or puts what they cost on PostgreSQL beside it.
    pub(super) fn beside(&mut self, section: Section, what: &str, cost: Cost) {
        if self.compared {
            self.samples.0.insert(what.to_owned(), cost);
            return;
        }
        let Some(sqlite) = self.samples.0.remove(what) else {
            return;
        };
        for row in rows(section, what, cost, sqlite) {
            self.row(row);
        }
    }
}

fn rows(section: Section, what: &str, postgres: Cost, sqlite: Cost) -> [Row; 2] {
    let row = |name: &str, figures: [f64; 2]| {
        let what = format!("{what}: PostgreSQL against SQLite, {name}");
        Row::new(section, what, Unit::Ratio, figures[0] / figures[1])
    };
    let cpu = row("CPU of the node", [postgres.cpu_ms, sqlite.cpu_ms])
        .target(Target::AtMost(NODE_CPU))
        .note(format!(
            "{:.3} ms against {:.3} ms a request",
            postgres.cpu_ms, sqlite.cpu_ms
        ));
    let cpu = postgres.database_ms.into_iter().fold(cpu, |row, ms| {
        row.note(format!("PostgreSQL itself spends {ms:.3} ms"))
    });
    // A request has a whole number of statements. What is counted beyond is the server's own jobs, which run by the clock
    // and by what was written.
    let whole = [postgres.statements, sqlite.statements].map(f64::round);
    let statements = row("statements", whole)
        .target(Target::AtLeast(1.0))
        .target(Target::AtMost(1.0))
        .note(format!(
            "{:.2} against {:.2} a request, the server's own jobs included",
            postgres.statements, sqlite.statements
        ));
    [cpu, statements]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_figures_are_in_each_row() {
        let cost = |cpu_ms, statements, database_ms| Cost {
            cpu_ms,
            statements,
            database_ms,
        };
        let [cpu, statements] = rows(
            Section::Users,
            "POST /Users",
            cost(0.3, 9.3, Some(0.5)),
            cost(0.2, 9.0, None),
        );
        assert_eq!(cpu.passed(), Some(false));
        assert_eq!(statements.passed(), Some(true));
        assert_eq!(
            cost(0.3, 9.0, Some(0.5)).note(),
            "9.0 statements, 0.500 ms CPU of PostgreSQL"
        );
    }
}
