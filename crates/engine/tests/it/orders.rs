//! From the order to the room in use, with the traps on the way.

use usher_core::{
    EndReason, GroupNaming, HoldKind, MembershipKind, OrderId, OrderState, PersonId, RoomId, RoomModel,
    RoomState,
};
use usher_engine::mapping::{MappingPlan, Terms};
use usher_engine::order::{
    Acceptance, AdministratorState, BootstrapUser, Logo, Next, OrderFields, OrderStatus,
};
use usher_engine::plan::Outcome;
use usher_engine::{EngineError, EventKind, Finalise, Policy, UserData};
use usher_storage::query;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::order::OrderRow;

use crate::world::{Account, World, policy, refused, user_data};

pub(crate) fn rules() -> Policy {
    Policy {
        sso_url: Some("https://portal.example/sso/contoso".into()),
        bootstrap_due_days: 14,
        ..policy()
    }
}

pub(crate) fn fields(group: &str) -> OrderFields {
    OrderFields {
        customer: "Contoso AG".into(),
        room_name: "Board".into(),
        administrator: "Anna@contoso.com".into(),
        all_content: true,
        model: RoomModel::Closed,
        features: vec!["voting".into()],
        source: "idp".parse().unwrap(),
        group: group.into(),
        named_by: GroupNaming::Name,
        expected: 5,
    }
}

impl World {
    pub(crate) async fn order(&self, fields: OrderFields) -> Result<OrderRow, EngineError> {
        self.hand(move |unit| {
            let fields = fields.clone();
            Box::pin(async move { unit.create_order(fields, "rita@contoso.com").await })
        })
        .await
    }

    pub(crate) async fn submit(&self, id: OrderId) -> Result<OrderRow, EngineError> {
        self.hand(move |unit| Box::pin(async move { Ok(unit.submit_order(id).await?.0) }))
            .await
    }

    pub(crate) async fn accept(&self, id: OrderId) -> Result<OrderRow, EngineError> {
        self.hand(move |unit| {
            Box::pin(async move {
                let bootstrap = BootstrapUser {
                    name: "Set-up".into(),
                    email: "setup@vendor.example".into(),
                };
                let terms = Terms::default();
                unit.accept_order(id, Acceptance { bootstrap, terms }).await
            })
        })
        .await
    }

    pub(crate) async fn ready(&self, room: RoomId) {
        self.hand(move |unit| {
            Box::pin(async move {
                unit.room_ready(room, "p-1", "https://portal.example/rooms/1")
                    .await
            })
        })
        .await
        .unwrap();
    }

    /// Looks at the plan of the order's mapping and confirms it.
    pub(crate) async fn confirm(&self, order: OrderId) -> MappingPlan {
        let mapping = self.engine.order(order).await.unwrap().mapping.unwrap();
        let plan = self.engine.plan_mapping(mapping).await.unwrap();
        let digest = plan.digest.clone();
        self.hand(move |unit| {
            let digest = digest.clone();
            Box::pin(async move { unit.confirm_mapping(mapping, &digest).await })
        })
        .await
        .unwrap();
        plan
    }

    /// An order whose room is ready and whose mapping waits.
    pub(crate) async fn ready_order(&self, fields: OrderFields) -> (OrderId, RoomId) {
        let order = self.order(fields).await.unwrap();
        self.submit(order.id).await.unwrap();
        let order = self.accept(order.id).await.unwrap();
        let room = order.room.unwrap();
        self.ready(room).await;
        (order.id, room)
    }

    pub(crate) async fn order_state(&self, id: OrderId) -> OrderState {
        self.engine.order(id).await.unwrap().state
    }

    pub(crate) async fn status(&self, id: OrderId) -> OrderStatus {
        self.engine.order_status(id).await.unwrap()
    }

    async fn name_administrator(&self, id: OrderId, email: &'static str) -> Result<OrderRow, EngineError> {
        self.hand(move |unit| Box::pin(async move { unit.change_administrator(id, email).await }))
            .await
    }

    async fn people(&self, names: &[&str]) -> Vec<Account> {
        let mut people = Vec::new();
        for name in names {
            people.push(self.user(name).await);
        }
        people
    }

    async fn level(&self, room: RoomId, person: PersonId) -> Option<String> {
        Some(self.member(room, person).await?.level)
    }
}

