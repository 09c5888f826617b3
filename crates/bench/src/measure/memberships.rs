//! Memberships in PATCHes of 100, the shape of a first synchronisation, beside the database alone with the same rows.

use anyhow::Result;
use uuid::Uuid;

use super::{Bench, Section, progress};
use crate::ceiling::Ceiling;
use crate::engine::Engine;
use crate::report::{Row, Target, Unit};
use crate::scim;
use crate::world::World;

/// Members in one PATCH.
const PATCH: usize = 100;

/// A way to push the same number of memberships.
struct Way {
    what: &'static str,
    mapped: bool,
    in_order: bool,
    one_operation: bool,
    one_at_a_time: bool,
    judged: bool,
}

const PLAIN: Way = Way {
    what: "",
    mapped: true,
    in_order: true,
    one_operation: true,
    one_at_a_time: false,
    judged: false,
};

const WAYS: &[Way] = &[
    Way {
        what: "mapped, creation order",
        judged: true,
        ..PLAIN
    },
    Way {
        what: "mapped, creation order, one group after another",
        one_at_a_time: true,
        ..PLAIN
    },
    Way {
        what: "mapped, creation order, 100 operations of one member",
        one_operation: false,
        ..PLAIN
    },
    Way {
        what: "mapped, random order",
        in_order: false,
        ..PLAIN
    },
    Way {
        what: "unmapped, creation order",
        mapped: false,
        ..PLAIN
    },
    Way {
        what: "unmapped, random order",
        mapped: false,
        in_order: false,
        ..PLAIN
    },
];

impl Bench {
    /// Where this is only there to be compared with, the judged way alone, and without its ceiling.
    pub(super) async fn memberships(&mut self, world: &mut World) -> Result<()> {
        let ceiling = match self.compared {
            true => None,
            false => Some(Ceiling::create(world, self.postgres.as_ref(), self.sizes.in_flight).await?),
        };
        let compared = self.compared;
        for way in WAYS.iter().filter(|way| way.judged || !compared) {
            progress(&format!("memberships: {}", way.what));
            self.push(world, ceiling.as_ref(), way).await?;
        }
        Ok(())
    }

    async fn push(&mut self, world: &mut World, ceiling: Option<&Ceiling>, way: &Way) -> Result<()> {
        let (count, size) = (self.sizes.groups, self.sizes.group_size);
        let groups = if way.mapped {
            world.create_mapped_groups(count).await?
        } else {
            world.create_groups(count).await?
        };
        if let Some(ceiling) = ceiling {
            ceiling.copy_parents(world).await?;
        }
        let patches = patches(
            &members(&world.users[..self.sizes.users], &groups, size, way.in_order),
            way,
        );
        let in_flight = if way.one_at_a_time {
            1
        } else {
            self.sizes.in_flight
        };
        let mark = world.place().mark().await?;
        let before = self.spent(world).await?;
        let run = world.patch_groups(&patches, in_flight).await?;
        let cost = self.since(&before, world, &run).await?;

        let what = format!("{}, {in_flight} in flight", way.what);
        if let Some(ceiling) = ceiling {
            let replay = ceiling.replay(world, &mark, 1).await?;
            let memberships = patches.len() * PATCH;
            let mut row = Row::new(
                Section::Memberships,
                &*what,
                Unit::PerSecond,
                memberships as f64 / run.elapsed.as_secs_f64(),
            )
            .ceiling(Some(replay.rate("group_member")))
            .note(format!(
                "{:.1} ms CPU, {} and {:.0} rows a PATCH",
                run.cpu_ms(),
                cost.note(),
                replay.rows_per_transaction()
            ))
            .note(run.latency_note());
            if way.judged && self.engine == Engine::Sqlite {
                row = row
                    .target(Target::ShareOfCeiling(0.35))
                    .target(Target::AtLeast(10_000.0))
                    .note("aim 20,000/s");
            }
            self.row(row);
        }
        if way.judged {
            self.beside(
                Section::Memberships,
                &format!("PATCH of {PATCH} members, {what}"),
                cost,
            );
        }
        Ok(())
    }
}

/// Who goes into each group. In order, a group's people follow each other as they were created.
fn members(users: &[Uuid], groups: &[Uuid], size: usize, in_order: bool) -> Vec<(Uuid, Vec<Uuid>)> {
    let shuffled;
    let users = if in_order {
        users
    } else {
        shuffled = shuffle(users);
        &shuffled
    };
    groups
        .iter()
        .enumerate()
        .map(|(place, group)| {
            // Where there are too few people for all groups, they are in several.
            let people = users
                .iter()
                .cycle()
                .skip(place * size % users.len().max(1))
                .take(size);
            (*group, people.copied().collect())
        })
        .collect()
}

/// PATCHes that go round the groups, so that several in flight are for different ones; or group by group.
fn patches(members: &[(Uuid, Vec<Uuid>)], way: &Way) -> Vec<(Uuid, String)> {
    let body = |users: &[Uuid]| {
        if way.one_operation {
            scim::members("Add", users)
        } else {
            scim::members_one_by_one("Add", users)
        }
    };
    if way.one_at_a_time {
        return members
            .iter()
            .flat_map(|(group, users)| users.chunks_exact(PATCH).map(|users| (*group, body(users))))
            .collect();
    }
    let rounds = members.first().map_or(0, |(_, users)| users.len() / PATCH);
    (0..rounds)
        .flat_map(|round| {
            members
                .iter()
                .map(move |(group, users)| (*group, &users[round * PATCH..(round + 1) * PATCH]))
        })
        .map(|(group, users)| (group, body(users)))
        .collect()
}

/// The same people in another order, the same one in each run.
fn shuffle(users: &[Uuid]) -> Vec<Uuid> {
    let mut shuffled = users.to_vec();
    let mut state: u64 = 0x5eed;
    for place in (1..shuffled.len()).rev() {
        // Knuth's 64-bit linear congruential generator; its upper bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = (state >> 33) as usize % (place + 1);
        shuffled.swap(place, other);
    }
    shuffled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(count: u128) -> Vec<Uuid> {
        (1..=count).map(Uuid::from_u128).collect()
    }

    #[test]
    fn nobody_is_twice_in_a_group_and_every_group_is_full() {
        let groups = users(5);
        for in_order in [true, false] {
            for (_, mut people) in members(&users(700), &groups, 300, in_order) {
                people.sort_unstable();
                people.dedup();
                assert_eq!(people.len(), 300);
            }
        }
    }

    #[test]
    fn patches_go_round_the_groups_and_hold_everybody_once() {
        let groups = users(2);
        let members = members(&users(600), &groups, 300, true);
        let order = |way: &Way| -> Vec<Uuid> { patches(&members, way).iter().map(|patch| patch.0).collect() };
        let (a, b) = (groups[0], groups[1]);
        assert_eq!(order(&PLAIN), [a, b, a, b, a, b]);
        let in_turn = Way {
            one_at_a_time: true,
            ..PLAIN
        };
        assert_eq!(order(&in_turn), [a, a, a, b, b, b]);
        let all = patches(&members, &PLAIN)
            .iter()
            .map(|patch| patch.1.matches("\"value\":\"").count())
            .sum::<usize>();
        assert_eq!(all, 600);
    }

    #[test]
    fn a_shuffle_keeps_everybody() {
        let before = users(1000);
        let mut after = shuffle(&before);
        assert_ne!(after, before);
        after.sort_unstable();
        assert_eq!(after, before);
    }
}
