//! Sources come, freeze, thaw and retire.

use usher_core::{EndReason, Mode, SourceState, Stray};
use usher_engine::plan::Outcome;
use usher_engine::source::ConfiguredSource;
use usher_engine::{EngineError, EventKind};

use crate::world::{World, refused};

fn configured(name: &str, tenant: Option<&str>) -> ConfiguredSource {
    ConfiguredSource {
        name: name.parse().unwrap(),
        kind: "scim".into(),
        mode: Mode::Push,
        tenant: tenant.map(Into::into),
    }
}

impl World {
    async fn configure(&self, sources: Vec<ConfiguredSource>) -> Result<(), EngineError> {
        self.hand(move |unit| {
            let sources = sources.clone();
            Box::pin(async move { unit.register_sources(&sources).await })
        })
        .await
    }

    async fn source_state(&self, name: &str) -> SourceState {
        let sources = self.engine.sources().await.unwrap();
        sources.iter().find(|source| source.name == name).unwrap().state
    }

    async fn retire_source(&self, digest: &str) -> Result<(), EngineError> {
        let digest = digest.to_owned();
        self.hand(move |unit| {
            let digest = digest.clone();
            Box::pin(async move { unit.retire_source(&"idp".parse().unwrap(), &digest).await })
        })
        .await
    }
}

#[tokio::test]
async fn a_source_that_disappears_freezes_and_nobody_ends() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let anna = world.user("anna").await;
    let group = world.group("Board", &[anna]).await;
    world.map(group, room).await;
    world.configure(vec![configured("other", None)]).await.unwrap();
    assert_eq!(world.source_state("idp").await, SourceState::Frozen);
    assert_eq!(world.source_state("other").await, SourceState::Active);
    assert!(world.member(room, anna.person).await.is_some());
    world
        .configure(vec![configured("other", None), configured("idp", None)])
        .await
        .unwrap();
    assert_eq!(world.source_state("idp").await, SourceState::Active);
    let count = world.all_events().await.len();
    world
        .configure(vec![configured("idp", None), configured("other", None)])
        .await
        .unwrap();
    assert_eq!(
        world.all_events().await.len(),
        count,
        "the same again says nothing"
    );
    for (kind, times) in [
        (EventKind::SourceAdded, 1),
        (EventKind::SourceFrozen, 1),
        (EventKind::SourceThawed, 1),
    ] {
        assert_eq!(world.events(kind).await.len(), times, "{kind:?}");
    }
}

#[tokio::test]
async fn a_tenant_is_pinned_at_first_use() {
    let world = World::new().await;
    world
        .configure(vec![configured("idp", Some("tenant-1"))])
        .await
        .unwrap();
    world.configure(vec![configured("idp", None)]).await.unwrap();
    let other = world
        .configure(vec![configured("new", None), configured("idp", Some("tenant-2"))])
        .await;
    assert_eq!(refused(other), "source_tenant_changed");
    let sources = world.engine.sources().await.unwrap();
    assert_eq!(sources.len(), 1, "nothing of a refused configuration is taken");
    assert_eq!(sources[0].tenant.as_deref(), Some("tenant-1"));
}

#[tokio::test]
async fn retiring_a_source_shows_a_plan_first_and_ends_what_it_backed() {
    let mut policy = crate::world::policy();
    policy.brake.enabled = true;
    let world = World::with(policy).await;
    let (board, audit) = (world.room("Board").await, world.room("Audit").await);
    let mut people = Vec::new();
    for n in 0..15 {
        people.push(world.user(&format!("user{n}")).await);
    }
    let group = world.group("Board", &people).await;
    world.map(group, board).await;
    let other = world.group("Audit", &people[..2]).await;
    world.map(other, audit).await;
    let administrator = world.member(audit, people[0].person).await.unwrap();
    world
        .give_level(administrator.id, "user_management")
        .await
        .unwrap();

    let plan = world
        .engine
        .plan_retire_source("idp".parse().unwrap())
        .await
        .unwrap();
    assert_eq!((plan.mappings, plan.rooms, plan.leaves), (2, 2, 16));
    let kept: u64 = plan
        .first
        .iter()
        .map(|room| room.people.count(Outcome::KeptLastAdministrator))
        .sum();
    assert_eq!(kept, 1);
    world.remove(group, &people[14..]).await;
    let overtaken = world.retire_source(&plan.digest).await;
    assert!(matches!(overtaken, Err(EngineError::PlanChanged { .. })));
    let plan = world
        .engine
        .plan_retire_source("idp".parse().unwrap())
        .await
        .unwrap();
    let left = world.member(board, people[3].person).await.unwrap();
    world.retire_source(&plan.digest).await.unwrap();
    assert!(world.inside(board).await.is_empty());
    assert_eq!(world.end_reason(left.id).await, Some(EndReason::SourceRetired));
    let stays = world.inside(audit).await;
    assert_eq!(stays.len(), 1);
    assert_eq!(stays[0].stray, Some(Stray::LastAdministrator));
    assert_eq!(world.source_state("idp").await, SourceState::Retired);
    world.retire_source("whatever").await.unwrap();
    let back = world.configure(vec![configured("idp", None)]).await;
    assert_eq!(refused(back), "source_retired");
}
