//! Units that run at the same time end as if one had come after the other. On SQLite they do come so; PostgreSQL is where
//! these tests can fail.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;
use usher_core::{SourceGroupId, Stray};
use usher_engine::{Actor, BrakePolicy, Cause, EngineError, MembersChange, Policy, Unit};
use usher_storage::query;

use crate::world::{Account, Terms, World, named, policy, user_data};

impl World {
    /// One unit, as the source's, that others may run beside.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, EngineError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, EngineError> {
        let cause = Cause::new(Actor::Source("idp".into()));
        self.engine.write_beside(cause, work).await
    }
}

/// What the units of one client do, in a row that depends on its number alone.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

async fn change(w: &World, group: SourceGroupId, change: MembersChange) {
    let source = w.source;
    w.beside(move |unit| {
        let change = change.clone();
        Box::pin(async move {
            let row = query::group::by_id_for_change(unit.tx(), source, group).await?;
            unit.change_members(&row.unwrap(), vec![change]).await?;
            Ok(())
        })
    })
    .await
    .unwrap();
}

async fn set_active(w: &World, account: Account, active: bool) {
    let source = w.source;
    w.beside(move |unit| {
        Box::pin(async move {
            let before = query::user::by_id_for_change(unit.tx(), source, account.id).await?;
            let before = before.unwrap();
            let mut data = user_data("x");
            data.user_name.clone_from(&before.user_name);
            data.external_id.clone_from(&before.external_id);
            data.emails = before.email.clone().into_iter().collect();
            data.active = active;
            unit.update_user(&before, data).await?;
            Ok(())
        })
    })
    .await
    .unwrap();
}

fn remove(account: Account) -> MembersChange {
    MembersChange::Remove(vec![account.id.to_string()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_in_is_who_ought_to_be() {
    let w = Arc::new(World::new().await);
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(w.user(&format!("p{n}")).await);
    }
    let (first, second) = (w.group("first", &[]).await, w.group("second", &[]).await);
    let (one, both) = (w.room("one").await, w.room("both").await);
    w.map(first, one).await;
    w.map(first, both).await;
    w.map(second, both).await;

    let mut clients = JoinSet::new();
    for client in 0..8 {
        let (w, people) = (Arc::clone(&w), people.clone());
        clients.spawn(async move {
            let mut dice = Dice(client);
            for _ in 0..25 {
                let who = people[dice.roll(people.len())];
                let group = [first, second][dice.roll(2)];
                match dice.roll(5) {
                    0 | 1 => change(&w, group, MembersChange::Add(named(&[who]))).await,
                    2 => change(&w, group, remove(who)).await,
                    3 => set_active(&w, who, false).await,
                    _ => set_active(&w, who, true).await,
                }
            }
        });
    }
    clients.join_all().await;

    for who in people {
        let account = w.account(who.id).await;
        let mut is_in = Vec::new();
        for group in [first, second] {
            let member = w
                .read(move |tx| {
                    Box::pin(async move { Ok(query::group::has_member(tx, group, who.id).await?) })
                })
                .await;
            is_in.push(account.active && member);
        }
        let name = &account.user_name;
        assert_eq!(
            w.member(one, who.person).await.is_some(),
            is_in[0],
            "{name} in one"
        );
        assert_eq!(
            w.member(both, who.person).await.is_some(),
            is_in[0] || is_in[1],
            "{name} in both"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_with_one_address_one_gets_in() {
    for _ in 0..10 {
        let w = Arc::new(World::new().await);
        let room = w.room("board").await;
        let mut coming = JoinSet::new();
        for n in 0..2 {
            let group = w.group(&format!("group {n}"), &[]).await;
            w.map(group, room).await;
            let mut data = user_data(&format!("ada{n}"));
            data.emails = vec!["ada@contoso.com".into()];
            let who = w.user_of(data).await;
            let w = Arc::clone(&w);
            coming.spawn(async move { change(&w, group, MembersChange::Add(named(&[who]))).await });
        }
        coming.join_all().await;
        assert_eq!(w.inside(room).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_administrators_who_leave_one_stays() {
    for _ in 0..10 {
        let w = Arc::new(World::new().await);
        let room = w.room("board").await;
        let mut leaving = JoinSet::new();
        let mut groups = Vec::new();
        for n in 0..2 {
            let who = w.user(&format!("p{n}")).await;
            let group = w.group(&format!("group {n}"), &[who]).await;
            let terms = Terms {
                level: "user_management",
                ..Terms::default()
            };
            w.map_with(group, room, terms).await;
            groups.push((group, who));
        }
        for (group, who) in groups {
            let w = Arc::clone(&w);
            leaving.spawn(async move { change(&w, group, remove(who)).await });
        }
        leaving.join_all().await;
        let left = w.inside(room).await;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].stray, Some(Stray::LastAdministrator));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_brake_counts_endings_that_happen_at_once() {
    let w = Arc::new(
        World::with(Policy {
            brake: BrakePolicy {
                enabled: true,
                endings: 2,
                percent: 20,
                ..BrakePolicy::default()
            },
            ..policy()
        })
        .await,
    );
    let room = w.room("board").await;
    let mut leaving = JoinSet::new();
    let mut groups = Vec::new();
    for n in 0..10 {
        let who = w.user(&format!("p{n}")).await;
        let group = w.group(&format!("group {n}"), &[who]).await;
        w.map(group, room).await;
        groups.push((group, who));
    }
    for (group, who) in groups {
        let w = Arc::clone(&w);
        leaving.spawn(async move { change(&w, group, remove(who)).await });
    }
    leaving.join_all().await;
    let left = w.inside(room).await;
    let held = left
        .iter()
        .filter(|membership| membership.stray == Some(Stray::Held));
    assert_eq!((left.len(), held.count()), (8, 8));
    let holds: BTreeSet<_> = left.iter().filter_map(|membership| membership.hold).collect();
    assert_eq!(holds.len(), 1);
}

#[tokio::test]
async fn a_unit_that_has_to_be_alone_runs_again() {
    let w = World::new().await;
    let (source, who) = (w.source, w.user("ada").await);
    let row = w
        .beside(move |unit| {
            Box::pin(async move {
                let id = unit.id();
                let data = usher_engine::GroupData {
                    display_name: "board".into(),
                    external_id: None,
                    resource: "{}".into(),
                };
                unit.create_group(source, id, data, named(&[who])).await
            })
        })
        .await
        .unwrap();
    assert_eq!(row.member_count, 1);
    let refused = w
        .beside(|_unit| Box::pin(async { Err::<(), _>(EngineError::Conflict("no".into())) }))
        .await;
    assert!(matches!(refused, Err(EngineError::Conflict(_))));
}
