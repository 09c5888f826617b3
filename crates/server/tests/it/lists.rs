//! Lists: filters, order, pages.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::World;

fn names(list: &Value) -> Vec<String> {
    list["Resources"]
        .as_array()
        .expect("resources")
        .iter()
        .map(|one| {
            one.get("userName")
                .or(one.get("displayName"))
                .and_then(Value::as_str)
                .expect("a name")
                .to_owned()
        })
        .collect()
}

async fn find(world: &World, endpoint: &str, filter: &str) -> Vec<String> {
    let encoded: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let list = world
        .get(&format!("{endpoint}?filter={encoded}"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        list["totalResults"],
        list["Resources"].as_array().expect("resources").len(),
        "{filter}"
    );
    names(&list)
}

#[tokio::test]
async fn filters_find_exactly_what_they_say() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let eve = json!({
        "userName": "eve@contoso.com", "active": false, "title": "Dr",
        "emails": [{ "value": "eve@private.example", "type": "home" }, { "value": "eve@work.example", "type": "work" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": ada } },
    });
    let eve = world.post("/Users", &eve).await.expect(201).id();
    let board = world.group("Board", &[&ada, &bob, "pending-1"]).await;
    world.group("Council", &[&eve]).await;
    for (filter, expected) in [
        ("userName eq \"ADA\"".to_owned(), vec!["ada"]),
        ("externalId eq x-bob".to_owned(), vec!["bob"]),
        ("externalId eq \"X-BOB\"".to_owned(), vec![]),
        (format!("id eq \"{ada}\""), vec!["ada"]),
        (
            format!("id eq {eve} and manager eq {ada}"),
            vec!["eve@contoso.com"],
        ),
        (format!("id eq {bob} and manager eq {ada}"), vec![]),
        (
            "emails.value eq \"eve@work.example\"".to_owned(),
            vec!["eve@contoso.com"],
        ),
        (
            "emails.value eq \"EVE@private.example\"".to_owned(),
            vec!["eve@contoso.com"],
        ),
        (
            "emails[type eq \"work\"].value eq \"eve@work.example\"".to_owned(),
            vec!["eve@contoso.com"],
        ),
        (
            "emails[type eq \"home\" and value eq \"eve@work.example\"]".to_owned(),
            vec![],
        ),
        ("emails.value eq \"eve@contoso.com\"".to_owned(), vec![]),
        ("active eq false".to_owned(), vec!["eve@contoso.com"]),
        ("active eq \"True\" and userName sw \"a\"".to_owned(), vec!["ada"]),
        ("title pr".to_owned(), vec!["eve@contoso.com"]),
        (
            "not (title pr) and not (userName eq \"bob\")".to_owned(),
            vec!["ada"],
        ),
        (format!("groups.value eq \"{board}\""), vec!["ada", "bob"]),
        (
            "groups.display eq \"Council\"".to_owned(),
            vec!["eve@contoso.com"],
        ),
        (
            "userName eq \"ada\" or displayName eq \"bob\"".to_owned(),
            vec!["ada", "bob"],
        ),
        ("meta.created gt \"2030-01-01T00:00:00Z\"".to_owned(), vec![]),
        (
            "meta.lastModified ge \"2026-02-01T09:00:00Z\" and title pr".to_owned(),
            vec!["eve@contoso.com"],
        ),
        ("meta.resourceType eq \"Group\"".to_owned(), vec![]),
        ("nobody eq \"knows\"".to_owned(), vec![]),
    ] {
        assert_eq!(find(&world, "/Users", &filter).await, expected, "{filter}");
    }
    for (filter, expected) in [
        ("displayName eq \"board\"".to_owned(), vec!["Board"]),
        (format!("id eq {board} and members eq {ada}"), vec!["Board"]),
        (format!("id eq {board} and members eq {eve}"), vec![]),
        (format!("members.value eq \"{eve}\""), vec!["Council"]),
        ("members[value eq \"pending-1\"]".to_owned(), vec!["Board"]),
        ("members.display eq \"bob\"".to_owned(), vec!["Board"]),
        ("displayName co \"ou\"".to_owned(), vec!["Council"]),
    ] {
        assert_eq!(find(&world, "/Groups", &filter).await, expected, "{filter}");
    }
}

/// A final sigma is another letter than the one inside a word, and capitals have one sigma for both.
#[tokio::test]
async fn names_are_found_in_any_case_of_any_script() {
    let world = World::new().await;
    world.user("ΟΔΥΣΣΕΥΣ").await;
    world.group("Straße Łódź", &[]).await;
    for name in ["οδυσσευς", "Οδυσσευσ", "ΟΔΥΣΣΕΥΣ"] {
        assert_eq!(
            find(&world, "/Users", &format!("userName eq \"{name}\"")).await,
            ["ΟΔΥΣΣΕΥΣ"],
            "{name}"
        );
        world
            .post("/Users", &json!({ "userName": name }))
            .await
            .refused(409, Some("uniqueness"));
    }
    let found = find(&world, "/Groups", "displayName eq \"STRAßE łÓDŹ\"").await;
    assert_eq!(found, ["Straße Łódź"]);
}

#[tokio::test]
async fn spellings_of_a_query_mean_the_same() {
    let world = World::new().await;
    world.user("a+b#EXT#@x").await;
    for query in [
        "filter=userName%20eq%20%22a%2Bb%23EXT%23%40x%22",
        "filter=userName+eq+%22a%2bb%23ext%23@x%22&",
        "&FILTER=userName+eq+%22a%2Bb%23EXT%23@x%22&startIndex=&junk",
    ] {
        let list = world.get(&format!("/Users?{query}")).await.expect(200).json();
        assert_eq!(names(&list), ["a+b#EXT#@x"], "{query}");
    }
}

#[tokio::test]
async fn pages_by_index_tell_the_truth() {
    let world = World::new().await;
    for n in 0..7 {
        world.user(&format!("u{n}")).await;
    }
    let page = async |query: &str| {
        let list = world.get(&format!("/Users?{query}")).await.expect(200).json();
        assert_eq!(list["totalResults"], 7, "{query}");
        assert_eq!(
            list["itemsPerPage"],
            list["Resources"].as_array().expect("resources").len(),
            "{query}"
        );
        (list["startIndex"].clone(), names(&list))
    };
    assert_eq!(
        page("startIndex=1&count=3").await,
        (json!(1), vec!["u0".into(), "u1".into(), "u2".into()])
    );
    assert_eq!(
        page("startIndex=7&count=3").await,
        (json!(7), vec!["u6".to_owned()])
    );
    assert_eq!(page("startIndex=101&count=3").await, (json!(101), vec![]));
    assert_eq!(
        page("startIndex=-5&count=1").await,
        (json!(1), vec!["u0".to_owned()])
    );
    assert_eq!(page("count=0").await, (json!(1), vec![]));
    assert_eq!(page("count=-1").await, (json!(1), vec![]));
    assert_eq!(
        page("count=2&sortBy=userName&sortOrder=descending").await.1,
        ["u6", "u5"]
    );
    assert_eq!(page("count=2&startIndex=3&sortBy=emails").await.1, ["u2", "u3"]);
    assert_eq!(page("count=2&startIndex=2&sortBy=userName").await.1, ["u1", "u2"]);
    assert_eq!(
        page("count=2&startIndex=2&filter=userName%20sw%20%22u%22")
            .await
            .1,
        ["u1", "u2"]
    );
}

#[tokio::test]
async fn pages_by_cursor_show_everything_once() {
    let world = World::new().await;
    for n in 0..7 {
        world.user(&format!("u{n}")).await;
    }
    world.group("g", &[]).await;
    for (endpoint, query, expected) in [
        ("/Users", "", 7),
        ("/Users", "&sortBy=displayName&sortOrder=descending", 7),
        ("/Users", "&filter=userName%20co%20%22u%22", 7),
        ("/Groups", "", 1),
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let list = world
                .get(&format!("{endpoint}?count=3&cursor={cursor}{query}"))
                .await
                .expect(200)
                .json();
            assert!(list.get("startIndex").is_none());
            seen.extend(names(&list));
            match list.get("nextCursor").and_then(Value::as_str) {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), count), (expected, expected), "{endpoint} {query}");
    }
}

