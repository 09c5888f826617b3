//! The SCIM service provider, as a client sees it.

use serde_json::Value;
use usher_fakes::scim::{CLIENT_ID, CLIENT_SECRET, Filtering, Habits, MembersShown, ScimServer, TOKEN};
use usher_fakes::{Directory, Fault, Faults, IdStyle};

struct World {
    directory: Directory,
    server: ScimServer,
    faults: Faults,
}

impl World {
    async fn new(habits: Habits) -> Self {
        let directory = Directory::new(IdStyle::Opaque);
        let faults = Faults::none();
        let server = ScimServer::start(&directory, habits, faults.clone())
            .await
            .expect("it runs");
        Self {
            directory,
            server,
            faults,
        }
    }

    async fn get_with(&self, token: &str, path: &str, query: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}{path}", self.server.base_url());
        let url = url::Url::parse_with_params(&url, query).expect("a URL");
        let answer = reqwest::Client::new()
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .expect("it runs");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> (u16, Value) {
        self.get_with(TOKEN, path, query).await
    }

    fn five_users(&self) -> Vec<String> {
        let names = ["ann", "bob", "cem", "dana", "eve"];
        let ids = names.map(|name| self.directory.add_user(&format!("{name}@contoso.example")));
        ids.iter().map(|id| id.to_string()).collect()
    }
}

fn ids(list: &Value) -> Vec<&str> {
    let resources = list["Resources"].as_array().expect("a list");
    resources
        .iter()
        .filter_map(|resource| resource["id"].as_str())
        .collect()
}

#[tokio::test]
async fn users_are_listed_by_index_and_found_by_filters() {
    let world = World::new(Habits::default()).await;
    let mut users = world.five_users();
    users.sort();
    let (_, page) = world.get("/Users", &[("startIndex", "4"), ("count", "9")]).await;
    assert_eq!(
        (page["totalResults"].as_u64(), ids(&page)),
        (Some(5), vec![&*users[3], &*users[4]])
    );
    let (_, found) = world
        .get("/Users", &[("filter", "userName eq \"CEM@contoso.example\"")])
        .await;
    assert_eq!(found["Resources"][0]["displayName"], "cem Example");
    let several = format!("id eq \"{}\" or id eq \"{}\" or id eq \"x\"", users[0], users[2]);
    let (_, found) = world.get("/Users", &[("filter", &several)]).await;
    assert_eq!(ids(&found), [&*users[0], &*users[2]]);
    let since = world.directory.now().to_string();
    world.directory.enable(&users[1], false);
    let filter = format!("meta.lastModified gt \"{since}\"");
    let (_, found) = world.get("/Users", &[("filter", &filter)]).await;
    assert_eq!(
        (ids(&found), &found["Resources"][0]["active"]),
        (vec![&*users[1]], &Value::Bool(false))
    );
}

#[tokio::test]
async fn groups_show_members_and_users_show_groups_as_the_habits_say() {
    let world = World::new(Habits::default()).await;
    let users = world.five_users();
    let group = world.directory.add_group("Board");
    world.directory.add_member(&group, &users[0]);
    let path = format!("/Groups/{group}");
    let (_, shown) = world.get(&path, &[]).await;
    assert_eq!(
        (&shown["members"][0]["value"], &shown["members"][0]["type"]),
        (&users[0].as_str().into(), &"User".into())
    );
    let (_, without) = world.get(&path, &[("excludedAttributes", "members")]).await;
    assert!(without.get("members").is_none());
    let filter = format!("id eq \"{group}\" and members.value eq \"{}\"", users[0]);
    assert_eq!(
        ids(&world.get("/Groups", &[("filter", &filter)]).await.1),
        [&*group]
    );
    let (_, user) = world.get(&format!("/Users/{}", users[0]), &[]).await;
    assert_eq!(user["groups"][0]["value"], *group);
    world.server.change(|habits| {
        habits.members = MembersShown::LeftOut;
        habits.filtering = Filtering::Refused;
    });
    assert!(world.get(&path, &[]).await.1.get("members").is_none());
    assert_eq!(world.get("/Groups", &[("filter", &filter)]).await.0, 400);
}

#[tokio::test]
async fn cursors_lead_to_the_end_and_expire_when_ordered() {
    let world = World::new(Habits {
        cursor: true,
        max_results: 2,
        ..Habits::default()
    })
    .await;
    let mut users = world.five_users();
    users.sort();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = world.get("/Users", &[("cursor", &cursor)]).await;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, users);
    world.faults.once("/Users", 0, Fault::ExpiredCheckpoint);
    let (status, error) = world.get("/Users", &[("cursor", &cursor)]).await;
    assert_eq!((status, &error["scimType"]), (400, &"expiredCursor".into()));
}

#[tokio::test]
async fn pages_are_lost_repeated_and_empty_when_ordered() {
    let world = World::new(Habits {
        max_results: 2,
        ..Habits::default()
    })
    .await;
    world.five_users();
    let second = [("startIndex", "3"), ("count", "2")];
    world.faults.once("/Users", 0, Fault::LostPage);
    let (_, lost) = world.get("/Users", &second).await;
    assert_eq!((ids(&lost).len(), lost["totalResults"].as_u64()), (0, Some(5)));
    world.faults.once("/Users", 0, Fault::EmptyPage);
    let (_, empty) = world.get("/Users", &second).await;
    assert_eq!((ids(&empty).len(), empty["totalResults"].as_u64()), (0, Some(0)));
    let (_, first) = world.get("/Users", &[("count", "2")]).await;
    world.faults.once("/Users", 0, Fault::RepeatedPage);
    let (_, repeated) = world.get("/Users", &second).await;
    assert_eq!(ids(&repeated), ids(&first));
}

#[tokio::test]
async fn whoever_has_no_token_or_no_permission_is_refused() {
    let world = World::new(Habits::default()).await;
    assert_eq!(world.get_with("wrong", "/Users", &[]).await.0, 401);
    world.server.change(|habits| habits.users_readable = false);
    assert_eq!(world.get("/Users", &[]).await.0, 403);
    assert_eq!(world.get("/Groups", &[]).await.0, 200);
    world.server.revoke();
    assert_eq!(world.get("/Groups", &[]).await.0, 401);
    let granted: Value = reqwest::Client::new()
        .post(world.server.token_url())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!(
            "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}"
        ))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = granted["access_token"].as_str().expect("a token");
    assert_eq!(world.get_with(token, "/Groups", &[]).await.0, 200);
}

#[tokio::test]
async fn a_deleted_user_is_not_there_any_more() {
    let world = World::new(Habits::default()).await;
    let users = world.five_users();
    world.directory.delete_user(&users[0]);
    assert_eq!(world.get(&format!("/Users/{}", users[0]), &[]).await.0, 404);
    assert_eq!(world.get("/Users", &[]).await.1["totalResults"], 4);
}
