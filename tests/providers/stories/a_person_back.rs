//! A person back: removed, added again, and given back what they had.

use super::{ADA, BEN, Live};
use crate::providers::{Kind, Way};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_entra_pushed() {
    removed_added_again_and_restored(Kind::Entra, Way::Push).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_entra_pulled() {
    removed_added_again_and_restored(Kind::Entra, Way::Pull).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_okta_pushed() {
    removed_added_again_and_restored(Kind::Okta, Way::Push).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_okta_pulled() {
    removed_added_again_and_restored(Kind::Okta, Way::Pull).await;
}

async fn removed_added_again_and_restored(kind: Kind, way: Way) {
    let mut live = Live::new(kind, way).await;
    let former = live.membership().await;
    let desk = &live.rig.desk;
    desk.grant(&former, "meeting", "7").await.expect(200);
    desk.grant(&former, "task", "12").await.expect(200);

    live.leave();
    live.rig.convey().await;
    assert!(!live.is_inside().await, "who left the group left the room");
    assert!(live.rig.is_inside(&live.room, ADA).await);
    live.come();
    live.rig.convey().await;
    let present = live.membership().await;
    assert_ne!(
        present["id"], former["id"],
        "who is added again gets a new membership"
    );
    let desk = &live.rig.desk;
    assert!(desk.grants(&present).await.is_empty());

    let restore = live.suggestion().await;
    let plan = live.plan(&restore).await.expect(200);
    assert_eq!(plan.body["candidate"]["id"], former["id"]);
    assert_eq!(plan.list("/candidate/grants").len(), 2);
    live.apply(&restore, &plan).await.expect(200);
    let restored = live.membership().await;
    assert_eq!(restored["id"], former["id"]);
    assert_eq!(restored["kind"], "managed");
    assert_eq!(desk.grants(&restored).await.len(), 2);
    let history = desk.history(&live.room.id, BEN).await;
    assert_eq!(history.len(), 2, "nothing is overwritten: {history:#?}");
    if way == Way::Pull {
        let asked = live.rig.runs().await;
        let asked: Vec<_> = asked.iter().filter(|run| run["cause"] == "restore").collect();
        assert!(!asked.is_empty(), "the source was asked on the spot");
        assert!(
            asked
                .iter()
                .all(|run| run["state"] == "done" && run["scope"] == "person"),
            "{asked:#?}"
        );
    }

    live.leave();
    live.rig.convey().await;
    assert!(
        !live.is_inside().await,
        "a restored membership is managed: what reaches Usher ends it"
    );
}