/// The vendor's internal user in a room.
async fn vendor_inside(world: &World, room: RoomId) -> Option<MembershipRow> {
    let mut inside = world.inside(room).await;
    inside.retain(|membership| membership.kind == MembershipKind::Bootstrap);
    inside.pop()
}

#[tokio::test]
async fn a_room_goes_live_by_itself_when_its_named_administrator_arrives() {
    let world = World::with(rules()).await;
    let (order, room) = world.ready_order(fields("Board")).await;
    assert_eq!(world.order_state(order).await, OrderState::RoomReady);
    let bootstrap = vendor_inside(&world, room).await.unwrap();
    assert!(bootstrap.administrator);

    let plan = world.confirm(order).await;
    assert_eq!(plan.group.unwrap().candidates, 0, "the group has not come yet");
    assert_eq!(world.order_state(order).await, OrderState::MappingConfirmed);
    assert_eq!(world.status(order).await.next, Next::It);

    let people = world.people(&["bob", "anna"]).await;
    let (bob, anna) = (people[0], people[1]);
    let group = world.group("Board", &[bob]).await;
    assert_eq!(world.order_state(order).await, OrderState::Arriving);
    let status = world.status(order).await;
    assert_eq!((status.expected, status.arrived), (5, 1));
    assert!(status.last_arrival.is_some());
    assert_eq!(status.administrator, AdministratorState::NotInGroup);
    assert_eq!(status.next, Next::It);

    world.add(group, &[anna]).await;
    assert_eq!(world.order_state(order).await, OrderState::Live);
    let level = world.level(room, anna.person).await;
    assert_eq!(level.as_deref(), Some("user_management_all_content"));
    assert_eq!(
        world.level(room, bob.person).await.as_deref(),
        Some("restricted_user")
    );
    assert_eq!(world.end_reason(bootstrap.id).await, Some(EndReason::SetUpDone));
    let row = world.room_row(room).await;
    assert_eq!((row.state, row.arrival_limit), (RoomState::Live, None));
    assert_eq!(row.no_administrator_since, None);
    let live = world.events(EventKind::RoomLive).await;
    assert!(live[0].data.contains("https://portal.example/sso/contoso"));
    assert!(live[0].data.contains("rita@contoso.com"));
    let status = world.status(order).await;
    assert_eq!((status.next, status.bootstrap_due), (Next::Nobody, None));
    assert!(status.missing.is_empty());
}

#[tokio::test]
async fn a_group_that_came_before_the_mapping_was_parked_and_nothing_is_lost() {
    let world = World::with(rules()).await;
    let people = world.people(&["anna", "bob"]).await;
    world.group("Board", &people).await;
    assert_eq!(world.events(EventKind::GroupParked).await.len(), 1);
    let (order, room) = world.ready_order(fields("board")).await;
    assert_eq!(world.inside(room).await.len(), 1, "the bootstrap user alone");
    let plan = world.confirm(order).await;
    assert_eq!(plan.people.count(Outcome::Joins), 2);
    let administrator = plan.administrator.unwrap();
    assert_eq!(administrator.found, [(people[0].person, Outcome::Joins)]);
    assert_eq!(world.order_state(order).await, OrderState::Live);
    assert_eq!(world.inside(room).await.len(), 2);
}

#[tokio::test]
async fn more_people_than_expected_wait_for_an_approval() {
    let world = World::with(Policy {
        arrival_margin_percent: 10,
        ..rules()
    })
    .await;
    let people = world.people(&["a", "b", "c", "d", "e"]).await;
    world.group("Board", &people).await;
    let order = OrderFields {
        expected: 2,
        ..fields("Board")
    };
    let (order, room) = world.ready_order(order).await;
    let plan = world.confirm(order).await;
    assert_eq!(plan.people.count(Outcome::Joins), 3, "two and the margin");
    assert_eq!(plan.people.count(Outcome::BeyondExpected), 2);
    let status = world.status(order).await;
    assert_eq!((status.arrived, status.waiting), (3, 2));
    let holds = world
        .read(move |tx| {
            Box::pin(async move { Ok(query::hold::open_in_room(tx, room, HoldKind::Arrivals).await?) })
        })
        .await;
    assert_eq!(holds.len(), 1);
    let anna = world.user("anna").await;
    let late: Vec<_> = plan.people.first(Outcome::BeyondExpected).to_vec();
    assert_eq!(late.len(), 2);
    let group = plan.group.unwrap().id.unwrap();
    world.add(group, &[anna]).await;
    assert_eq!(
        world.status(order).await.administrator,
        AdministratorState::Waiting
    );
    assert_eq!(world.status(order).await.next, Next::Support);

    let hold = holds[0].id;
    let held = world
        .read(move |tx| {
            Box::pin(async move { usher_engine::hold::view(tx, hold, usher_engine::hold::EVERYBODY).await })
        })
        .await;
    assert_eq!(held.people.len(), 3);
    world
        .hand(move |unit| {
            let digest = held.digest.clone();
            Box::pin(async move { unit.approve_hold(hold, &digest).await })
        })
        .await
        .unwrap();
    assert_eq!(world.order_state(order).await, OrderState::Live);
    assert_eq!(world.inside(room).await.len(), 6);
    world.engine.run_due(10).await.unwrap();
    assert_eq!(world.room_row(room).await.arrival_limit, None);
}

