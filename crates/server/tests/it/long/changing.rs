//! Members that change while an answer is on its way.

use http::header;
use serde_json::json;

use super::{CHUNK, Group, Taken, values};
use crate::world::World;

#[tokio::test]
async fn who_stays_is_shown_once_whatever_happens_to_others() {
    let world = World::new().await;
    let group = Group::load(&world, "Everybody", 2500, 0).await;
    let mut answer = Taken::begin(&world, &group.path).await;
    let etag = answer.response.headers()[header::ETAG].clone();
    assert!(answer.piece().await > 0, "the first {CHUNK}");

    let late = world.user("late").await;
    let [shown, unshown, back] = [0, 2400, 1500].map(|place: usize| json!([{ "value": group.known[place] }]));
    let operations = json!([
        { "op": "remove", "path": "members", "value": shown },
        { "op": "remove", "path": "members", "value": unshown },
        { "op": "remove", "path": "members", "value": back },
        { "op": "add", "path": "members", "value": back },
        { "op": "add", "path": "members", "value": [{ "value": late }, { "value": "nobody-known" }] },
    ]);
    world.patch(&group.path, &operations).await.expect(204);

    let mut expected = group.known.clone();
    expected.remove(2400);
    expected.extend([late, "nobody-known".to_owned()]);
    assert_eq!(values(&answer.end().await), expected);

    let again = world
        .request("GET", &group.path)
        .header(header::IF_NONE_MATCH, etag);
    let again = again.body(axum::body::Body::empty()).expect("a request");
    let shown = values(&world.send(again).await.expect(200).json());
    assert_eq!(
        shown,
        expected[1..],
        "the version told that there is something new"
    );
}

#[tokio::test]
async fn who_becomes_known_on_the_way_is_not_missed() {
    let world = World::new().await;
    let group = Group::load(&world, "Everybody", 10, 2200).await;
    let mut answer = Taken::begin(&world, &group.path).await;
    assert!(answer.piece().await > 0, "the first {CHUNK}");

    let mut known = Vec::new();
    for place in [5, 1500] {
        world.clock.advance(std::time::Duration::from_millis(1));
        let value = &group.unknown[place];
        let user = json!({ "userName": format!("user of {value}"), "externalId": value });
        known.push(world.post("/Users", &user).await.expect(201).id());
    }

    let mut expected = group.values();
    expected.remove(10 + 1500);
    expected.extend(known.clone());
    assert_eq!(values(&answer.end().await), expected);

    let mut now = [group.known.as_slice(), &known, &group.unknown].concat();
    now.retain(|value| *value != group.unknown[5] && *value != group.unknown[1500]);
    assert_eq!(values(&world.get(&group.path).await.json()), now);
}
