//! What the tests share: a deployment of their own with one source, and short words for what happens in it.

use std::sync::Arc;
use std::time::Duration;

use usher_core::{
    EndReason, GroupNaming, ManualClock, MappingId, MappingState, MembershipId, PersonId, Rejoin, Role,
    RoomId, RoomModel, RoomState, SourceGroupId, SourceState, SourceUserId, Timestamp, TokenId,
};
use usher_engine::{
    Actor, BrakePolicy, Cause, Engine, EngineError, EventKind, GroupData, MemberName, MembersChange, Policy,
    SourcePolicy, Unit, UserData,
};
use usher_storage::query::event::EventRow;
use usher_storage::query::group::GroupRow;
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::membership::{MembershipRow, PeriodRow};
use usher_storage::query::room::RoomRow;
use usher_storage::query::token::NewToken;
use usher_storage::query::user::UserRow;
use usher_storage::{SourceKey, Storage, StorageConfig, StorageError, query};
use usher_testpg::Place;

/// An account of the source, and the person behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account {
    pub(crate) id: SourceUserId,
    pub(crate) person: PersonId,
}

/// How a mapping is made; [`World::map`] takes the usual one.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) level: &'static str,
    pub(crate) rejoin: Rejoin,
    pub(crate) days: Option<u32>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            level: "restricted_user",
            rejoin: Rejoin::Ask,
            days: None,
        }
    }
}

/// A deployment of the organisation contoso.com with the source `idp`.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) source: SourceKey,
    _place: Place,
}

/// A human at the command line, with a reason.
pub(crate) fn by_hand() -> Cause {
    Cause {
        reason: Some("because the test says so".into()),
        ..Cause::new(Actor::Operator("olga".into()))
    }
}

/// The rules that most tests live by: no brake, accounts come back with their rows.
pub(crate) fn policy() -> Policy {
    let source = SourcePolicy {
        reactivation: usher_core::Reactivation::Restore,
        trusts_external_id: true,
        ..SourcePolicy::from(&usher_core::PushProfile::default())
    };
    Policy {
        domains: vec!["contoso.com".into()],
        brake: BrakePolicy {
            enabled: false,
            ..BrakePolicy::default()
        },
        sources: [("idp".parse().unwrap(), source)].into(),
        ..Policy::default()
    }
}