#[tokio::test]
async fn an_administrator_is_found_when_the_source_corrects_the_address() {
    let world = World::with(rules()).await;
    let (order, room) = world.ready_order(fields("Board")).await;
    world.confirm(order).await;
    let anna = world.user("ana").await;
    world.group("Board", &[anna]).await;
    assert_eq!(world.order_state(order).await, OrderState::Arriving);
    world
        .change(anna, |data| {
            data.user_name = "anna@contoso.com".into();
            data.emails = vec!["anna@contoso.com".into()];
            data.resource = "{\"userName\":\"anna\"}".into();
        })
        .await;
    assert_eq!(world.order_state(order).await, OrderState::Live);
    assert!(world.member(room, anna.person).await.unwrap().administrator);
}

#[tokio::test]
async fn a_room_that_goes_live_does_not_let_in_those_who_wait_for_an_approval() {
    let world = World::with(rules()).await;
    let people = world.people(&["anna", "b", "c"]).await;
    world.group("Board", &people).await;
    let order = OrderFields {
        expected: 2,
        ..fields("Board")
    };
    let (order, room) = world.ready_order(order).await;
    world.confirm(order).await;
    assert_eq!(world.order_state(order).await, OrderState::Live);
    assert_eq!(world.inside(room).await.len(), 2);
    world.set_active(people[2], false).await;
    world.set_active(people[2], true).await;
    assert_eq!(world.inside(room).await.len(), 2);
    assert_eq!(world.room_row(room).await.arrival_limit, Some(2));
}

#[tokio::test]
async fn an_administrator_who_never_arrives_is_named_by_the_status() {
    let world = World::with(rules()).await;
    let (order, room) = world.ready_order(fields("Board")).await;
    let bob = world.user("bob").await;
    world.group("Board", &[bob]).await;
    world.confirm(order).await;
    let status = world.status(order).await;
    assert_eq!(status.state, OrderState::Arriving);
    assert_eq!(status.administrator, AdministratorState::NotSeen);
    assert!(
        status.missing[0].contains("anna@contoso.com"),
        "{:?}",
        status.missing
    );
    assert!(vendor_inside(&world, room).await.is_some());
    let early = world
        .hand(move |unit| Box::pin(async move { unit.finish_bootstrap(order).await }))
        .await;
    assert_eq!(refused(early), "no_administrator_yet");
    let early = world
        .hand(move |unit| Box::pin(async move { unit.go_live(order).await }))
        .await;
    assert_eq!(refused(early), "no_administrator_yet");

    world.name_administrator(order, "bob@contoso.com").await.unwrap();
    assert_eq!(world.order_state(order).await, OrderState::Live);
    assert!(world.member(room, bob.person).await.unwrap().administrator);
}

#[tokio::test]
async fn an_administrator_changed_before_arrival_is_the_new_one() {
    let world = World::with(rules()).await;
    let (order, room) = world.ready_order(fields("Board")).await;
    world.confirm(order).await;
    world.name_administrator(order, "bob@contoso.com").await.unwrap();
    let people = world.people(&["anna", "bob"]).await;
    let group = world.group("Board", &[people[0]]).await;
    assert_eq!(world.order_state(order).await, OrderState::Arriving);
    assert!(!world.member(room, people[0].person).await.unwrap().administrator);
    world.add(group, &[people[1]]).await;
    assert!(world.member(room, people[1].person).await.unwrap().administrator);
    let foreign = world.name_administrator(order, "eve@evil.example").await;
    assert_eq!(refused(foreign), "order_moved_on");
}