#[tokio::test]
async fn a_cursor_works_for_its_own_query_and_time_alone() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.user(name).await;
    }
    let first = world.get("/Users?cursor&count=1").await.expect(200).json();
    let cursor = first["nextCursor"].as_str().expect("a cursor");
    assert!(
        cursor
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
    );
    world
        .get(&format!("/Users?cursor={cursor}&count=1&sortBy=title"))
        .await
        .refused(400, Some("invalidCursor"));
    world
        .get(&format!("/Groups?cursor={cursor}&count=1"))
        .await
        .refused(400, Some("invalidCursor"));
    let mut forged = cursor.to_owned().into_bytes();
    forged[20] ^= 1;
    let forged = String::from_utf8(forged).expect("text");
    world
        .get(&format!("/Users?cursor={forged}&count=1"))
        .await
        .refused(400, Some("invalidCursor"));
    assert_eq!(
        names(
            &world
                .get(&format!("/Users?cursor={cursor}&count=5"))
                .await
                .expect(200)
                .json()
        ),
        ["b", "c"]
    );
    world.clock.advance(Duration::from_secs(3601));
    world
        .get(&format!("/Users?cursor={cursor}"))
        .await
        .refused(400, Some("expiredCursor"));
}

#[tokio::test]
async fn the_first_page_counts_and_the_cursor_carries_the_total() {
    let world = World::new().await;
    for n in 0..5 {
        world.user(&format!("u{n}")).await;
    }
    let page = async |query: &str, cursor: &str| {
        let list = world
            .get(&format!("/Users?count=2&cursor={cursor}{query}"))
            .await
            .expect(200)
            .json();
        let next = list.get("nextCursor").and_then(Value::as_str);
        (list["totalResults"].clone(), next.unwrap_or_default().to_owned())
    };
    for (query, came) in [
        ("", 5),
        ("&sortBy=userName", 6),
        ("&filter=active%20eq%20true", 7),
    ] {
        let (total, first) = page(query, "").await;
        assert_eq!(total, came, "{query}");
        let (total, second) = page(query, &first).await;
        assert_eq!(total, came, "nothing changed: {query}");
        // Whoever counted would see one more.
        world.user(&format!("late{came}")).await;
        assert_eq!(page(query, &first).await.0, came, "{query}");
        assert_eq!(page(query, &second).await.0, came, "{query}");
        assert_eq!(page(query, "").await.0, came + 1, "{query}");
        // Neither the number nor anything else of it can be changed.
        for place in 0..first.len() {
            let mut forged = first.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("text");
            world
                .get(&format!("/Users?count=2&cursor={forged}{query}"))
                .await
                .refused(400, Some("invalidCursor"));
        }
    }
}

