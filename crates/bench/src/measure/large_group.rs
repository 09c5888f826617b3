//! One member into a large group and into a small one, in turns: the size must not matter.

use anyhow::Result;
use uuid::Uuid;

use super::{Bench, Section, progress};
use crate::load::median;
use crate::report::{Row, Target, Unit};
use crate::scim;
use crate::sizes::Sizes;
use crate::world::World;

/// One of the two groups, and who is new to it.
struct Side<'w> {
    group: Uuid,
    newcomers: &'w [Uuid],
    /// CPU of the server for one request, in milliseconds, for each block.
    cpu_ms: Vec<f64>,
    /// Statements for one request, for each block.
    statements: Vec<f64>,
}

/// How many users are new to one of the groups.
pub(super) const fn users(sizes: &Sizes) -> usize {
    2 * sizes.blocks * sizes.block
}

impl Bench {
    pub(super) async fn large_group(&mut self, world: &mut World) -> Result<()> {
        progress("large group: filling it");
        let groups = world.create_mapped_groups(2).await?;
        let (large, small) = (groups[0], groups[1]);
        let bulk = &world.users[..self.sizes.users];
        let filled = world
            .fill_group(large, &bulk[..self.sizes.large_group.min(bulk.len())])
            .await?;
        world
            .fill_group(small, &bulk[..self.sizes.small_group.min(bulk.len())])
            .await?;

        progress("large group: one member at a time");
        let newcomers = &world.users[self.spare(Section::LargeGroup)];
        let (to_large, to_small) = newcomers.split_at(newcomers.len() / 2);
        let side = |group, newcomers| Side {
            group,
            newcomers,
            cpu_ms: Vec::with_capacity(self.sizes.blocks),
            statements: Vec::with_capacity(self.sizes.blocks),
        };
        let mut sides = [side(large, to_large), side(small, to_small)];
        for block in 0..self.sizes.blocks {
            // Each side goes first as often as the other: what a block leaves behind is paid for by the next.
            if block % 2 == 1 {
                sides.reverse();
            }
            for side in &mut sides {
                self.block(world, side, block).await?;
            }
            if block % 2 == 1 {
                sides.reverse();
            }
            // Both keep their size; the removal is not measured.
            for side in &sides {
                let gone = scim::members("Remove", self.in_block(side.newcomers, block));
                world.patch_groups(&[(side.group, gone)], 1).await?;
            }
        }

        let [large, small] = sides;
        // Medians: jobs of the server's own run a statement now and then.
        let (per_large, per_small) = (median(large.statements), median(small.statements));
        let (cpu_large, cpu_small) = (median(large.cpu_ms), median(small.cpu_ms));
        let sizes = format!(
            "group of {} against {}",
            self.sizes.large_group, self.sizes.small_group
        );
        self.row(
            Row::new(
                Section::LargeGroup,
                format!("add one member, {sizes}: CPU"),
                Unit::Ratio,
                cpu_large / cpu_small,
            )
            .target(Target::AtMost(1.2))
            .note(format!(
                "{cpu_large:.3} ms against {cpu_small:.3} ms, medians of {} blocks of {} in turns",
                self.sizes.blocks, self.sizes.block
            )),
        );
        self.row(
            Row::new(
                Section::LargeGroup,
                format!("add one member, {sizes}: statements"),
                Unit::Ratio,
                per_large / per_small,
            )
            .target(Target::AtLeast(1.0))
            .target(Target::AtMost(1.0))
            .note(format!("{per_large:.2} against {per_small:.2}")),
        );
        let patch = 1000.min(self.sizes.large_group);
        self.row(Row::new(
            Section::LargeGroup,
            format!("filling the large group, PATCHes of {patch}, mapped, 1 in flight"),
            Unit::PerSecond,
            filled.rate() * patch as f64,
        ));
        Ok(())
    }

    async fn block(&self, world: &World, side: &mut Side<'_>, block: usize) -> Result<()> {
        let patches: Vec<_> = self
            .in_block(side.newcomers, block)
            .iter()
            .map(|user| (side.group, scim::members("Add", std::slice::from_ref(user))))
            .collect();
        let before = world.statements().await?;
        let run = world.patch_groups(&patches, self.sizes.in_flight).await?;
        let statements = world.statements().await? - before;
        side.statements.push(statements as f64 / patches.len() as f64);
        side.cpu_ms.push(run.cpu_ms());
        Ok(())
    }

    fn in_block<'w>(&self, newcomers: &'w [Uuid], block: usize) -> &'w [Uuid] {
        &newcomers[block * self.sizes.block..(block + 1) * self.sizes.block]
    }
}
