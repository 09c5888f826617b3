//! In which order things arrive does not matter.

use std::collections::BTreeSet;

use proptest::prelude::*;
use usher_core::{EndReason, MembershipKind, Reactivation, SourceUserId};
use usher_engine::MemberName;
use usher_engine::MembersChange;
use usher_storage::query;
use uuid::Uuid;

use super::model::Model;
use super::steps::{GROUPS, Play, ROOMS, USERS};
use super::{cases, run};
use crate::world::{Account, Terms, World, user_data};

/// One fact of a directory that only grows.
#[derive(Debug, Clone)]
enum Fact {
    /// The user, and whether it is active.
    User(usize, bool),
    /// The group has the member, who may not have come yet.
    Member(usize, usize),
    /// The group leads to the room.
    Mapping(usize, usize),
}

fn facts() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    let users = prop::collection::vec(any::<bool>(), USERS);
    let members = prop::collection::btree_set((0..GROUPS, 0..USERS), 0..12);
    let mappings = prop::collection::btree_set((0..GROUPS, 0..ROOMS), 0..5);
    (users, members, mappings).prop_flat_map(|(users, members, mappings)| {
        let users = users
            .into_iter()
            .enumerate()
            .map(|(place, active)| Fact::User(place, active));
        let facts: Vec<Fact> = users
            .chain(members.into_iter().map(|(group, user)| Fact::Member(group, user)))
            .chain(
                mappings
                    .into_iter()
                    .map(|(group, room)| Fact::Mapping(group, room)),
            )
            .collect();
        (Just(facts.clone()).prop_shuffle(), Just(facts).prop_shuffle())
    })
}

/// Tells the facts in their order; answers who is in which room.
async fn told(facts: &[Fact]) -> BTreeSet<(usize, usize)> {
    let play = Play::new(Reactivation::Restore, false).await;
    let id = |place: usize| SourceUserId::from_uuid(Uuid::from_u128(0xabc0 + place as u128));
    let (world, model): (&World, &Model) = (&play.world, &play.model);
    let mut people = [None; USERS];
    for fact in facts {
        match *fact {
            Fact::User(place, active) => {
                let source = world.source;
                let row = world
                    .push(move |unit| {
                        let mut data = user_data(&format!("u{place}"));
                        data.active = active;
                        Box::pin(async move { unit.create_user(source, id(place), data).await })
                    })
                    .await
                    .unwrap();
                people[place] = Some(row.person);
            }
            Fact::Member(group, place) => {
                let member = MemberName {
                    value: id(place).to_string(),
                    kind: None,
                };
                world
                    .members(model.groups[&group], MembersChange::Add(vec![member]))
                    .await;
            }
            Fact::Mapping(group, room) => {
                world.map(model.groups[&group], play.rooms[room]).await;
            }
        }
    }
    let mut inside = BTreeSet::new();
    for (index, room) in play.rooms.iter().enumerate() {
        for member in world.inside(*room).await {
            let place = people.iter().position(|person| *person == Some(member.person));
            inside.insert((index, place.expect("a member is one of the users")));
        }
    }
    inside
}

/// What happens to one person.
#[derive(Debug, Clone)]
enum Deed {
    SetActive(bool),
    Add(usize),
    Remove(usize),
    Level(usize),
    Delete,
    Create,
}

/// Who does what, in order.
type Deeds = Vec<(usize, Deed)>;

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => any::<bool>().prop_map(Deed::SetActive),
        4 => (0..GROUPS).prop_map(Deed::Add),
        3 => (0..GROUPS).prop_map(Deed::Remove),
        1 => (0..ROOMS).prop_map(Deed::Level),
        1 => Just(Deed::Delete),
        1 => Just(Deed::Create),
    ]
}

/// Deeds of several people, in two orders that each keep every person's own.
fn interleaved() -> impl Strategy<Value = (Deeds, Deeds)> {
    prop::collection::vec(prop::collection::vec(deed(), 0..8), 3).prop_flat_map(|deeds| {
        let turns: Vec<usize> = deeds
            .iter()
            .enumerate()
            .flat_map(|(place, deeds)| vec![place; deeds.len()])
            .collect();
        let in_turn = move |turns: Vec<usize>| {
            let mut left: Vec<_> = deeds.clone().into_iter().map(Vec::into_iter).collect();
            turns
                .into_iter()
                .filter_map(|place| Some((place, left[place].next()?)))
                .collect::<Deeds>()
        };
        let one = in_turn(turns.clone());
        (Just(one), Just(turns).prop_shuffle().prop_map(in_turn))
    })
}

type Stays = Vec<(usize, MembershipKind, String, Option<EndReason>, usize)>;

/// Does the deeds in their order; answers the whole history of each person.
async fn done(deeds: &[(usize, Deed)]) -> Vec<Stays> {
    let play = Play::new(Reactivation::Dormant, false).await;
    let world = &play.world;
    for (group, room) in [(0, 0), (1, 0), (1, 1)] {
        world
            .map_with(play.model.groups[&group], play.rooms[room], Terms::default())
            .await;
    }
    let mut accounts: Vec<Option<Account>> = Vec::new();
    let mut people = Vec::new();
    for place in 0..3 {
        let account = world.user(&format!("u{place}")).await;
        people.push(account.person);
        accounts.push(Some(account));
    }
    for (place, deed) in deeds {
        match (deed, accounts[*place]) {
            (Deed::Create, None) => accounts[*place] = Some(world.user(&format!("u{place}")).await),
            (Deed::SetActive(active), Some(account)) => world.set_active(account, *active).await,
            (Deed::Add(group), Some(account)) => world.add(play.model.groups[group], &[account]).await,
            (Deed::Remove(group), Some(account)) => world.remove(play.model.groups[group], &[account]).await,
            (Deed::Level(room), Some(account)) => {
                if let Some(member) = world.member(play.rooms[*room], account.person).await {
                    world.give_level(member.id, "user").await.unwrap();
                }
            }
            (Deed::Delete, Some(account)) => {
                world.delete_user(account).await;
                accounts[*place] = None;
            }
            (Deed::Create, Some(_)) | (_, None) => {}
        }
    }
    let mut histories = Vec::new();
    for person in people {
        let rows = world
            .read(move |tx| Box::pin(async move { Ok(query::membership::of_person(tx, person).await?) }))
            .await;
        let mut stays = Stays::new();
        for row in rows {
            let room = play.rooms.iter().position(|room| *room == row.room).unwrap();
            let periods = world.periods(row.id).await.len();
            stays.push((room, row.kind, row.level, row.end_reason, periods));
        }
        stays.sort();
        histories.push(stays);
    }
    histories
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn desired_does_not_depend_on_the_order_of_arrival((one, other) in facts()) {
        run(async move {
            let expected: BTreeSet<(usize, usize)> = one
                .iter()
                .filter_map(|fact| match fact {
                    Fact::Mapping(group, room) => Some((*group, *room)),
                    _ => None,
                })
                .flat_map(|(group, room)| {
                    one.iter().filter_map(move |fact| match fact {
                        Fact::Member(of, user) if *of == group => Some((room, *user)),
                        _ => None,
                    })
                })
                .filter(|(_, user)| {
                    one.iter()
                        .any(|fact| matches!(fact, Fact::User(place, true) if place == user))
                })
                .collect();
            assert_eq!(told(&one).await, expected);
            assert_eq!(told(&other).await, expected);
        });
    }

    #[test]
    fn what_happens_to_different_people_may_happen_in_any_order((one, other) in interleaved()) {
        run(async move {
            assert_eq!(done(&one).await, done(&other).await);
        });
    }
}
