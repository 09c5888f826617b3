//! Microsoft Graph, as its documentation describes it.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use usher_fakes::graph::{Expiry, Graph, Options};
use usher_fakes::{Directory, Fault, Faults, IdStyle, Life};

/// A fake, its directory, and somebody with an access token.
pub(crate) struct World {
    pub(crate) directory: Directory,
    pub(crate) graph: Graph,
    pub(crate) faults: Faults,
    client: Client,
    token: String,
}

impl World {
    pub(crate) async fn new(page_size: Option<usize>) -> Self {
        let directory = Directory::new(IdStyle::Guid);
        let faults = Faults::none();
        let options = Options {
            page_size,
            ..Options::default()
        };
        let graph = Graph::start(directory.clone(), options, faults.clone())
            .await
            .expect("an answer");
        let client = Client::new();
        let answer = token(&client, &graph, &[("client_secret", "graph-secret")]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.expect("an answer");
        assert_eq!(body["token_type"], "Bearer");
        Self {
            directory,
            graph,
            faults,
            client,
            token: body["access_token"].as_str().expect("text").into(),
        }
    }

    pub(crate) async fn send(&self, url: &str, headers: &[(&'static str, &str)]) -> Response {
        let url = if url.starts_with("http") {
            url.to_owned()
        } else {
            format!("{}/v1.0{url}", self.graph.url())
        };
        let mut request = self.client.get(url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    /// The body of an answer that has to be 200.
    pub(crate) async fn get(&self, url: &str) -> Value {
        let answer = self.send(url, &[]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        answer.json().await.expect("an answer")
    }

    /// As [`Self::get`], with the header of advanced queries.
    pub(crate) async fn get_eventual(&self, url: &str) -> Value {
        let answer = self.send(url, &[("ConsistencyLevel", "eventual")]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        answer.json().await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/v1.0{path}", self.graph.url());
        let request = self.client.post(url).bearer_auth(&self.token).json(body);
        request
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("an answer")
    }

    async fn refused(&self, url: &str) -> (u16, String) {
        let answer = self.send(url, &[]).await;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.expect("an answer");
        (
            status,
            body["error"]["code"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// The ids on all pages, and how many pages there were.
    async fn walk(&self, url: &str) -> (Vec<String>, usize) {
        let (mut ids, mut pages, mut next) = (Vec::new(), 0, Some(url.to_owned()));
        while let Some(url) = next {
            let page = self.get(&url).await;
            pages += 1;
            let items = page["value"].as_array().expect("a list");
            ids.extend(
                items
                    .iter()
                    .map(|item| item["id"].as_str().expect("text").to_owned()),
            );
            next = page["@odata.nextLink"].as_str().map(String::from);
        }
        (ids, pages)
    }
}

pub(crate) async fn token(client: &Client, graph: &Graph, credential: &[(&str, &str)]) -> Response {
    let options = graph.options();
    let scope = format!("{}/.default", graph.url());
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", options.client_id.as_str()),
        ("scope", scope.as_str()),
    ];
    fields.extend(credential);
    let url = format!("{}/{}/oauth2/v2.0/token", graph.url(), options.tenant);
    post_form(client, url, &fields).await
}

pub(crate) async fn post_form(client: &Client, url: String, fields: &[(&str, &str)]) -> Response {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = client
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn members_come_in_pages_with_opaque_links() {
    let world = World::new(Some(2)).await;
    let group = world.directory.add_group("Board");
    for name in ["a", "b", "c", "d", "e"] {
        let user = world.directory.add_user(&format!("{name}@contoso.example"));
        world.directory.add_member(&group, &user);
    }
    let url = format!("/groups/{group}/members?$select=id,accountEnabled&$top=999");
    let (mut ids, pages) = world.walk(&url).await;
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), pages), (5, 3));
    let capitals = format!("/groups/{}/members", group.to_uppercase());
    assert_eq!(world.walk(&capitals).await.0.len(), 5);
    let error = world.refused(&format!("/groups/{group}/members?$top=1000")).await;
    assert_eq!(error, (400, "Request_UnsupportedQuery".into()));
}

#[tokio::test]
async fn casts_filters_and_counts_need_the_header_and_count() {
    let world = World::new(None).await;
    let group = world.directory.add_group("Board");
    let user = world.directory.add_user("a@contoso.example");
    let inner = world.directory.add_group("Inner");
    world.directory.add_member(&group, &user);
    world.directory.add_member(&group, &inner);
    for path in [
        "members/microsoft.graph.user",
        "members/$count",
        "members?$filter=id eq 'x'",
    ] {
        let error = world.refused(&format!("/groups/{group}/{path}")).await;
        assert_eq!(error, (400, "Request_UnsupportedQuery".into()), "{path}");
    }
    let page = world
        .get_eventual(&format!(
            "/groups/{group}/members/microsoft.graph.user?$count=true&$select=id"
        ))
        .await;
    assert_eq!(
        (
            page["@odata.count"].as_u64(),
            page["value"].as_array().map(Vec::len)
        ),
        (Some(1), Some(1))
    );
    let count = world
        .send(
            &format!("/groups/{group}/members/$count"),
            &[("ConsistencyLevel", "eventual")],
        )
        .await;
    assert_eq!(count.headers()["content-type"], "text/plain");
    assert_eq!(count.text().await.unwrap(), "2");
}

#[tokio::test]
async fn transitive_members_are_flat_and_circles_end() {
    let world = World::new(None).await;
    let (outer, inner) = (
        world.directory.add_group("Outer"),
        world.directory.add_group("Inner"),
    );
    let user = world.directory.add_user("a@contoso.example");
    world.directory.add_member(&outer, &inner);
    world.directory.add_member(&inner, &outer);
    world.directory.add_member(&inner, &user);
    let (ids, _) = world.walk(&format!("/groups/{outer}/transitiveMembers")).await;
    assert_eq!(ids, [user.to_string(), inner.to_string()]);
}

#[tokio::test]
async fn a_permission_that_is_missing_shows_as_documented() {
    let world = World::new(None).await;
    let group = world.directory.add_group("Board");
    let user = world.directory.add_user("a@contoso.example");
    world.directory.add_member(&group, &user);
    world.graph.grant("User.Read.All", false);
    let page = world
        .get(&format!(
            "/groups/{group}/members?$select=id,displayName,accountEnabled"
        ))
        .await;
    let limited = json!([{
        "@odata.type": "#microsoft.graph.user", "id": &*user, "displayName": null, "accountEnabled": null,
    }]);
    assert_eq!(page["value"], limited);
    let denied = (403, "Authorization_RequestDenied".to_owned());
    assert_eq!(world.refused("/users").await, denied);
    world.graph.grant("GroupMember.Read.All", false);
    assert_eq!(world.refused("/groups").await, denied);
    assert_eq!(world.refused("/organization").await, denied);
    let absent = "11111111-2222-4333-8444-555555555555";
    world.graph.grant("GroupMember.Read.All", true);
    let missing = (404, "Request_ResourceNotFound".to_owned());
    assert_eq!(world.refused(&format!("/groups/{absent}")).await, missing);
}

#[tokio::test]
async fn a_delta_tells_the_net_changes_once_and_in_any_page() {
    let world = World::new(Some(2)).await;
    world.graph.set(|options| options.delta_members = 1);
    let group = world.directory.add_group("Board");
    let other = world.directory.add_group("Other");
    let users: Vec<_> = (0..4)
        .map(|number| world.directory.add_user(&format!("u{number}@contoso.example")))
        .collect();
    world.directory.add_member(&group, &users[0]);
    let start =
        format!("/groups/delta?$select=displayName,members&$filter=id eq '{group}'&$deltatoken=latest");
    let latest = world.get(&start).await;
    assert_eq!(latest["value"], json!([]));
    world.directory.add_member(&group, &users[1]);
    world.directory.add_member(&group, &users[2]);
    world.directory.add_member(&group, &users[3]);
    world.directory.remove_member(&group, &users[3]);
    world.directory.remove_member(&group, &users[0]);
    world.directory.add_member(&other, &users[0]);
    let (mut told, mut pages) = (Vec::new(), 0);
    let mut next = latest["@odata.deltaLink"].as_str().map(String::from);
    let delta_link = loop {
        let page = world.get(&next.unwrap()).await;
        pages += 1;
        for item in page["value"].as_array().unwrap() {
            assert_eq!(
                (&item["id"], &item["displayName"]),
                (&json!(&*group), &json!("Board"))
            );
            told.extend(item["members@delta"].as_array().unwrap().clone());
        }
        if let Some(link) = page["@odata.deltaLink"].as_str() {
            break link.to_owned();
        }
        next = page["@odata.nextLink"].as_str().map(String::from);
    };
    assert_eq!(pages, 2, "a group is split over pages");
    let state = |id: &str| {
        let found = told.iter().find(|member| member["id"] == id).expect("told");
        found["@removed"]["reason"].as_str()
    };
    assert_eq!(told.len(), 4);
    assert_eq!((state(&users[0]), state(&users[1])), (Some("deleted"), None));
    assert_eq!((state(&users[2]), state(&users[3])), (None, Some("deleted")));
    assert_eq!(world.get(&delta_link).await["value"], json!([]));
    world.faults.once("/groups/delta", 0, Fault::Replay);
    assert_ne!(
        world.get(&delta_link).await["value"],
        json!([]),
        "the round before comes again"
    );
}

#[tokio::test]
async fn deletions_are_told_with_their_reasons() {
    let world = World::new(None).await;
    let users = world.get("/users/delta?$deltatoken=latest").await;
    let group = world.directory.add_group("Board");
    let user = world.directory.add_user("a@contoso.example");
    world.directory.add_member(&group, &user);
    let groups = world.get("/groups/delta?$deltatoken=latest").await;
    world.directory.soft_delete_user(&user);
    let links = [&users, &groups].map(|page| page["@odata.deltaLink"].as_str().unwrap().to_owned());
    let bin = json!([{ "id": &*user, "@removed": { "reason": "changed" } }]);
    assert_eq!(world.get(&links[0]).await["value"], bin);
    assert_eq!(
        world.get(&links[1]).await["value"],
        json!([]),
        "the membership is kept"
    );
    let deleted = world.get(&format!("/directory/deletedItems/{user}")).await;
    assert!(
        deleted["userPrincipalName"]
            .as_str()
            .unwrap()
            .starts_with(&user.replace('-', ""))
    );
    assert_eq!(world.refused(&format!("/users/{user}")).await.0, 404);
    world.directory.delete_user(&user);
    world.directory.delete_group(&group, Life::SoftDeleted);
    let gone = json!([{ "id": &*user, "@removed": { "reason": "deleted" } }]);
    assert_eq!(world.get(&links[0]).await["value"], gone);
    let gone = json!([{ "id": &*group, "@removed": { "reason": "changed" } }]);
    assert_eq!(world.get(&links[1]).await["value"], gone);
}

#[tokio::test]
async fn an_old_delta_token_is_refused_in_each_documented_way() {
    for (expiry, expected) in [
        (Expiry::Gone, (410, "resyncRequired")),
        (Expiry::NotFound, (404, "syncStateNotFound")),
        (Expiry::BadRequest, (400, "SyncStateNotFound")),
    ] {
        let world = World::new(None).await;
        world.graph.set(|options| options.expiry = expiry);
        world.directory.add_group("Board");
        let latest = world.get("/groups/delta?$deltatoken=latest").await;
        world.graph.expire_delta_tokens();
        let link = latest["@odata.deltaLink"].as_str().unwrap();
        let answer = world.send(link, &[]).await;
        let location = answer
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            location.is_some_and(|url| url.ends_with("$deltatoken=")),
            expiry == Expiry::Gone
        );
        assert_eq!(world.refused(link).await, (expected.0, expected.1.to_owned()));
    }
}

#[tokio::test]
async fn a_delta_takes_few_parameters_and_fifty_ids() {
    let world = World::new(None).await;
    let unsupported = (400, "Request_UnsupportedQuery".to_owned());
    for query in ["$top=5", "$filter=displayName eq 'x'", "$expand=members"] {
        assert_eq!(
            world.refused(&format!("/groups/delta?{query}")).await,
            unsupported,
            "{query}"
        );
    }
    let clauses = |count: usize| vec!["id eq '11111111-2222-4333-8444-555555555555'"; count].join(" or ");
    world.get(&format!("/groups/delta?$filter={}", clauses(50))).await;
    let error = world
        .refused(&format!("/groups/delta?$filter={}", clauses(51)))
        .await;
    assert_eq!(error, unsupported);
}

#[tokio::test]
async fn a_batch_answers_each_request_in_any_order() {
    let world = World::new(None).await;
    let user = world.directory.add_user("a@contoso.example");
    world.graph.set(|options| options.throttled_in_batch = 1);
    let request = |id: &str, url: String| json!({ "id": id, "method": "GET", "url": url });
    let body = json!({ "requests": [
        request("1", "/users/11111111-2222-4333-8444-555555555555".into()),
        request("2", format!("/users/{user}?$select=id,accountEnabled")),
        request("3", "/users/11111111-2222-4333-8444-555555555555".into()),
    ]});
    let answer = world.post("/$batch", &body).await;
    let statuses: Vec<_> = answer["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(statuses, [("3", 404), ("2", 200), ("1", 429)]);
    let too_many: Vec<_> = (0..21)
        .map(|number| request(&number.to_string(), "/users".into()))
        .collect();
    let answer = world.post("/$batch", &json!({ "requests": too_many })).await;
    assert_eq!(answer["error"]["code"], "BadRequest");
}

#[tokio::test]
async fn memberships_are_checked_for_twenty_groups_transitively() {
    let world = World::new(None).await;
    let (outer, inner) = (
        world.directory.add_group("Outer"),
        world.directory.add_group("Inner"),
    );
    let user = world.directory.add_user("a@contoso.example");
    world.directory.add_member(&outer, &inner);
    world.directory.add_member(&inner, &user);
    let path = format!("/users/{user}/checkMemberGroups");
    let answer = world
        .post(&path, &json!({ "groupIds": [&*outer, &*inner] }))
        .await;
    assert_eq!(answer["value"], json!([&*outer, &*inner]));
    for ids in [vec![outer.to_string(); 21], vec!["no guid".into()], Vec::new()] {
        let answer = world.post(&path, &json!({ "groupIds": ids })).await;
        assert_eq!(answer["error"]["code"], "Request_BadRequest");
    }
}

#[tokio::test]
async fn the_next_link_leads_where_it_is_told() {
    let world = World::new(Some(1)).await;
    world.directory.add_group("One");
    world.directory.add_group("Two");
    world
        .graph
        .set(|options| options.links_to = Some("https://elsewhere.example".into()));
    let page = world.get("/groups?$select=id").await;
    let link = page["@odata.nextLink"].as_str().unwrap();
    assert!(
        link.starts_with("https://elsewhere.example/v1.0/groups?"),
        "{link}"
    );
}

#[tokio::test]
async fn tokens_end_and_other_versions_are_unknown() {
    let world = World::new(None).await;
    world.get("/groups").await;
    world.graph.expire_access_tokens();
    assert_eq!(
        world.refused("/groups").await,
        (401, "InvalidAuthenticationToken".into())
    );
}
