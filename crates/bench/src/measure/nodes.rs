//! One to three servers on one database. They share the cores of one machine here, so no scaling is promised.

use anyhow::Result;

use super::incremental::{Write, call};
use super::{Bench, SPARE_GROUPS, Section, progress};
use crate::load::{Side, Turns, drive_all};
use crate::report::{Row, Unit};
use crate::sizes::Sizes;
use crate::world::World;

/// As many servers as there are at most.
const MOST: usize = 3;

/// How many users the writes are about.
pub(super) const fn users(sizes: &Sizes) -> usize {
    MOST * sizes.increments
}

impl Bench {
    pub(super) async fn nodes(&mut self, world: &mut World) -> Result<()> {
        let groups = world.create_mapped_groups(SPARE_GROUPS).await?;
        let people = world.users[self.spare(Section::Nodes)].to_vec();
        let mut others = Vec::new();
        for (number, people) in (1..).zip(people.chunks(self.sizes.increments)) {
            progress(&format!("nodes: {number}"));
            if number > 1 {
                others.push(world.another_node(number).await?);
            }
            let sides: Vec<Side<'_>> = [world.node.side()]
                .into_iter()
                .chain(others.iter().map(crate::world::Node::side))
                .collect();
            let before = self.spent(world).await?;
            let run = drive_all(
                &sides,
                Turns::Fixed,
                people.len(),
                self.sizes.in_flight,
                |place| call(world, Write::Add, people[place], groups[place % groups.len()]),
                |_, answer| answer.expect(&[200, 204]).map(drop),
            )
            .await?;
            let cost = self.since(&before, world, &run).await?;
            let nodes = if number == 1 { "node" } else { "nodes" };
            let mut row = Row::new(
                Section::Nodes,
                format!(
                    "add one member, {number} {nodes}, {} in flight",
                    self.sizes.in_flight
                ),
                Unit::PerSecond,
                run.rate(),
            )
            .ceiling(self.commits)
            .note(format!("{:.3} ms CPU of all nodes a request", run.cpu_ms()))
            .note(run.latency_note());
            if let Some(ms) = cost.database_ms {
                row = row.note(format!("{ms:.3} ms CPU of PostgreSQL"));
            }
            self.row(row);
        }
        Ok(())
    }
}