#[tokio::test]
async fn guided_steps_wait_for_a_person_and_keep_their_guards() {
    let world = World::with(Policy {
        finalise: Finalise::Guided,
        ..rules()
    })
    .await;
    let (order, room) = world.ready_order(fields("Board")).await;
    world.confirm(order).await;
    let people = world.people(&["anna", "bob"]).await;
    world.group("Board", &people).await;
    assert_eq!(world.order_state(order).await, OrderState::Finalising);
    let status = world.status(order).await;
    assert_eq!(
        (status.next, status.administrator),
        (Next::Support, AdministratorState::Inside)
    );
    let early = world
        .hand(move |unit| Box::pin(async move { unit.finish_bootstrap(order).await }))
        .await;
    assert_eq!(refused(early), "no_administrator_yet");

    world
        .hand(move |unit| Box::pin(async move { unit.raise_administrator(order).await }))
        .await
        .unwrap();
    world.name_administrator(order, "bob@contoso.com").await.unwrap();
    let lowered = world.level(room, people[0].person).await;
    assert_eq!(lowered.as_deref(), Some("restricted_user"));
    assert_eq!(world.order_state(order).await, OrderState::Finalising);

    world
        .hand(move |unit| Box::pin(async move { unit.raise_administrator(order).await }))
        .await
        .unwrap();
    let early = world
        .hand(move |unit| Box::pin(async move { unit.go_live(order).await }))
        .await;
    assert_eq!(refused(early), "bootstrap_inside");
    world
        .hand(move |unit| Box::pin(async move { unit.finish_bootstrap(order).await }))
        .await
        .unwrap();
    assert!(vendor_inside(&world, room).await.is_none());
    let live = world
        .hand(move |unit| Box::pin(async move { unit.go_live(order).await }))
        .await
        .unwrap();
    assert_eq!(live.state, OrderState::Live);
}

#[tokio::test]
async fn two_people_with_the_administrators_address_stop_the_automatic_way() {
    let world = World::with(rules()).await;
    let first = world.user("anna").await;
    let twin = UserData {
        user_name: "anna2".into(),
        external_id: Some("x-anna-2".into()),
        ..user_data("anna")
    };
    let second = world.user_of(twin).await;
    let (order, room) = world.ready_order(fields("Board")).await;
    world.group("Board", &[first, second]).await;
    let plan = world.confirm(order).await;
    assert_eq!(plan.administrator.unwrap().found.len(), 2);
    assert_eq!(world.order_state(order).await, OrderState::Arriving);
    assert_eq!(
        world.status(order).await.administrator,
        AdministratorState::Ambiguous
    );
    let alerts = world.events(EventKind::OrderAlert).await;
    assert!(alerts[0].data.contains("administrator_ambiguous"));
    let inside = world.member(room, first.person).await.is_some();
    let (inside, outside) = if inside { (first, second) } else { (second, first) };
    let wrong = world
        .hand(move |unit| Box::pin(async move { unit.bind_administrator(order, outside.person).await }))
        .await;
    assert_eq!(refused(wrong), "not_in_room");
    world
        .hand(move |unit| Box::pin(async move { unit.bind_administrator(order, inside.person).await }))
        .await
        .unwrap();
    assert_eq!(world.order_state(order).await, OrderState::Live);
}

#[tokio::test]
async fn duplicate_rooms_and_groups_are_refused_at_every_step() {
    let world = World::with(rules()).await;
    let draft = world.order(fields("Board")).await.unwrap();
    let other = world
        .order(OrderFields {
            room_name: "BOARD".into(),
            ..fields("Other")
        })
        .await
        .unwrap();
    world.submit(draft.id).await.unwrap();
    assert_eq!(refused(world.submit(other.id).await), "room_name_ordered");
    let same_group = OrderFields {
        room_name: "Audit".into(),
        ..fields("board")
    };
    assert_eq!(refused(world.order(same_group.clone()).await), "group_ordered");
    world.accept(draft.id).await.unwrap();
    assert_eq!(refused(world.order(same_group).await), "group_mapped");
    let same_room = OrderFields {
        room_name: "board".into(),
        ..fields("Third")
    };
    assert_eq!(refused(world.order(same_room).await), "room_name_taken");
}

