//! Lookups of users: the query that precedes every write of a cycle, and the read by id.

use std::cell::Cell;
use std::ops::Range;

use anyhow::{Result, ensure};

use super::beside::Cost;
use super::{Bench, Section, progress};
use crate::client::Call;
use crate::engine::Engine;
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

    fn call(self, world: &World, order: Order, number: usize) -> Call {
        let place = order.place(number, world.users.len());
        let path = match self {
            // Users are kept in the order of their ids, which names do not follow exactly; any name will do.
            Self::ByName => format!(
                "/Users?filter=userName+eq+%22{}%22",
                scim::user_name(place).replace('@', "%40")
            ),
            Self::ById => format!("/Users/{}", world.users[place]),
        };
        world.node.scim.get(&path)
    }
}

/// In which order people are looked up.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// As they were created, which is the order in which a provider's cycle goes through them.
    Creation,
    /// Anybody.
    Random,
}

impl Order {
    const fn name(self) -> &'static str {
        match self {
            Self::Creation => "in creation order",
            Self::Random => "in random order",
        }
    }

    fn place(self, number: usize, users: usize) -> usize {
        match self {
            Self::Creation => number % users,
            // A stride without a common factor with the number of users visits all of them, far apart.
            Self::Random => number.wrapping_mul(7_919) % users,
        }
    }
}

/// Groups that the people who are looked up are spread over.
const GROUPS: usize = 20;

impl Bench {
    /// With everybody in one group, which is what most people are in.
    pub(super) async fn lookups(&mut self, world: &mut World) -> Result<()> {
        progress("lookups");
        let groups = world.create_groups(GROUPS).await?;
        let size = world.users.len().div_ceil(GROUPS);
        for (group, people) in groups.iter().zip(world.users.chunks(size)) {
            world.fill_group(*group, people).await?;
        }
        let data = format!("among {} people in a group each", world.users.len());
        for lookup in Lookup::ALL {
            let (what, row, cost) = self.looked_up(world, lookup, Order::Creation, &data).await?;
            self.row(match self.engine {
                Engine::Sqlite => row.target(Target::ShareOfCeiling(0.5)),
                Engine::Postgres => row,
            });
            self.beside(Section::Lookups, &what, cost);
            let (_, row, _) = self.looked_up(world, lookup, Order::Random, &data).await?;
            self.row(row);
        }
        Ok(())
    }

    /// The same when everything is loaded, to see what growth costs. Answers are longer then: they name the groups.
    pub(super) async fn lookups_at_the_end(&mut self, world: &World) -> Result<()> {
        progress("lookups at the end");
        let data = format!("among {} member rows", world.member_rows().await?);
        for lookup in Lookup::ALL {
            let (_, row, _) = self.looked_up(world, lookup, Order::Random, &data).await?;
            self.row(row);
        }
        Ok(())
    }

    async fn looked_up(
        &self,
        world: &World,
        lookup: Lookup,
        order: Order,
        data: &str,
    ) -> Result<(String, Row, Cost)> {
        let length = Cell::new(0);
        // What is asked often is in memory; the first requests bring it there.
        self.ask(world, lookup, order, 0..self.sizes.lookups / 4, &length)
            .await?;
        let bare_before = self.bare_now().await?;
        let before = self.spent(world).await?;
        length.set(0);
        // Others than those who were asked for already.
        let measured = self.sizes.lookups / 4..self.sizes.lookups / 4 + self.sizes.lookups;
        let run = self.ask(world, lookup, order, measured, &length).await?;
        let cost = self.since(&before, world, &run).await?;
        let bare_after = self.bare_now().await?;
        let what = format!(
            "{}, {}, {data}, {} in flight",
            lookup.name(),
            order.name(),
            self.sizes.in_flight
        );
        let row = Row::new(Section::Lookups, &*what, Unit::PerSecond, run.rate())
            .ceiling(
                bare_before
                    .zip(bare_after)
                    .map(|(before, after)| f64::midpoint(before, after)),
            )
            .note(format!(
                "{:.3} ms CPU, {}, {} bytes",
                run.cpu_ms(),
                cost.note(),
                length.get() / run.requests
            ))
            .note(run.latency_note());
        Ok((what, row, cost))
    }

    /// Adds the lengths of the bodies to `length`.
    async fn ask(
        &self,
        world: &World,
        lookup: Lookup,
        order: Order,
        numbers: Range<usize>,
        length: &Cell<usize>,
    ) -> Result<Run> {
        drive(
            &world.node.scim,
            &world.node.server,
            numbers.len(),
            self.sizes.in_flight,
            |number| lookup.call(world, order, numbers.start + number),
            |_, answer| {
                let answer = answer.expect(&[200])?;
                ensure!(answer.body.len() > 300, "the lookup found nobody");
                length.set(length.get() + answer.body.len());
                Ok(())
            },
        )
        .await
    }
}
