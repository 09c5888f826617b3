//! Whether requests about different people, groups and rooms wait for each other.

use anyhow::{Context as _, Result};
use uuid::Uuid;

use super::incremental::{Write, call};
use super::{Bench, SPARE_GROUPS, Section, progress};
use crate::load::{Turns, drive_all};
use crate::postgres::{Waits, Watch};
use crate::report::{Row, Target, Unit};
use crate::sizes::Sizes;
use crate::world::World;

/// How many users the writes are about.
pub(super) const fn users(sizes: &Sizes) -> usize {
    sizes.increments
}

impl Bench {
    pub(super) async fn locks(&mut self, world: &mut World) -> Result<()> {
        let groups = world.create_mapped_groups(SPARE_GROUPS).await?;
        let people = world.users[self.spare(Section::Locks)].to_vec();
        let postgres = self.postgres.as_ref().context("there is no cluster")?;
        let watch = Watch::start(postgres).await?;

        let mut apart = Waits::default();
        let writes = [Write::Add, Write::Deactivate, Write::Reactivate, Write::Remove];
        for write in writes {
            progress(&format!("locks: {}", write.name()));
            apart.add(self.watched(&watch, world, write, &people, &groups).await?);
        }
        progress("locks: everybody in one group");
        let together = self
            .watched(&watch, world, Write::Add, &people, &groups[..1])
            .await?;
        watch.stop().await?;

        let requests = writes.len() * people.len();
        let in_flight = self.sizes.in_flight;
        self.row(
            Row::new(
                Section::Locks,
                format!("waits for locks in {requests} requests, {in_flight} in flight, about different people, groups and rooms"),
                Unit::Number,
                apart.count() as f64,
            )
            .target(Target::AtMost(0.0))
            .note("add, deactivate, reactivate, remove; each connection has people, a group and a room of its own")
            .note(apart.note()),
        );
        let row = Row::new(
            Section::Locks,
            format!(
                "for comparison, in {} requests, {in_flight} in flight, about one group",
                people.len()
            ),
            Unit::Number,
            together.count() as f64,
        );
        self.row(row.note(together.note()));
        Ok(())
    }

    /// The same write for everybody. With as many groups as connections, each connection has one of its own.
    async fn watched(
        &self,
        watch: &Watch<'_>,
        world: &World,
        write: Write,
        people: &[Uuid],
        groups: &[Uuid],
    ) -> Result<Waits> {
        let sides = [world.node.side()];
        let load = drive_all(
            &sides,
            Turns::Fixed,
            people.len(),
            self.sizes.in_flight,
            |place| call(world, write, people[place], groups[place % groups.len()]),
            |_, answer| answer.expect(&[200, 204]).map(drop),
        );
        let (_, waits) = watch.during(load).await?;
        Ok(waits)
    }
}