/// Data of a user whose address is `name@contoso.com`.
pub(crate) fn user_data(name: &str) -> UserData {
    let address = format!("{name}@contoso.com");
    UserData {
        user_name: address.clone(),
        external_id: Some(format!("x-{name}")),
        emails: vec![address],
        display_name: Some(name.to_owned()),
        active: true,
        user_type: None,
        guest: false,
        resource: format!("{{\"userName\":\"{name}\"}}"),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(policy()).await
    }

    pub(crate) async fn with(policy: Policy) -> Self {
        let place = Place::with_schema(fill).await.unwrap();
        let storage = open(&place.url()).await.unwrap();
        let clock = Arc::new(ManualClock::new("2026-01-31T09:00:00Z".parse().unwrap()));
        let engine = Engine::new(storage, Arc::clone(&clock) as Arc<dyn usher_core::Clock>);
        let source = engine
            .storage()
            .write(move |tx| {
                let policy = serde_json::to_string(&policy).unwrap();
                Box::pin(async move {
                    query::policy::put_in_force(tx, policy).await?;
                    let now = Timestamp::from_micros(0);
                    query::source::put(tx, "idp", "scim", "push", SourceState::Active, now).await
                })
            })
            .await
            .unwrap_or_else(|error: StorageError| panic!("{error}"));
        Self {
            engine,
            clock,
            source,
            _place: place,
        }
    }

    /// The same data under a clock that is so many seconds behind.
    pub(crate) fn behind(&self, seconds: u64) -> Engine {
        let then = self.engine.now().minus(Duration::from_secs(seconds));
        let clock = Arc::new(ManualClock::new(then)) as Arc<dyn usher_core::Clock>;
        Engine::new(self.engine.storage().clone(), clock)
    }

    /// Time passes before the next thing happens.
    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// One unit, as the source's.
    pub(crate) async fn push<T: Send + 'static>(
        &self,
        work: impl for<'a, 'u, 't> Fn(
            &'a mut Unit<'u, 't>,
        ) -> futures_util::future::BoxFuture<'a, Result<T, EngineError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, EngineError> {
        self.wait(1);
        self.engine
            .write(Cause::new(Actor::Source("idp".into())), work)
            .await
    }

    /// One unit, as a human's.
    pub(crate) async fn hand<T: Send + 'static>(
        &self,
        work: impl for<'a, 'u, 't> Fn(
            &'a mut Unit<'u, 't>,
        ) -> futures_util::future::BoxFuture<'a, Result<T, EngineError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, EngineError> {
        self.wait(1);
        self.engine.write(by_hand(), work).await
    }

    pub(crate) async fn user(&self, name: &str) -> Account {
        self.user_of(user_data(name)).await
    }

    pub(crate) async fn user_of(&self, data: UserData) -> Account {
        let source = self.source;
        let row = self
            .push(move |unit| {
                let data = data.clone();
                Box::pin(async move {
                    let id = unit.id();
                    unit.create_user(source, id, data).await
                })
            })
            .await
            .unwrap();
        Account {
            id: row.id,
            person: row.person,
        }
    }

    pub(crate) async fn account(&self, id: SourceUserId) -> UserRow {
        let source = self.source;
        let row: Option<UserRow> = self
            .read(move |tx| Box::pin(async move { Ok(query::user::by_id(tx, source, id).await?) }))
            .await;
        row.expect("the account is live")
    }

    /// Changes an account by editing what the source said of it.
    pub(crate) async fn change(
        &self,
        account: Account,
        edit: impl Fn(&mut UserData) + Send + Sync + 'static,
    ) {
        let before = self.account(account.id).await;
        self.push(move |unit| {
            let before = before.clone();
            let mut data = UserData {
                user_name: before.user_name.clone(),
                external_id: before.external_id.clone(),
                emails: before.email.clone().into_iter().collect(),
                display_name: before.display_name.clone(),
                active: before.active,
                user_type: None,
                guest: false,
                resource: before.resource.clone(),
            };
            edit(&mut data);
            Box::pin(async move { unit.update_user(&before, data).await })
        })
        .await
        .unwrap();
    }

    pub(crate) async fn set_active(&self, account: Account, active: bool) {
        self.change(account, move |data| data.active = active).await;
    }

    pub(crate) async fn delete_user(&self, account: Account) {
        let row = self.account(account.id).await;
        self.push(move |unit| {
            let row = row.clone();
            Box::pin(async move { unit.delete_user(&row).await })
        })
        .await
        .unwrap();
    }

    pub(crate) async fn group(&self, name: &str, members: &[Account]) -> SourceGroupId {
        let (source, name) = (self.source, name.to_owned());
        let members = named(members);
        self.push(move |unit| {
            let data = GroupData {
                display_name: name.clone(),
                external_id: None,
                resource: format!("{{\"displayName\":\"{name}\"}}"),
            };
            let members = members.clone();
            Box::pin(async move {
                let id = unit.id();
                Ok(unit.create_group(source, id, data, members).await?.id)
            })
        })
        .await
        .unwrap()
    }

    pub(crate) async fn members(&self, group: SourceGroupId, change: MembersChange) {
        let source = self.source;
        self.push(move |unit| {
            let change = change.clone();
            Box::pin(async move {
                let row: GroupRow = query::group::by_id(unit.tx(), source, group)
                    .await?
                    .expect("the group is live");
                unit.change_members(&row, vec![change]).await
            })
        })
        .await
        .unwrap();
    }

    pub(crate) async fn add(&self, group: SourceGroupId, members: &[Account]) {
        self.members(group, MembersChange::Add(named(members))).await;
    }

    pub(crate) async fn remove(&self, group: SourceGroupId, members: &[Account]) {
        let values = members.iter().map(|account| account.id.to_string()).collect();
        self.members(group, MembersChange::Remove(values)).await;
    }

    pub(crate) async fn delete_group(&self, group: SourceGroupId) {
        let source = self.source;
        self.push(move |unit| {
            Box::pin(async move {
                let row = query::group::by_id(unit.tx(), source, group)
                    .await?
                    .expect("the group is live");
                unit.delete_group(&row).await
            })
        })
        .await
        .unwrap();
    }

    pub(crate) async fn room(&self, name: &str) -> RoomId {
        self.room_for(name, None).await
    }

    /// A room that lets in so many without an approval.
    pub(crate) async fn room_for(&self, name: &str, arrival_limit: Option<i64>) -> RoomId {
        let name = name.to_owned();
        self.hand(move |unit| {
            let room = RoomRow {
                id: unit.id(),
                name: name.clone(),
                model: RoomModel::Closed,
                features: "[]".into(),
                state: RoomState::Live,
                portal_id: None,
                url: None,
                no_administrator_since: None,
                arrival_limit,
                version: 1,
                created: unit.now(),
            };
            Box::pin(async move {
                query::room::insert(unit.tx(), &room).await?;
                Ok(room.id)
            })
        })
        .await
        .unwrap()
    }

    pub(crate) async fn map(&self, group: SourceGroupId, room: RoomId) -> MappingId {
        self.map_with(group, room, Terms::default()).await
    }

    /// A confirmed mapping; everybody in the group is decided about.
    pub(crate) async fn map_with(&self, group: SourceGroupId, room: RoomId, terms: Terms) -> MappingId {
        let source = self.source;
        self.hand(move |unit| {
            let mapping = MappingRow {
                id: unit.id(),
                room,
                source,
                group: Some(group),
                group_ref: group.to_string(),
                named_by: GroupNaming::Id,
                level: terms.level.into(),
                rejoin: terms.rejoin,
                rejoin_days: terms.days,
                nested: false,
                additional: true,
                state: MappingState::Confirmed,
                created: unit.now(),
                confirmed: Some(unit.now()),
                retired: None,
                version: 1,
            };
            Box::pin(async move {
                query::mapping::insert(unit.tx(), &mapping).await?;
                for (_, person) in query::member::people(unit.tx(), group, None, u32::MAX).await? {
                    unit.touch(room, person);
                }
                Ok(mapping.id)
            })
        })
        .await
        .unwrap()
    }

    pub(crate) async fn set_room_state(&self, room: RoomId, state: RoomState) {
        self.hand(move |unit| {
            Box::pin(async move {
                let row = query::room::by_id(unit.tx(), room)
                    .await?
                    .expect("the room is there");
                query::room::update(unit.tx(), &RoomRow { state, ..row }).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    }

    pub(crate) async fn give_level(
        &self,
        membership: MembershipId,
        level: &str,
    ) -> Result<MembershipRow, EngineError> {
        let level = level.to_owned();
        self.hand(move |unit| {
            let level = level.clone();
            Box::pin(async move { unit.give_level(membership, &level, None).await })
        })
        .await
    }

    pub(crate) async fn end(
        &self,
        membership: MembershipId,
    ) -> Result<usher_engine::manual::Ended, EngineError> {
        self.hand(move |unit| Box::pin(async move { unit.end_by_hand(membership, None).await }))
            .await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl for<'a, 't> Fn(
            &'a mut usher_storage::Tx<'t>,
        ) -> futures_util::future::BoxFuture<'a, Result<T, EngineError>>
        + Send
        + Sync
        + 'static,
    ) -> T {
        self.engine.read(work).await.unwrap()
    }

    /// Who is in a room now.
    pub(crate) async fn inside(&self, room: RoomId) -> Vec<MembershipRow> {
        self.read(move |tx| {
            Box::pin(async move { Ok(query::membership::page_active(tx, room, None, u32::MAX).await?) })
        })
        .await
    }

    /// The active membership of a person in a room.
    pub(crate) async fn member(&self, room: RoomId, person: PersonId) -> Option<MembershipRow> {
        self.read(move |tx| {
            Box::pin(async move { Ok(query::membership::active(tx, &[room], &[person]).await?.pop()) })
        })
        .await
    }

    pub(crate) async fn membership(&self, id: MembershipId) -> MembershipRow {
        let row: Option<MembershipRow> = self
            .read(move |tx| Box::pin(async move { Ok(query::membership::by_id(tx, id).await?) }))
            .await;
        row.expect("the membership is kept")
    }

    pub(crate) async fn periods(&self, id: MembershipId) -> Vec<PeriodRow> {
        self.read(move |tx| Box::pin(async move { Ok(query::membership::periods(tx, [id]).await?) }))
            .await
    }

    /// Why the last period of a membership ended.
    pub(crate) async fn end_reason(&self, id: MembershipId) -> Option<EndReason> {
        self.membership(id).await.end_reason
    }

    /// A token that ends after so many seconds.
    pub(crate) async fn token(&self, label: &'static str, life: Option<u64>) {
        self.hand(move |unit| {
            let (id, created) = (unit.id::<TokenId>(), unit.now());
            Box::pin(async move {
                let token = NewToken {
                    id,
                    hash: [u8::try_from(label.len()).unwrap(); 32],
                    source: None,
                    role: Some(Role::Admin),
                    label,
                    subject: None,
                    created,
                    expires: life.map(|seconds| created.plus(Duration::from_secs(seconds))),
                };
                Ok(query::token::insert(unit.tx(), &token).await?)
            })
        })
        .await
        .unwrap();
    }

    pub(crate) async fn room_row(&self, room: RoomId) -> RoomRow {
        let row: Option<RoomRow> = self
            .read(move |tx| Box::pin(async move { Ok(query::room::by_id(tx, room).await?) }))
            .await;
        row.expect("the room is there")
    }

    /// All events of a kind, oldest first.
    pub(crate) async fn events(&self, kind: EventKind) -> Vec<EventRow> {
        let mut events = self.all_events().await;
        events.retain(|event| event.kind == kind.as_str());
        events
    }

    pub(crate) async fn all_events(&self) -> Vec<EventRow> {
        query::event::publish(self.engine.storage()).await.unwrap();
        self.read(|tx| Box::pin(async move { Ok(query::event::after(tx, 0, u32::MAX).await?) }))
            .await
    }
}

async fn open(url: &str) -> Result<Storage, StorageError> {
    Storage::open(StorageConfig {
        readers: 1,
        ..StorageConfig::new(url)
    })
    .await
}

/// Brings the schema into a database that others are copied from.
async fn fill(url: &str) -> Result<(), StorageError> {
    open(url).await?.close().await;
    Ok(())
}

/// Accounts as members of a change.
pub(crate) fn named(members: &[Account]) -> Vec<MemberName> {
    members
        .iter()
        .map(|account| MemberName {
            value: account.id.to_string(),
            kind: None,
        })
        .collect()
}

/// The code of a refusal, which is what the test expects.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, EngineError>) -> &'static str {
    match result {
        Err(EngineError::Refused(refusal)) => {
            assert!(
                !refusal.message.is_empty() && !refusal.next.is_empty(),
                "{refusal:?}"
            );
            refusal.code
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}
