//! Memory when everything is loaded.

use anyhow::Result;

use super::{Bench, Section, progress};
use crate::report::{Row, Target, Unit};
use crate::scim;
use crate::world::World;

/// Members of each group that fills the database up.
const GROUP: usize = 10_000;

/// Members in one PATCH.
const PATCH: usize = 1000;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

impl Bench {
    /// Pushes members until there are as many rows as asked for, over HTTP, into groups that lead nowhere.
    pub(super) async fn fill(&mut self, world: &mut World) -> Result<()> {
        let missing = self.sizes.member_rows.saturating_sub(world.member_rows().await?);
        if missing == 0 {
            return Ok(());
        }
        progress(&format!("memory: {missing} more rows of members"));
        let size = GROUP.min(self.sizes.users);
        let groups = world.create_groups(missing.div_ceil(size)).await?;
        let mut patches = Vec::with_capacity(missing.div_ceil(PATCH));
        for (place, group) in groups.iter().enumerate() {
            let here = size.min(missing - place * size);
            let people: Vec<_> = world.users[..self.sizes.users]
                .iter()
                .cycle()
                .skip(place * size % self.sizes.users)
                .take(here)
                .copied()
                .collect();
            patches.extend(
                people
                    .chunks(PATCH)
                    .map(|people| (*group, scim::members("Add", people))),
            );
        }
        let run = world.patch_groups(&patches, self.sizes.in_flight).await?;
        let row = Row::new(
            Section::Memory,
            format!(
                "unmapped members in PATCHes of {PATCH}, {} in flight",
                self.sizes.in_flight
            ),
            Unit::PerSecond,
            missing as f64 / run.elapsed.as_secs_f64(),
        );
        self.row(row.note(run.latency_note()));
        Ok(())
    }

    pub(super) async fn memory(&mut self, world: &World) -> Result<()> {
        let counts = world.place().counts().await?;
        let size = world.place().size().await?;
        let row = Row::new(
            Section::Memory,
            "RssAnon of the server at the end",
            Unit::Mebibytes,
            world.node.server.anonymous_memory()? as f64 / MEBIBYTE,
        );
        self.row(row.target(Target::AtMost(100.0)).note(format!(
            "{} users, {} member rows, {} memberships, {} events; database {:.0} MiB",
            counts["source_user"],
            counts["group_member"],
            counts["membership"],
            counts["event"],
            size as f64 / MEBIBYTE
        )));
        Ok(())
    }
}