#[tokio::test]
async fn fields_are_checked_one_by_one() {
    let world = World::with(rules()).await;
    type Edit = fn(&mut OrderFields);
    let wrong: [(&str, Edit); 9] = [
        ("administrator", |f| {
            f.administrator = "anna@private.example".into();
        }),
        ("administrator", |f| f.administrator = "anna".into()),
        ("customer", |f| f.customer = " ".into()),
        ("room_name", |f| f.room_name = "a\nb".into()),
        ("expected", |f| f.expected = 0),
        ("group", |f| f.group = String::new()),
        ("group", |f| f.named_by = GroupNaming::Id),
        ("features", |f| f.features = vec![String::new()]),
        ("features", |f| f.features = vec!["x".into(); 1000]),
    ];
    for (field, edit) in wrong {
        let mut order = fields("Board");
        edit(&mut order);
        match world.order(order).await {
            Err(EngineError::Invalid {
                field: named,
                problem,
            }) => {
                assert_eq!(named, field);
                assert!(!problem.is_empty());
            }
            other => panic!("{field}: {other:?}"),
        }
    }
    let unknown = OrderFields {
        source: "other".parse().unwrap(),
        ..fields("Board")
    };
    assert!(matches!(
        world.order(unknown).await,
        Err(EngineError::NotFound { what: "source", .. })
    ));
    let by_id = OrderFields {
        group: "6F9619FF-8B86-D011-B42D-00CF4FC964FF".into(),
        named_by: GroupNaming::Id,
        ..fields("")
    };
    assert!(world.order(by_id).await.is_ok());
}

#[tokio::test]
async fn a_withdrawn_order_leaves_no_room_behind_and_one_with_people_is_not_withdrawn() {
    let world = World::with(rules()).await;
    let (order, room) = world.ready_order(fields("Board")).await;
    world
        .hand(move |unit| Box::pin(async move { unit.withdraw_order(order, "changed our minds").await }))
        .await
        .unwrap();
    assert_eq!(world.room_row(room).await.state, RoomState::Archived);
    assert_eq!(world.order_state(order).await, OrderState::Withdrawn);

    let (order, _) = world.ready_order(fields("Board")).await;
    let bob = world.user("bob").await;
    world.group("Board", &[bob]).await;
    world.confirm(order).await;
    let late = world
        .hand(move |unit| Box::pin(async move { unit.reject_order(order, "too late").await }))
        .await;
    assert_eq!(refused(late), "people_inside");
}

#[tokio::test]
async fn an_order_says_who_acts_next_and_writes_its_mail() {
    let world = World::with(rules()).await;
    let order = world.order(fields("Board")).await.unwrap();
    assert_eq!(world.status(order.id).await.next, Next::Requester);
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><circle r='4'/></svg>";
    let logo = Logo::new(svg).unwrap();
    let id = order.id;
    world
        .hand(move |unit| {
            let logo = logo.clone();
            Box::pin(async move { unit.set_order_logo(id, Some(logo)).await })
        })
        .await
        .unwrap();
    world.submit(id).await.unwrap();
    assert_eq!(world.status(id).await.next, Next::Support);
    let mail = world.engine.order_mail(id).await.unwrap();
    for part in [
        "Contoso AG",
        "anna@contoso.com",
        "voting",
        "Expected people: 5",
        "Logo: in the order",
    ] {
        assert!(mail.body.contains(part), "{part} in {}", mail.body);
    }
    assert!(mail.mailto.starts_with("mailto:?subject=Order%20for"));
    assert_eq!(
        world.engine.order_logo(id).await.unwrap().unwrap().media_type(),
        "image/svg+xml"
    );
    let order = world.accept(id).await.unwrap();
    assert_eq!(world.status(id).await.next, Next::Portal);
    let again = world.accept(id).await.unwrap();
    assert_eq!(again.room, order.room, "accepting twice makes one room");
    let mapping = order.mapping.unwrap();
    let plan = world.engine.plan_mapping(mapping).await.unwrap();
    let early = world
        .hand(move |unit| {
            let digest = plan.digest.clone();
            Box::pin(async move { unit.confirm_mapping(mapping, &digest).await })
        })
        .await;
    assert_eq!(refused(early), "room_not_ready");
    let group = world.engine.order_group(id).await.unwrap();
    assert_eq!((group.candidates, group.members), (0, 0));
}
