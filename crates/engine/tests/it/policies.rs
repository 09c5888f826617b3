//! Rules: the first ones at once, later ones as a plan.

use usher_core::{EndReason, GuestMark, Levels};
use usher_engine::plan::Outcome;
use usher_engine::policy_plan::Adopted;
use usher_engine::{EngineError, EventKind, Policy, SourcePolicy, UserData};

use crate::world::{Terms, World, policy, refused, user_data};

impl World {
    async fn adopt(&self, policy: &Policy) -> Adopted {
        let policy = policy.clone();
        self.hand(move |unit| {
            let policy = policy.clone();
            Box::pin(async move { unit.adopt_or_propose(&policy).await })
        })
        .await
        .unwrap()
    }

    async fn confirm_rules(&self, digest: &str) -> Result<(), EngineError> {
        let digest = digest.to_owned();
        self.hand(move |unit| {
            let digest = digest.clone();
            Box::pin(async move { unit.confirm_policy(&digest).await })
        })
        .await
    }

    async fn rules(&self) -> Policy {
        let engine = self.engine.clone();
        self.read(move |tx| {
            let engine = engine.clone();
            Box::pin(async move { Ok((*engine.policy(tx).await?).clone()) })
        })
        .await
    }
}

#[tokio::test]
async fn harmless_keys_apply_at_once_and_the_same_rules_change_nothing() {
    let world = World::new().await;
    assert_eq!(world.adopt(&policy()).await, Adopted::Unchanged);
    let mut new = policy();
    new.sso_url = Some("https://portal.example/sso".into());
    new.brake.endings = 3;
    new.sources.insert(
        "second".parse().unwrap(),
        SourcePolicy::from(&usher_core::PushProfile::default()),
    );
    assert_eq!(world.adopt(&new).await, Adopted::InForce);
    assert_eq!(world.rules().await, new);
    assert_eq!(world.adopt(&new).await, Adopted::Unchanged);
    assert_eq!(world.adopt(&policy()).await, Adopted::InForce);
    let kept = world.rules().await;
    assert_eq!(kept.sources.len(), 2, "a frozen source keeps its rules");
    assert!(world.engine.plan_policy().await.unwrap().is_none());
}

#[tokio::test]
async fn other_domains_wait_as_a_plan_that_names_who_comes_and_who_goes() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let anna = world.user("anna").await;
    let bob = world
        .user_of(UserData {
            emails: vec!["bob@fabrikam.com".into()],
            ..user_data("bob")
        })
        .await;
    let group = world.group("Board", &[anna, bob]).await;
    world.map(group, room).await;
    let before = world.member(room, anna.person).await.unwrap();
    assert!(world.member(room, bob.person).await.is_none());

    let mut new = policy();
    new.domains = vec!["fabrikam.com".into()];
    new.sso_url = Some("https://portal.example/sso".into());
    let waiting = Adopted::Proposed {
        waiting: vec!["domains".into()],
    };
    assert_eq!(world.adopt(&new).await, waiting);
    assert_eq!(world.adopt(&new).await, waiting);
    assert_eq!(world.events(EventKind::PolicyProposed).await.len(), 1);
    assert_eq!(world.rules().await.domains, ["contoso.com"]);
    assert_eq!(
        world.rules().await.sso_url,
        new.sso_url,
        "what is harmless does not wait"
    );
    assert!(world.member(room, anna.person).await.is_some());

    let plan = world.engine.plan_policy().await.unwrap().unwrap();
    assert_eq!((plan.into_scope, plan.out_of_scope), (1, 1));
    assert_eq!(plan.people.first(Outcome::Joins)[0].person, bob.person);
    assert_eq!(plan.people.first(Outcome::Leaves)[0].person, anna.person);
    let carl = world
        .user_of(UserData {
            emails: vec!["carl@fabrikam.com".into()],
            ..user_data("carl")
        })
        .await;
    world.add(group, &[carl]).await;
    let overtaken = world.confirm_rules(&plan.digest).await;
    assert!(matches!(overtaken, Err(EngineError::PlanChanged { .. })));
    let plan = world.engine.plan_policy().await.unwrap().unwrap();
    world.confirm_rules(&plan.digest).await.unwrap();
    assert_eq!(world.rules().await, new);
    assert_eq!(world.end_reason(before.id).await, Some(EndReason::OutOfScope));
    assert_eq!(world.inside(room).await.len(), 2);
    assert_eq!(refused(world.confirm_rules(&plan.digest).await), "no_proposal");
}

