//! What long answers show.

use http::header;
use hyper::body::Body as _;
use serde_json::{Value, json};

use super::{CHUNK, Group, Taken, values};
use crate::world::World;

#[tokio::test]
async fn each_member_is_shown_once_in_the_form_of_a_short_answer() {
    let world = World::new().await;
    let group = Group::load(&world, "Everybody", 1300, 1900).await;
    let head = world
        .get(&format!("{}?excludedAttributes=members", group.path))
        .await
        .expect(200);
    let base = "https://usher.example/scim/idp/v2/Users";
    let known = group
        .known
        .iter()
        .map(|id| json!({ "value": id, "type": "User", "$ref": format!("{base}/{id}") }));
    let unknown = group.unknown.iter().map(|value| json!({ "value": value }));
    let mut expected = head.body.strip_suffix(b"}").expect("an object").to_vec();
    expected.extend_from_slice(b",\"members\":");
    expected.extend_from_slice(known.chain(unknown).collect::<Value>().to_string().as_bytes());
    expected.push(b'}');

    let long = world.get(&group.path).await.expect(200);
    assert!(
        long.body == expected,
        "{}",
        String::from_utf8_lossy(&long.body[..2000])
    );
    for name in [header::ETAG, header::CONTENT_TYPE, header::CACHE_CONTROL] {
        assert_eq!(long.header(&name), head.header(&name), "{name}");
    }
    let current = world
        .request("GET", &group.path)
        .header(header::IF_NONE_MATCH, long.header(header::ETAG));
    let current = world
        .send(current.body(axum::body::Body::empty()).expect("a request"))
        .await
        .expect(304);
    assert!(current.body.is_empty());
}

#[tokio::test]
async fn short_answers_are_sent_as_a_whole() {
    let world = World::new().await;
    for (name, unknown, is_whole) in [("Short", CHUNK - 1, true), ("Long", CHUNK + 1, false)] {
        let group = Group::load(&world, name, 0, unknown).await;
        for path in [
            group.path.clone(),
            format!("/Groups?filter=displayName%20eq%20{name}"),
        ] {
            let answer = Taken::begin(&world, &path).await;
            assert_eq!(
                answer.response.body().size_hint().exact().is_some(),
                is_whole,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn parts_of_members_are_shown_as_they_are_asked_for() {
    let world = World::new().await;
    let group = Group::load(&world, "Everybody", 1100, 1100).await;
    let get = async |query: &str| {
        world
            .get(&format!("{}?{query}", group.path))
            .await
            .expect(200)
            .json()
    };

    let named = get("attributes=members.display").await;
    let names: Vec<&str> = named["members"]
        .as_array()
        .expect("members")
        .iter()
        .map(|member| member["display"].as_str().expect("nobody without a name"))
        .collect();
    assert_eq!(names.len(), 1100, "only those with accounts have names");
    assert!(names.iter().all(|name| name.starts_with("EVERYBODY-USER-")));

    let bare = get("attributes=members.value").await;
    assert_eq!(values(&bare), group.values());
    assert!(
        bare["members"]
            .as_array()
            .expect("members")
            .iter()
            .all(|member| member.as_object().expect("one").len() == 1)
    );
    assert!(bare.get("displayName").is_none());

    let without = get("excludedAttributes=members").await;
    assert_eq!(without.get("members"), None);

    let unknown = Group::load(&world, "Unknown", 0, 1100).await;
    let nameless = world
        .get(&format!("{}?attributes=members.display", unknown.path))
        .await
        .expect(200)
        .json();
    assert_eq!(nameless.get("members"), None, "nothing of anybody is shown");
}

#[tokio::test]
async fn changes_are_answered_with_all_members() {
    let world = World::new().await;
    let group = Group::load(&world, "Everybody", 600, 900).await;
    let members: Vec<Value> = group
        .values()
        .iter()
        .map(|value| json!({ "value": value }))
        .collect();
    let body = json!({ "displayName": "Twins", "members": members });
    let created = world.post("/Groups", &body).await.expect(201);
    assert_eq!(values(&created.json()), group.values());
    let replaced = world.put(&group.path, &body).await.expect(200);
    assert_eq!(values(&replaced.json()), group.values());

    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": "Everybody-one-more" }] }]);
    let path = format!("{}?attributes=members", group.path);
    let shown = world.patch(&path, &add).await.expect(200);
    let mut expected = group.values();
    expected.push("Everybody-one-more".to_owned());
    assert_eq!(values(&shown.json()), expected);
    let got = world.get(&group.path).await.expect(200);
    assert_eq!(shown.header(header::ETAG), got.header(header::ETAG));
    assert_eq!(values(&got.json()), expected);
}

#[tokio::test]
async fn lists_show_what_their_groups_show_alone() {
    let world = World::new().await;
    let mut groups = Vec::new();
    for (name, known, unknown) in [
        ("A", 400, 0),
        ("B", 0, 0),
        ("C", 400, 500),
        ("D", 0, 2100),
        ("E", 3, 0),
        ("F", 0, 0),
    ] {
        world.clock.advance(std::time::Duration::from_millis(1));
        groups.push(Group::load(&world, name, known, unknown).await);
    }
    let mut alone = Vec::new();
    for group in &groups {
        alone.push(world.get(&group.path).await.expect(200).json());
    }
    let list = world.get("/Groups").await.expect(200).json();
    assert_eq!(list["Resources"], Value::Array(alone.clone()));
    assert_eq!(
        (&list["totalResults"], &list["itemsPerPage"], &list["startIndex"]),
        (&json!(6), &json!(6), &json!(1))
    );

    let first = world.get("/Groups?cursor=&count=4").await.expect(200).json();
    assert_eq!(first["Resources"], Value::Array(alone[..4].to_vec()));
    let next = first["nextCursor"].as_str().expect("a cursor");
    let second = world
        .get(&format!("/Groups?cursor={next}&count=4"))
        .await
        .expect(200)
        .json();
    assert_eq!(second["Resources"], Value::Array(alone[4..].to_vec()));

    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 1000,
        "filter": "displayName eq \"D\" or displayName eq \"F\" or userName eq \"E-user-1\" or displayName eq \"C\"",
        "sortBy": "displayName", "sortOrder": "descending",
    });
    let found = world.post("/.search", &search).await.expect(200).json();
    let found = found["Resources"].as_array().expect("resources");
    let [f, d, c] = [5, 3, 2].map(|place: usize| &alone[place]);
    let shown: Vec<&Value> = found.iter().filter(|one| one.get("userName").is_none()).collect();
    assert_eq!(shown, [f, d, c]);
    assert_eq!(found.len(), 4, "and a user");
}