#[tokio::test]
async fn search_by_body_is_the_same_as_by_query() {
    let world = World::new().await;
    world.user("ada").await;
    world.user("bob").await;
    world.group("Board", &[]).await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "userName eq \"bob\"",
        "attributes": ["userName"], "startIndex": 1, "count": 10,
    });
    let list = world.post("/Users/.search", &body).await.expect(200).json();
    assert_eq!(names(&list), ["bob"]);
    assert!(list["Resources"][0].get("emails").is_none());
    let all = world.post("/.search", &json!({})).await.expect(200).json();
    assert_eq!(
        (names(&all), &all["totalResults"]),
        (vec!["ada".into(), "bob".into(), "Board".into()], &json!(3))
    );
    let page = world
        .post("/.search", &json!({ "startIndex": 3, "count": 5 }))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (names(&page), &page["totalResults"]),
        (vec!["Board".to_owned()], &json!(3))
    );
    let filter = json!({ "filter": "displayName sw \"b\"" });
    assert_eq!(
        names(&world.post("/.search", &filter).await.expect(200).json()),
        ["bob", "Board"]
    );
    let mut cursor = String::new();
    for expected in [vec!["ada", "bob"], vec!["Board"]] {
        let body = json!({ "cursor": cursor, "count": 2 });
        let list = world.post("/.search", &body).await.expect(200).json();
        assert_eq!(names(&list), expected);
        cursor = list
            .get("nextCursor")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
    }
    assert!(cursor.is_empty());
}

#[tokio::test]
async fn a_scan_beyond_the_bound_is_refused() {
    let world = World::with("[scim]\nmax_scan = 2\n").await;
    for name in ["a", "b", "c"] {
        world.user(name).await;
    }
    let detail = world
        .get("/Users?filter=title%20pr")
        .await
        .refused(400, Some("tooMany"));
    assert!(detail.contains("more than 2 resources"), "{detail}");
    world
        .get("/Users?filter=userName%20eq%20%22a%22")
        .await
        .expect(200);
    assert_eq!(world.get("/Users").await.json()["totalResults"], 3);
}
