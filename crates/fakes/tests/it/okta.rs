//! The Okta org as a client sees it.

use http::HeaderMap;
use reqwest::Response;
use serde_json::Value;
use usher_fakes::directory::Life;
use usher_fakes::okta::{Busy, Org, Rights};
use usher_fakes::{Directory, Fault, Faults, IdStyle, Served};

struct World {
    directory: Directory,
    org: Org,
    faults: Faults,
    served: Served,
}

async fn world() -> World {
    let directory = Directory::new(IdStyle::Okta);
    let org = Org::new(directory.clone());
    let faults = Faults::none();
    let served = org.serve(faults.clone()).await.expect("a free port");
    org.take_api_token("t", Rights::all());
    World {
        directory,
        org,
        faults,
        served,
    }
}

impl World {
    async fn get(&self, path: &str) -> Response {
        self.follow(&format!("{}{path}", self.served.url())).await
    }

    async fn follow(&self, url: &str) -> Response {
        let call = reqwest::Client::new().get(url).header("authorization", "SSWS t");
        call.send().await.expect("an answer")
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("a list")
    }
}

fn next(headers: &HeaderMap) -> Option<String> {
    let links = headers
        .get_all("link")
        .iter()
        .map(|link| link.to_str().expect("text"));
    let mut next = links.filter(|link| link.ends_with("rel=\"next\""));
    next.next()
        .map(|link| link.split(['<', '>']).nth(1).expect("a target").to_owned())
}

fn ids(list: &[Value]) -> Vec<&str> {
    list.iter().filter_map(|item| item["id"].as_str()).collect()
}

fn encoded(filter: &str) -> String {
    url::form_urlencoded::byte_serialize(filter.as_bytes()).collect()
}

#[tokio::test]
async fn pages_lead_through_a_list_once() {
    let world = world().await;
    let board = world.directory.add_group("Board");
    let mut people: Vec<_> = (0..5)
        .map(|number| world.directory.add_user(&format!("u{number}@x.example")))
        .collect();
    for person in &people {
        world.directory.add_member(&board, person);
    }
    people.sort();
    let mut url = Some(format!(
        "{}/api/v1/groups/{board}/users?limit=2",
        world.served.url()
    ));
    let mut seen = Vec::new();
    let mut pages = 0;
    while let Some(page) = url {
        let answer = world.follow(&page).await;
        let links = answer.headers().get_all("link").iter().count();
        url = next(answer.headers());
        assert_eq!(
            links,
            1 + usize::from(url.is_some()),
            "self, and next in a field of its own"
        );
        let users: Vec<Value> = answer.json().await.unwrap();
        seen.extend(ids(&users).into_iter().map(str::to_owned));
        pages += 1;
    }
    assert_eq!(
        (seen, pages),
        (people.iter().map(|id| id.to_string()).collect(), 3)
    );
}

#[tokio::test]
async fn filters_and_prefixes_choose() {
    let world = world().await;
    let board = world.directory.add_group("Board");
    let audit = world.directory.add_group("Audit");
    world.org.set_group_type(&audit, "APP_GROUP");
    let since = world.directory.now();
    world
        .directory
        .add_member(&board, &world.directory.add_user("ann@x.example"));
    let changed = format!(
        "type eq \"OKTA_GROUP\" and (lastUpdated gt \"{since}\" or lastMembershipUpdated gt \"{since}\")"
    );
    for (query, expected) in [
        (format!("filter={}", encoded(&changed)), vec![&*board]),
        (
            format!("filter={}", encoded("type eq \"APP_GROUP\"")),
            vec![&*audit],
        ),
        (
            format!("filter={}", encoded(&format!("id eq \"{board}\""))),
            vec![&*board],
        ),
        ("q=bo".into(), vec![&*board]),
        ("q=oard".into(), vec![]),
    ] {
        let groups = world.list(&format!("/api/v1/groups?{query}")).await;
        assert_eq!(ids(&groups), expected, "{query}");
    }
}