#[tokio::test]
async fn a_configuration_that_is_put_back_withdraws_the_proposal() {
    let world = World::new().await;
    let mut new = policy();
    let rules = new.sources.values_mut().next().unwrap();
    rules.guest_marks = vec![GuestMark::UserType("Guest".into())];
    assert!(matches!(world.adopt(&new).await, Adopted::Proposed { .. }));
    assert!(world.engine.plan_policy().await.unwrap().is_some());
    assert_eq!(world.adopt(&policy()).await, Adopted::Unchanged);
    assert!(world.engine.plan_policy().await.unwrap().is_none());
}

#[tokio::test]
async fn a_guest_mark_is_read_from_the_whole_resource() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let guest = world
        .user_of(UserData {
            user_type: Some("Guest".into()),
            resource: "{\"userName\":\"gus\",\"userType\":\"Guest\"}".into(),
            ..user_data("gus")
        })
        .await;
    let group = world.group("Board", &[guest]).await;
    world.map(group, room).await;
    assert!(world.member(room, guest.person).await.is_some());
    let mut new = policy();
    let rules = new.sources.values_mut().next().unwrap();
    rules.guest_marks.push(GuestMark::UserType("guest".into()));
    world.adopt(&new).await;
    let plan = world.engine.plan_policy().await.unwrap().unwrap();
    assert_eq!(plan.people.count(Outcome::Leaves), 1);
    world.confirm_rules(&plan.digest).await.unwrap();
    assert!(world.member(room, guest.person).await.is_none());
}

#[tokio::test]
async fn a_level_that_goes_is_counted_and_its_administrators_are_none_any_more() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let anna = world.user("anna").await;
    let group = world.group("Board", &[anna]).await;
    world.map(group, room).await;
    let membership = world.member(room, anna.person).await.unwrap();
    world.give_level(membership.id, "user_management").await.unwrap();
    let levels = Levels::default()
        .iter()
        .filter(|level| level.key != "user_management")
        .cloned()
        .collect();
    let new = Policy {
        levels: Levels::new(levels).unwrap(),
        ..policy()
    };
    world.adopt(&new).await;
    let plan = world.engine.plan_policy().await.unwrap().unwrap();
    assert_eq!(plan.invalid_levels.get("user_management"), Some(&1));
    world.confirm_rules(&plan.digest).await.unwrap();
    let kept = world.member(room, anna.person).await.unwrap();
    assert_eq!(
        (kept.level.as_str(), kept.administrator),
        ("user_management", false)
    );
    assert!(world.room_row(room).await.no_administrator_since.is_some());
}

#[tokio::test]
async fn a_mapping_does_not_start_people_at_a_level_that_is_gone() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let group = world.group("Board", &[]).await;
    let terms = Terms {
        level: "user",
        ..Terms::default()
    };
    let mapping = world.map_with(group, room, terms).await;
    let levels = Levels::default()
        .iter()
        .filter(|level| level.key != "user")
        .cloned()
        .collect();
    let new = Policy {
        levels: Levels::new(levels).unwrap(),
        ..policy()
    };
    world.adopt(&new).await;
    let plan = world.engine.plan_policy().await.unwrap().unwrap();
    assert_eq!(plan.mappings_lowered, [mapping]);
    world.confirm_rules(&plan.digest).await.unwrap();
    let anna = world.user("anna").await;
    world.add(group, &[anna]).await;
    assert_eq!(
        world.member(room, anna.person).await.unwrap().level,
        "restricted_user"
    );
}
