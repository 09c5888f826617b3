//! Single writes, the shape of every day: each about one person in one group that leads to one room.

use anyhow::Result;
use uuid::Uuid;

use super::{Bench, SPARE_GROUPS, Section, progress};
use crate::client::Call;
use crate::engine::Engine;
use crate::load::drive;
use crate::report::{Row, Target, Unit};
use crate::scim;
use crate::sizes::Sizes;
use crate::world::World;

/// What one write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Deactivate,
    Reactivate,
    Add,
    Remove,
    AddAgain,
}

impl Write {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
            Self::Add => "add one member",
            Self::Remove => "remove one member",
            Self::AddAgain => "add a former member",
        }
    }
}

/// How many users the writes are about: as many again are new to their group.
pub(super) const fn users(sizes: &Sizes) -> usize {
    2 * sizes.increments
}

impl Bench {
    pub(super) async fn incremental(&mut self, world: &mut World) -> Result<()> {
        let groups = world.create_mapped_groups(SPARE_GROUPS).await?;
        let people = world.users[self.spare(Section::Incremental)].to_vec();
        let (inside, outside) = people.split_at(self.sizes.increments);
        for (place, group) in groups.iter().enumerate() {
            let here: Vec<Uuid> = inside.iter().skip(place).step_by(groups.len()).copied().collect();
            world.fill_group(*group, &here).await?;
        }
        for write in [Write::Add, Write::Remove, Write::AddAgain] {
            self.writes(world, write, outside, &groups).await?;
        }
        for write in [Write::Deactivate, Write::Reactivate] {
            self.writes(world, write, inside, &groups).await?;
        }
        Ok(())
    }

    /// The same write for everybody: most at once, the rest one after another.
    async fn writes(&mut self, world: &World, write: Write, people: &[Uuid], groups: &[Uuid]) -> Result<()> {
        progress(&format!("incremental: {}", write.name()));
        let call = |place: usize| call(world, write, people[place], groups[place % groups.len()]);
        let single = self.sizes.single_increments.min(people.len() / 2);
        let many = people.len() - single;

        let before = self.spent(world).await?;
        let run = drive(
            &world.node.scim,
            &world.node.server,
            many,
            self.sizes.in_flight,
            call,
            |_, answer| answer.expect(&[200, 204]).map(drop),
        )
        .await?;
        let cost = self.since(&before, world, &run).await?;
        let what = format!("{}, {} in flight", write.name(), self.sizes.in_flight);
        let mut row = self
            .cpu_row(Section::Incremental, what.clone(), &run)
            .note(cost.note());
        if write == Write::AddAgain {
            row = row.note("opens a suggestion to restore");
        } else if self.engine == Engine::Sqlite {
            row = row.target(Target::AtMost(0.3)).note("aim 0.15 ms");
        }
        self.row(row);
        if let Some(commits) = self.commits {
            let row = Row::new(
                Section::Incremental,
                format!("{what}: rate"),
                Unit::PerSecond,
                run.rate(),
            );
            self.row(row.ceiling(Some(commits)));
        }
        self.beside(Section::Incremental, &what, cost);

        let run = drive(
            &world.node.scim,
            &world.node.server,
            single,
            1,
            |place| call(many + place),
            |_, answer| answer.expect(&[200, 204]).map(drop),
        )
        .await?;
        let row = self.cpu_row(
            Section::Incremental,
            format!("{}, 1 in flight", write.name()),
            &run,
        );
        let sync = self
            .sync_ms
            .map(|ms| format!("a sync of the disk takes {ms:.2} ms"));
        self.row(sync.into_iter().fold(row, Row::note));
        Ok(())
    }
}

/// The request.
pub(super) fn call(world: &World, write: Write, user: Uuid, group: Uuid) -> Call {
    let (path, body) = match write {
        Write::Deactivate => (format!("/Users/{user}"), scim::active(false)),
        Write::Reactivate => (format!("/Users/{user}"), scim::active(true)),
        Write::Add | Write::AddAgain => (format!("/Groups/{group}"), scim::members("Add", &[user])),
        Write::Remove => (format!("/Groups/{group}"), scim::members("Remove", &[user])),
    };
    world.node.scim.patch(&path, body)
}