#[tokio::test]
async fn search_lags_behind_filter() {
    let world = world().await;
    let board = world.directory.add_group("Board");
    let since = world.directory.now();
    world.directory.advance(jiff::SignedDuration::from_mins(1));
    world.directory.rename_group(&board, "Supervisory board");
    let expression = encoded(&format!("lastUpdated gt \"{since}\""));
    assert_eq!(
        world
            .list(&format!("/api/v1/groups?filter={expression}"))
            .await
            .len(),
        1
    );
    assert_eq!(
        world
            .list(&format!("/api/v1/groups?search={expression}"))
            .await
            .len(),
        0
    );
    world.directory.advance(jiff::SignedDuration::from_hours(1));
    assert_eq!(
        world
            .list(&format!("/api/v1/groups?search={expression}"))
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn what_was_deleted_is_not_shown_and_who_was_deactivated_is_in_no_group() {
    let world = world().await;
    let board = world.directory.add_group("Board");
    let [ann, ben] = ["ann@x.example", "ben@x.example"].map(|name| world.directory.add_user(name));
    world.directory.add_member(&board, &ann);
    world.directory.add_member(&board, &ben);
    world.list("/api/v1/groups").await;
    world.directory.enable(&ann, false);
    let members = world.list(&format!("/api/v1/groups/{board}/users")).await;
    assert_eq!(ids(&members), [&*ben]);
    let group: Value = world
        .get(&format!("/api/v1/groups/{board}?expand=stats"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(group["_embedded"]["stats"]["usersCount"], 1);
    let updated: jiff::Timestamp = group["lastMembershipUpdated"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        updated,
        world.directory.user(&ann).unwrap().modified,
        "they left the group then"
    );
    let users = world.list("/api/v1/users").await;
    assert_eq!(ids(&users), [&*ben]);
    let deprovisioned = encoded("status eq \"DEPROVISIONED\"");
    let users = world.list(&format!("/api/v1/users?filter={deprovisioned}")).await;
    assert_eq!(ids(&users), [&*ann]);
    world.directory.delete_user(&ann);
    world.directory.delete_group(&board, Life::Deleted);
    assert_eq!(world.get(&format!("/api/v1/users/{ann}")).await.status(), 404);
    assert_eq!(world.get(&format!("/api/v1/groups/{board}")).await.status(), 404);
}

#[tokio::test]
async fn the_log_always_leads_on_and_never_repeats() {
    let world = world().await;
    let board = world.directory.add_group("Board");
    let first = world.get("/api/v1/logs?sortOrder=ASCENDING").await;
    let link = next(first.headers()).expect("a polling request leads on");
    let events: Vec<Value> = first.json().await.unwrap();
    assert_eq!(events[0]["eventType"], "group.lifecycle.create");
    let empty = world.follow(&link).await;
    let again = next(empty.headers()).expect("an empty page leads on too");
    assert_eq!(empty.json::<Vec<Value>>().await.unwrap(), Vec::<Value>::new());
    let ann = world.directory.add_user("ann@x.example");
    world.directory.add_member(&board, &ann);
    world.org.set_status(&ann, "SUSPENDED");
    let events: Vec<Value> = world.follow(&again).await.json().await.unwrap();
    let kinds: Vec<_> = events
        .iter()
        .filter_map(|event| event["eventType"].as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "user.lifecycle.create",
            "group.user_membership.add",
            "user.lifecycle.suspend"
        ]
    );
    assert_eq!(events[1]["target"][1]["id"], &*board);
    let bounded = world.get("/api/v1/logs?until=2030-01-01T00:00:00Z").await;
    assert_eq!(next(bounded.headers()), None);
    let filter = encoded("published gt \"2026-01-01T00:00:00Z\"");
    assert_eq!(
        world.get(&format!("/api/v1/logs?filter={filter}")).await.status(),
        400
    );
    assert_eq!(
        world
            .get("/api/v1/logs?since=2020-01-01T00:00:00Z")
            .await
            .status(),
        400
    );
}

#[tokio::test]
async fn both_kinds_of_429_say_which_they_are() {
    let world = world().await;
    world.org.refuse(&[Busy::Rate { seconds: 30 }, Busy::Concurrency]);
    let number =
        |headers: &HeaderMap, name: &str| -> i64 { headers[name].to_str().unwrap().parse().unwrap() };
    let rate = world.get("/api/v1/groups").await;
    assert_eq!(rate.status(), 429);
    assert!(number(rate.headers(), "x-rate-limit-limit") > 0);
    assert_eq!(number(rate.headers(), "x-rate-limit-remaining"), 0);
    assert!(number(rate.headers(), "x-rate-limit-reset") > 1_767_225_600);
    let concurrency = world.get("/api/v1/groups").await;
    assert_eq!(concurrency.status(), 429);
    assert_eq!(number(concurrency.headers(), "x-rate-limit-limit"), 0);
    let fine = world.get("/api/v1/groups").await;
    assert_eq!(fine.status(), 200);
    assert!(number(fine.headers(), "x-rate-limit-remaining") > 0);
}

#[tokio::test]
async fn faults_of_lists_are_acted_out() {
    let world = world().await;
    let board = world.directory.add_group("Board");
    for number in 0..4 {
        world
            .directory
            .add_member(&board, &world.directory.add_user(&format!("u{number}@x.example")));
    }
    let path = format!("/api/v1/groups/{board}/users?limit=2");
    for (fault, items, leads_on) in [
        (Fault::LostPage, 0, true),
        (Fault::EmptyPage, 0, false),
        (Fault::RepeatedPage, 2, true),
    ] {
        world.faults.once("", 0, fault);
        let answer = world.get(&path).await;
        let link = next(answer.headers());
        assert_eq!(link.is_some(), leads_on, "{fault:?}");
        if fault == Fault::RepeatedPage {
            assert_eq!(link.as_deref(), Some(&*format!("{}{path}", world.served.url())));
        }
        let users: Vec<Value> = answer.json().await.unwrap();
        assert_eq!(users.len(), items, "{fault:?}");
    }
    let link = next(world.get(&path).await.headers()).unwrap();
    world.faults.once("", 0, Fault::ExpiredCheckpoint);
    assert_eq!(world.follow(&link).await.status(), 400);
}

#[tokio::test]
async fn only_a_role_that_covers_a_group_sees_it() {
    let world = world().await;
    let [board, audit] = ["Board", "Audit"].map(|name| world.directory.add_group(name));
    world
        .org
        .take_api_token("t", Rights::all().only_groups(&[&board]));
    assert_eq!(ids(&world.list("/api/v1/groups").await), [&*board]);
    assert_eq!(
        world.get(&format!("/api/v1/groups/{audit}/users")).await.status(),
        404
    );
    world.org.take_api_token("t", Rights::group_administrator());
    world.org.set_group_type(&audit, "BUILT_IN");
    assert_eq!(ids(&world.list("/api/v1/groups").await), [&*board]);
    assert_eq!(world.get("/api/v1/logs").await.status(), 403);
}
