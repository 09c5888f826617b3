//! A first synchronisation as a SCIM client does it: every user, then every member, with a server of its own.

use anyhow::Result;

use super::{Bench, Section, progress};
use crate::ceiling::Ceiling;
use crate::engine::Engine;
use crate::profile::Profile;
use crate::report::{Row, Target, Unit};
use crate::scim;

/// Members in one PATCH.
const PATCH: usize = 1_000;

/// Users in one transaction of the ceiling, which nobody waits for one by one.
const TOGETHER: usize = 100;

/// How much longer than the database alone it may take.
const LONGER: f64 = 3.0;

impl Bench {
    pub(super) async fn first_sync(&mut self) -> Result<()> {
        let (people, members) = (self.sizes.sync_users, self.sizes.sync_members);
        let (size, in_flight) = (self.sizes.sync_group, self.sizes.in_flight);
        let mut world = self.start(self.engine).await?;
        let profile = self.profiled(Section::FirstSync, &world)?;
        let ceiling = Ceiling::create(&world, self.postgres.as_ref(), in_flight).await?;
        ceiling.copy_parents(&world).await?;

        progress(&format!("first sync: {people} users"));
        let mark = world.place().mark().await?;
        let before = self.spent(&world).await?;
        let users = world.create_users(people, in_flight).await?;
        let cost = self.since(&before, &world, &users).await?;
        let users_alone = ceiling.replay(&world, &mark, TOGETHER).await?;
        let alone = match self.engine {
            Engine::Sqlite => "one by one".to_owned(),
            Engine::Postgres => format!("{TOGETHER} at a time"),
        };
        self.row(
            Row::new(
                Section::FirstSync,
                format!("{people} users, POST /Users, {in_flight} in flight"),
                Unit::PerSecond,
                users.rate(),
            )
            .ceiling(Some(users_alone.rate("source_user")))
            .note(format!("{:.3} ms CPU, {} a request", cost.cpu_ms, cost.note()))
            .note(format!("the ceiling writes users {alone}")),
        );

        progress(&format!("first sync: {members} members"));
        let groups = world.create_mapped_groups(members / size).await?;
        ceiling.copy_parents(&world).await?;
        let patches = rounds(&groups, &world.users, size);
        let mark = world.place().mark().await?;
        let before = self.spent(&world).await?;
        let joined = world.patch_groups(&patches, in_flight).await?;
        let cost = self.since(&before, &world, &joined).await?;
        progress("first sync: the ceiling");
        let joined_alone = ceiling.replay(&world, &mark, 1).await?;
        profile.map_or(Ok(()), Profile::finish)?;
        let each = PATCH.min(size);
        self.row(
            Row::new(
                Section::FirstSync,
                format!(
                    "{members} members of {} mapped groups, PATCHes of {each}, {in_flight} in flight",
                    groups.len()
                ),
                Unit::PerSecond,
                joined.rate() * each as f64,
            )
            .ceiling(Some(joined_alone.rate("group_member")))
            .note(format!(
                "{:.1} ms CPU, {} and {:.0} rows a request",
                cost.cpu_ms,
                cost.note(),
                joined_alone.rows_per_transaction()
            )),
        );

        let took = [&users, &joined].map(|run| run.elapsed.as_secs_f64());
        let alone = [&users_alone, &joined_alone].map(|replay| replay.elapsed.as_secs_f64());
        let row = Row::new(
            Section::FirstSync,
            "both together: time against the same rows written by the database alone",
            Unit::Ratio,
            took.iter().sum::<f64>() / alone.iter().sum::<f64>(),
        )
        .note(format!(
            "{:.1} s and {:.1} s against {:.1} s and {:.1} s",
            took[0], took[1], alone[0], alone[1]
        ));
        self.row(match self.engine {
            Engine::Sqlite => row,
            Engine::Postgres => row.target(Target::AtMost(LONGER)),
        });
        Ok(())
    }
}

/// PATCHes that go round the groups, so that those in flight are for different ones. Each group has people who follow each
/// other; where there are too few for all groups, they are in several.
fn rounds(groups: &[uuid::Uuid], users: &[uuid::Uuid], size: usize) -> Vec<(uuid::Uuid, String)> {
    let each = PATCH.min(size);
    (0..size / each)
        .flat_map(|round| {
            groups.iter().enumerate().map(move |(place, group)| {
                let first = (place * size + round * each) % users.len();
                let people: Vec<_> = users.iter().cycle().skip(first).take(each).copied().collect();
                (*group, scim::members("Add", &people))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_group_gets_everybody_of_its_own_once() {
        let ids = |count| (1..=count).map(Uuid::from_u128).collect::<Vec<_>>();
        let (groups, users) = (ids(3), ids(4_000));
        let patches = rounds(&groups, &users, 2_000);
        assert_eq!(patches.len(), 6);
        assert_eq!(patches[0].0, groups[0]);
        assert_eq!(patches[1].0, groups[1]);
        let of_third: BTreeSet<&str> = patches
            .iter()
            .filter(|patch| patch.0 == groups[2])
            .flat_map(|patch| patch.1.split("\"value\":\"").skip(1))
            .map(|rest| &rest[..36])
            .collect();
        assert_eq!(of_third.len(), 2_000);
    }
}
