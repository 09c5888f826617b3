//! What the portal hangs on memberships.

use usher_core::{GrantId, MembershipId};
use usher_engine::grant::GrantData;
use usher_engine::{EngineError, EventKind};
use usher_storage::query;
use usher_storage::query::grant::GrantRow;
use usher_storage::query::membership::MembershipRow;

use crate::world::{Account, World, refused};

impl World {
    async fn write_grant(&self, membership: MembershipId, label: &str) -> Result<GrantRow, EngineError> {
        let data = GrantData {
            kind: "meeting".into(),
            reference: "m-1".into(),
            label: label.into(),
        };
        self.hand(move |unit| {
            let data = data.clone();
            Box::pin(async move { unit.write_grant(membership, &data).await })
        })
        .await
    }

    async fn drop_grant(&self, id: GrantId) -> GrantRow {
        self.hand(move |unit| Box::pin(async move { unit.drop_grant(id).await }))
            .await
            .unwrap()
    }
}

async fn member() -> (World, Account, MembershipRow) {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    let membership = world.member(room, anna.person).await.unwrap();
    (world, anna, membership)
}

#[tokio::test]
async fn writing_the_same_thing_again_changes_at_most_its_label() {
    let (world, _, membership) = member().await;
    let first = world.write_grant(membership.id, "Meeting 1").await.unwrap();
    let same = world.write_grant(membership.id, "Meeting 1").await.unwrap();
    assert_eq!(first, same);
    let renamed = world.write_grant(membership.id, "Budget").await.unwrap();
    assert_eq!((renamed.id, renamed.label.as_str()), (first.id, "Budget"));
    assert_eq!(world.events(EventKind::GrantWritten).await.len(), 2);
}

#[tokio::test]
async fn a_dropped_grant_is_kept_and_may_be_written_anew() {
    let (world, _, membership) = member().await;
    let first = world.write_grant(membership.id, "Meeting 1").await.unwrap();
    assert!(world.drop_grant(first.id).await.dropped.is_some());
    world.drop_grant(first.id).await;
    assert_eq!(world.events(EventKind::GrantDropped).await.len(), 1);
    let second = world.write_grant(membership.id, "Meeting 1").await.unwrap();
    assert_ne!(first.id, second.id);
    let id = membership.id;
    let all: Vec<GrantRow> = world
        .read(move |tx| Box::pin(async move { Ok(query::grant::of_memberships(tx, [id], true).await?) }))
        .await;
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn nothing_hangs_on_a_membership_that_is_over() {
    let (world, anna, membership) = member().await;
    world.set_active(anna, false).await;
    let result = world.write_grant(membership.id, "Meeting 1").await;
    assert_eq!(refused(result), "membership_over");
}

#[tokio::test]
async fn a_grant_without_a_label_is_invalid() {
    let (world, _, membership) = member().await;
    let result = world.write_grant(membership.id, " ").await;
    assert!(
        matches!(result, Err(EngineError::Invalid { field: "label", .. })),
        "{result:?}"
    );
}
