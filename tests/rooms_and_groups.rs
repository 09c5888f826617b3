//! Rooms whose groups change: replaced and retired mappings, archived rooms, two groups for one room.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Desk, Room, Stage};

const BEN: &str = "ben@contoso.com";

#[tokio::test]
async fn who_is_in_both_groups_keeps_the_membership_when_a_mapping_is_replaced() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN, "cleo@contoso.com"]).await;
    let dan = stage.idp.create_user("dan@contoso.com");
    let group = stage
        .idp
        .create_group("Board 2027", &[&crowd.ada, &crowd.users[0], &dan]);
    let before = stage.desk.membership(&room.id, BEN).await;

    let replacement = json!({ "source": "idp", "group": group, "named_by": "id" });
    let path = format!("/mappings/{}/replacement", mapping(&stage.desk, &room).await);
    let plan = stage
        .desk
        .support
        .post(&format!("{path}/plan"), &replacement)
        .await
        .expect(200);
    assert_eq!(
        outcomes(&plan.body),
        [("inside", 2), ("joins", 1), ("leaves", 1)]
            .map(|(o, n)| (o.to_owned(), n))
            .into()
    );
    let mut confirmed = replacement.clone();
    confirmed["digest"] = plan.body["digest"].clone();
    stage
        .desk
        .support
        .post(&format!("{path}/confirm"), &confirmed)
        .await
        .expect(200);

    let names = ["ada", "ben", "dan"].map(|name| format!("{name}@contoso.com"));
    assert_eq!(stage.desk.inside(&room.id).await, names.into());
    let after = stage.desk.membership(&room.id, BEN).await;
    assert_eq!(
        (&after["id"], &after["started"]),
        (&before["id"], &before["started"])
    );
    stage.idp.remove_members(&crowd.group, &[&crowd.users[0]]);
    assert!(
        stage.desk.inside(&room.id).await.contains(BEN),
        "the old group leads nowhere"
    );
    stage.idp.remove_members(&group, &[&crowd.users[0]]);
    assert!(
        !stage.desk.inside(&room.id).await.contains(BEN),
        "the new one does"
    );
}

#[tokio::test]
async fn a_retired_mapping_ends_exactly_what_its_plan_showed() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, _) = stage.live_room(&[BEN]).await;
    let path = format!("/mappings/{}/retirement", mapping(&stage.desk, &room).await);
    let plan = stage.desk.support.get(&format!("{path}/plan")).await.expect(200);
    assert_eq!(
        outcomes(&plan.body),
        [("leaves", 1), ("kept_last_administrator", 1)]
            .map(|(o, n)| (o.to_owned(), n))
            .into()
    );
    let digest = json!({ "digest": plan.body["digest"] });
    stage
        .desk
        .support
        .post(&format!("{path}/confirm"), &digest)
        .await
        .expect(200);
    assert_eq!(
        stage.desk.inside(&room.id).await,
        BTreeSet::from(["ada@contoso.com".to_owned()])
    );
    let history = stage.desk.history(&room.id, BEN).await;
    assert_eq!(history[0]["end_reason"], "mapping_retired");
}

#[tokio::test]
async fn an_archived_room_freezes_decisions_and_a_reopened_one_decides_afresh() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let rooms = |verb: &str| format!("/rooms/{}/{verb}", room.id);
    stage
        .desk
        .support
        .post(&rooms("archive"), &json!({ "reason": "the year is over" }))
        .await
        .expect(200);
    let before = stage.desk.members(&room.id).await;
    stage.idp.remove_members(&crowd.group, &[&crowd.users[0]]);
    let cleo = stage.idp.create_user("cleo@contoso.com");
    stage.idp.add_members(&crowd.group, &[&cleo]);
    assert_eq!(
        stage.desk.members(&room.id).await,
        before,
        "nothing moves in an archived room"
    );
    stage
        .desk
        .by_hand(&before[BEN], "end", &json!({}))
        .await
        .refused(409);

    stage
        .desk
        .support
        .post(&rooms("reopen"), &json!({}))
        .await
        .expect(200);
    let names = ["ada", "cleo"].map(|name| format!("{name}@contoso.com"));
    assert_eq!(stage.desk.inside(&room.id).await, names.into());
}

#[tokio::test]
async fn of_two_groups_for_one_room_the_last_one_to_let_go_ends_the_membership() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let ben = crowd.users[0].clone();
    let second = stage.idp.create_group("Secretariat", &[&ben]);
    let mut new =
        json!({ "room": room.id, "source": "idp", "group": second, "named_by": "id", "level": "user" });
    stage.desk.it.post("/mappings", &new).await.refused(409);
    new["additional"] = json!(true);
    let id = stage.desk.it.post("/mappings", &new).await.expect(201).id();
    let plan = stage
        .desk
        .support
        .get(&format!("/mappings/{id}/plan"))
        .await
        .expect(200);
    let digest = json!({ "digest": plan.body["digest"] });
    stage
        .desk
        .support
        .post(&format!("/mappings/{id}/confirm"), &digest)
        .await
        .expect(200);

    let before = stage.desk.membership(&room.id, BEN).await;
    stage.idp.remove_members(&crowd.group, &[&ben]);
    let after = stage.desk.membership(&room.id, BEN).await;
    assert_eq!(after["id"], before["id"], "the other group still asks for him");
    stage.idp.remove_members(&second, &[&ben]);
    assert!(!stage.desk.inside(&room.id).await.contains(BEN));
    stage.idp.add_members(&second, &[&ben]);
    assert_eq!(stage.desk.membership(&room.id, BEN).await["level"], "user");
    stage.idp.add_members(&crowd.group, &[&ben]);
    assert_eq!(
        stage.desk.membership(&room.id, BEN).await["level"],
        "user",
        "a level belongs to the room"
    );
    let room_of_two = stage
        .desk
        .it
        .get(&format!("/rooms/{}/persons/{BEN}/explanation", room.id))
        .await
        .expect(200);
    assert_eq!(room_of_two.list("/items/0/grounds").len(), 2);
}

async fn mapping(desk: &Desk, room: &Room) -> String {
    desk.order_now(&room.order).await.text("/mapping")
}

/// What a plan does to how many.
fn outcomes(plan: &Value) -> BTreeSet<(String, u64)> {
    let tallies = plan["people"].as_array().into_iter().flatten();
    tallies
        .filter_map(|tally| Some((tally["outcome"].as_str()?.to_owned(), tally["count"].as_u64()?)))
        .collect()
}
