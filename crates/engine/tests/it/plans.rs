//! A plan says exactly what its confirmation does, whatever the directory looks like.

use std::collections::BTreeSet;

use proptest::prelude::*;
use usher_core::{GroupNaming, PersonId, RoomId};
use usher_engine::UserData;
use usher_engine::mapping::{MappingPlan, Terms};
use usher_engine::plan::Outcome;

use crate::world::{Account, World, user_data};

/// One account of a made-up directory, and the groups it is in.
#[derive(Debug, Clone)]
struct Somebody {
    /// Few addresses for many people, so that some share one.
    address: u8,
    kind: Kind,
    in_old: bool,
    in_new: bool,
    administers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usual,
    Foreign,
    Guest,
    Inactive,
}

fn somebody() -> impl Strategy<Value = Somebody> {
    let kind = prop_oneof![
        6 => Just(Kind::Usual),
        1 => Just(Kind::Foreign),
        1 => Just(Kind::Guest),
        1 => Just(Kind::Inactive),
    ];
    (
        0..12_u8,
        kind,
        any::<bool>(),
        any::<bool>(),
        proptest::bool::weighted(0.2),
    )
        .prop_map(|(address, kind, in_old, in_new, administers)| Somebody {
            address,
            kind,
            in_old,
            in_new,
            administers,
        })
}

impl World {
    async fn make(&self, n: usize, somebody: &Somebody) -> Account {
        let domain = match somebody.kind {
            Kind::Foreign => "fabrikam.com",
            _ => "contoso.com",
        };
        let guest = match somebody.kind {
            Kind::Guest => "#EXT#",
            _ => "",
        };
        let account = self
            .user_of(UserData {
                user_name: format!("user{n}{guest}"),
                external_id: Some(format!("x-{n}")),
                emails: vec![format!("a{}@{domain}", somebody.address)],
                ..user_data("x")
            })
            .await;
        if somebody.kind == Kind::Inactive {
            self.set_active(account, false).await;
        }
        account
    }

    async fn persons_inside(&self, room: RoomId) -> BTreeSet<PersonId> {
        let inside = self.inside(room).await;
        inside.into_iter().map(|membership| membership.person).collect()
    }
}

fn named(plan: &MappingPlan, outcome: Outcome) -> BTreeSet<PersonId> {
    let people = plan.people.first(outcome).iter();
    people.map(|person| person.person).collect()
}

async fn check(people: Vec<Somebody>, limit: Option<i64>) {
    let world = World::new().await;
    let room = world.room_for("Board", limit).await;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    let mut accounts = Vec::new();
    for (n, somebody) in people.iter().enumerate() {
        let account = world.make(n, somebody).await;
        old.extend(somebody.in_old.then_some(account));
        new.extend(somebody.in_new.then_some(account));
        accounts.push(account);
    }
    let old = world.group("Old", &old).await;
    let new = world.group("New", &new).await;

    let mapping = world
        .propose(room, world.group_ref(&old, GroupNaming::Id))
        .await
        .unwrap();
    let plan = world.engine.plan_mapping(mapping.id).await.unwrap();
    world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    assert_eq!(world.persons_inside(room).await, named(&plan, Outcome::Joins));

    for (somebody, account) in people.iter().zip(&accounts) {
        if somebody.administers
            && let Some(membership) = world.member(room, account.person).await
        {
            world.give_level(membership.id, "user_management").await.unwrap();
        }
    }
    let before = world.persons_inside(room).await;
    let to = world.group_ref(&new, GroupNaming::Id);
    let plan = world
        .engine
        .plan_replace_mapping(mapping.id, to.clone(), Terms::default())
        .await
        .unwrap();
    let digest = plan.digest.clone();
    let replaced = world
        .hand(move |unit| {
            let (digest, to) = (digest.clone(), to.clone());
            Box::pin(async move {
                unit.replace_mapping(mapping.id, to, Terms::default(), &digest)
                    .await
            })
        })
        .await
        .unwrap();
    let after = world.persons_inside(room).await;
    let joined: BTreeSet<_> = after.difference(&before).copied().collect();
    let left: BTreeSet<_> = before.difference(&after).copied().collect();
    assert_eq!(joined, named(&plan, Outcome::Joins), "{plan:?}");
    assert_eq!(left, named(&plan, Outcome::Leaves), "{plan:?}");

    let mapping = replaced.mapping.id;
    let plan = world.engine.plan_retire_mapping(mapping).await.unwrap();
    let digest = plan.digest.clone();
    world
        .hand(move |unit| {
            let digest = digest.clone();
            Box::pin(async move { unit.retire_mapping(mapping, &digest).await })
        })
        .await
        .unwrap();
    let last = world.persons_inside(room).await;
    assert_eq!(last, named(&plan, Outcome::KeptLastAdministrator), "{plan:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn confirming_does_what_the_plan_showed(
        people in proptest::collection::vec(somebody(), 0..24),
        limit in proptest::option::of(0..8_i64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(people, limit));
    }
}
