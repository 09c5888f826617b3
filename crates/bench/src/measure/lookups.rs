//! Lookups of users: the query that precedes every write of a cycle, and the read by id.

use anyhow::{Result, ensure};

use super::{Bench, Section, progress};
use crate::client::Call;
use crate::load::{Run, drive};
use crate::report::{Row, Target, Unit};
use crate::scim;
use crate::world::World;

/// A kind of lookup.
#[derive(Debug, Clone, Copy)]
enum Lookup {
    ByName,
    ById,
}

impl Lookup {
    const ALL: [Self; 2] = [Self::ByName, Self::ById];

    const fn name(self) -> &'static str {
        match self {
            Self::ByName => "GET /Users?filter=userName eq",
            Self::ById => "GET /Users/{id}",
        }
    }

    fn call(self, world: &World, number: usize) -> Call {
        // A stride without a common factor with the number of users visits all of them, far apart.
        let place = number.wrapping_mul(7_919) % world.users.len();
        let path = match self {
            // Users are kept in the order of their ids, which names do not follow exactly; any name will do.
            Self::ByName => format!(
                "/Users?filter=userName+eq+%22{}%22",
                scim::user_name(place).replace('@', "%40")
            ),
            Self::ById => format!("/Users/{}", world.users[place]),
        };
        world.scim.get(&path)
    }
}

/// CPU of each lookup before the data grew, in milliseconds.
pub(super) type Early = [f64; 2];

impl Bench {
    /// With few users, to see later what growth costs.
    pub(super) async fn lookups_early(&self, world: &World) -> Result<Early> {
        progress("lookups among few users");
        let mut early = Early::default();
        for (place, lookup) in Lookup::ALL.into_iter().enumerate() {
            self.ask(world, lookup, self.sizes.lookups / 10).await?;
            early[place] = self.ask(world, lookup, self.sizes.lookups / 4).await?.cpu_ms();
        }
        Ok(early)
    }

    pub(super) async fn lookups(&mut self, world: &World, early: Early) -> Result<()> {
        progress("lookups");
        for (lookup, early) in Lookup::ALL.into_iter().zip(early) {
            let statements = world.statements().await?;
            let run = self.ask(world, lookup, self.sizes.lookups).await?;
            let statements = (world.statements().await? - statements) as f64 / run.requests as f64;
            let row = Row::new(
                Section::Lookups,
                format!("{}, {} in flight", lookup.name(), self.sizes.in_flight),
                Unit::PerSecond,
                run.rate(),
            );
            self.row(
                row.ceiling(self.bare.map(|bare| bare.rate))
                    .target(Target::ShareOfCeiling(0.5))
                    .note(format!(
                        "{:.3} ms CPU ({early:.3} among 1,000 users), {statements:.1} statements",
                        run.cpu_ms()
                    ))
                    .note(run.latency_note()),
            );
        }
        Ok(())
    }

    async fn ask(&self, world: &World, lookup: Lookup, count: usize) -> Result<Run> {
        drive(
            &world.scim,
            &world.server,
            count,
            self.sizes.in_flight,
            |number| lookup.call(world, number),
            |_, answer| {
                let answer = answer.expect(&[200])?;
                ensure!(answer.body.len() > 300, "the lookup found nobody");
                Ok(())
            },
        )
        .await
    }
}
