//! Requests that cannot be right: each is refused with its status, its keyword and a detail that helps; none is the
//! server's own failure, and none changes anything.

use std::time::Duration;

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use usher_server::access::revoke_token;

use crate::world::{Answer, World};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const NOBODY: &str = "018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f";

/// One request: method, path with `{user}`, `{group}`, `{theirs}` for ids, body, status, keyword.
type Case = (&'static str, &'static str, Value, u16, Option<&'static str>);

struct Place {
    world: World,
    user: String,
    group: String,
    theirs: String,
}

impl Place {
    async fn new() -> Self {
        let world = World::with("[scim]\nmax_operations = 20\nmax_members = 50\n[server]\nmax_body_bytes = 65536\nauth_failures_per_minute = 10000\n").await;
        let user = world.user("ada").await;
        world.user("bob").await;
        let group = world.group("Board", &[&user]).await;
        let other = world.source_token("other", None).await.token;
        let request = Request::post("/scim/other/v2/Users").header(header::AUTHORIZATION, other);
        let body = Body::from(json!({ "userName": "theirs" }).to_string());
        let theirs = world
            .send(request.body(body).expect("a request"))
            .await
            .expect(201)
            .id();
        Self {
            world,
            user,
            group,
            theirs,
        }
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{user}", &self.user)
            .replace("{group}", &self.group)
            .replace("{theirs}", &self.theirs)
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = self
            .world
            .request(method, &self.fill(path))
            .body(Body::from(self.fill(body)));
        self.world.send(request.expect("a request")).await
    }

    async fn check(&self, cases: Vec<Case>) -> usize {
        let before = self.world.everything().await;
        let count = cases.len();
        for (method, path, body, status, scim_type) in cases {
            let text = match &body {
                Value::String(raw) => raw.clone(),
                Value::Null => String::new(),
                json => json.to_string(),
            };
            let shown: String = text.chars().take(200).collect();
            let answer = self.send(method, path, &text).await;
            assert_eq!(
                answer.status,
                status,
                "{method} {path} {shown}\n{}",
                String::from_utf8_lossy(&answer.body)
            );
            answer.refused(status, scim_type);
            assert_eq!(
                self.world.everything().await,
                before,
                "{method} {path} {shown} changed something"
            );
        }
        count
    }
}

#[expect(clippy::needless_pass_by_value, reason = "reads better in the tables below")]
fn ops(operations: Value) -> Value {
    json!({ "schemas": [PATCH_OP], "Operations": operations })
}

fn nested(depth: usize) -> Value {
    Value::String(format!(
        "{{\"userName\":\"x\",\"a\":{}{}}}",
        "[".repeat(depth),
        "]".repeat(depth)
    ))
}

fn bodies() -> Vec<Case> {
    let syntax = Some("invalidSyntax");
    let value = Some("invalidValue");
    vec![
        ("POST", "/Users", json!("{\"userName\": "), 400, syntax),
        ("POST", "/Users", json!("{userName: ada}"), 400, syntax),
        ("POST", "/Users", json!("{'userName': 'x'}"), 400, syntax),
        ("POST", "/Users", json!("{\"userName\": \"x\"} tail"), 400, syntax),
        ("POST", "/Users", json!("userName=x&active=true"), 400, syntax),
        ("POST", "/Users", json!("<user/>"), 400, syntax),
        ("POST", "/Users", Value::Null, 400, syntax),
        ("POST", "/Users", json!("   \n"), 400, syntax),
        ("POST", "/Users", json!("\u{0}"), 400, syntax),
        ("POST", "/Users", json!("[]"), 400, syntax),
        ("POST", "/Users", json!("null"), 400, syntax),
        ("POST", "/Users", json!("42"), 400, syntax),
        ("POST", "/Users", json!("\"text\""), 400, syntax),
        (
            "POST",
            "/Users",
            json!("{\"userName\": \"\\ud800\"}"),
            400,
            syntax,
        ),
        ("POST", "/Users", json!("{\"userName\": 1e999}"), 400, syntax),
        ("POST", "/Users", nested(40), 400, syntax),
        ("POST", "/Users", nested(20_000), 400, syntax),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "title": "y".repeat(70_000) }),
            413,
            None,
        ),
        ("POST", "/Users", json!({}), 400, value),
        ("POST", "/Users", json!({ "userName": "" }), 400, value),
        ("POST", "/Users", json!({ "userName": "   " }), 400, value),
        ("POST", "/Users", json!({ "userName": null }), 400, value),
        ("POST", "/Users", json!({ "userName": 42 }), 400, value),
        ("POST", "/Users", json!({ "userName": ["a", "b"] }), 400, value),
        ("POST", "/Users", json!({ "userName": { "a": 1 } }), 400, value),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "active": "maybe" }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "active": 7 }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "active": [true, false] }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "name": "Ada" }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "name": [1] }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "name": { "givenName": 5 } }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "emails": [{ "value": 5 }] }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "emails": [[]] }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "displayName": {} , "title": [[]] }),
            400,
            value,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "schemas": 5 }),
            400,
            syntax,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "schemas": [5] }),
            400,
            syntax,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "x", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"] }),
            400,
            syntax,
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "ADA" }),
            409,
            Some("uniqueness"),
        ),
        (
            "POST",
            "/Users",
            json!({ "userName": "new", "externalId": "x-ada" }),
            409,
            Some("uniqueness"),
        ),
        (
            "PUT",
            "/Users/{user}",
            json!({ "userName": "bob" }),
            409,
            Some("uniqueness"),
        ),
        ("PUT", "/Users/{user}", json!({ "title": "no name" }), 400, value),
        ("PUT", "/Users/{user}", json!("[1"), 400, syntax),
        ("POST", "/Groups", json!({}), 400, value),
        ("POST", "/Groups", json!({ "displayName": "" }), 400, value),
        ("POST", "/Groups", json!({ "displayName": 5 }), 400, value),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": "all" , "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"] }),
            400,
            syntax,
        ),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": 5 }),
            400,
            value,
        ),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": [null] }),
            400,
            value,
        ),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": [{}] }),
            400,
            value,
        ),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": [{ "value": 5 }] }),
            400,
            value,
        ),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": [{ "value": "" }] }),
            400,
            value,
        ),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": [{ "value": "x".repeat(600) }] }),
            400,
            value,
        ),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": [{ "value": "{\"id\":1}" }] }),
            400,
            value,
        ),
        (
            "POST",
            "/Groups",
            json!({ "displayName": "x", "members": (0..51).map(|n| n.to_string()).collect::<Vec<_>>() }),
            413,
            None,
        ),
        (
            "PUT",
            "/Groups/{group}",
            json!({ "displayName": "x", "members": [{ "display": "nobody" }] }),
            400,
            value,
        ),
        ("PUT", "/Groups/{group}", json!({ "members": [] }), 400, value),
    ]
}

fn patches() -> Vec<Case> {
    let syntax = Some("invalidSyntax");
    let value = Some("invalidValue");
    let path = Some("invalidPath");
    let target = Some("noTarget");
    let mutability = Some("mutability");
    let user = "/Users/{user}";
    let group = "/Groups/{group}";
    vec![
        ("PATCH", user, json!({}), 400, syntax),
        ("PATCH", user, json!([]), 400, syntax),
        ("PATCH", user, json!({ "Operations": {} }), 400, syntax),
        ("PATCH", user, json!({ "Operations": "add" }), 400, syntax),
        ("PATCH", user, ops(json!(["add"])), 400, syntax),
        ("PATCH", user, ops(json!([{}])), 400, syntax),
        ("PATCH", user, ops(json!([{ "op": 5 }])), 400, syntax),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "move", "path": "title" }])),
            400,
            syntax,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": 5, "value": "x" }])),
            400,
            syntax,
        ),
        ("PATCH", user, ops(json!([{ "op": "remove" }])), 400, target),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "remove", "path": "" }])),
            400,
            target,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "value": "x" }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "add", "value": [] }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "emails[", "value": "x" }])),
            400,
            Some("invalidFilter"),
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "a..b", "value": "x" }])),
            400,
            path,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "1title", "value": "x" }])),
            400,
            path,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "name.givenName.x", "value": "x" }])),
            400,
            path,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "emails[type eq]", "value": "x" }])),
            400,
            Some("invalidFilter"),
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "emails[type zz \"work\"].value", "value": "x" }])),
            400,
            Some("invalidFilter"),
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "emails[type co \"zzz\"].value", "value": "x" }])),
            400,
            target,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "id", "value": "x" }])),
            400,
            mutability,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "meta.created", "value": "x" }])),
            400,
            mutability,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "add", "path": "groups", "value": [{ "value": "x" }] }])),
            400,
            mutability,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "userName", "value": "" }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "userName", "value": null }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "value": { "userName": "" } }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "active", "value": "perhaps" }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "active", "value": {} }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "name", "value": "Ada" }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "userName", "value": "BOB" }])),
            409,
            Some("uniqueness"),
        ),
        (
            "PATCH",
            user,
            ops(Value::Array(vec![
                json!({ "op": "add", "path": "title", "value": "x" });
                21
            ])),
            413,
            None,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "add", "path": "title", "value": "x" }, { "op": "nonsense" }])),
            400,
            syntax,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "members", "value": [] }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "members", "value": [{}] }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "members", "value": 5 }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(
                json!([{ "op": "replace", "path": "members", "value": "everybody" , "x": 1 }, { "op": "x" }]),
            ),
            400,
            syntax,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "add", "path": "members", "value": [[]] }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "add", "path": "members", "value": [{ "id": "x" }] }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "members[value zz \"x\"]" }])),
            400,
            Some("invalidFilter"),
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "displayName" }])),
            400,
            mutability,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "replace", "path": "displayName", "value": "" }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(
                json!([{ "op": "add", "path": "members", "value": (0..51).map(|n| json!({ "value": n.to_string() })).collect::<Vec<_>>() }]),
            ),
            413,
            None,
        ),
    ]
}

fn queries() -> Vec<Case> {
    let filter = Some("invalidFilter");
    let value = Some("invalidValue");
    let get = |path: &'static str, status: u16, scim_type: Option<&'static str>| {
        ("GET", path, Value::Null, status, scim_type)
    };
    vec![
        get("/Users?filter=userName", 400, filter),
        get("/Users?filter=userName%20eq", 400, filter),
        get("/Users?filter=userName%20is%20%22x%22", 400, filter),
        get("/Users?filter=%22x%22%20eq%20userName", 400, filter),
        get("/Users?filter=userName%20eq%20%22x", 400, filter),
        get("/Users?filter=(userName%20eq%20%22x%22", 400, filter),
        get("/Users?filter=userName%20eq%20%22x%22%20and", 400, filter),
        get(
            "/Users?filter=userName%20eq%20%22x%22%20xor%20title%20pr",
            400,
            filter,
        ),
        get("/Users?filter=emails%5Btype%20eq%20%22work%22", 400, filter),
        get("/Users?filter=active%20gt%20true", 400, filter),
        get("/Users?filter=active%20eq%20%22maybe%22", 400, filter),
        get("/Users?filter=password%20eq%20%22x%22", 400, filter),
        get("/Users?filter=meta.created%20gt%20%22soon%22", 400, filter),
        get("/Users?filter='%20OR%201=1%20--", 400, filter),
        get("/Users?filter=%00", 400, filter),
        get("/Users?filter=%ff%fe", 400, value),
        get("/Users?filter=%2", 400, value),
        get("/Users?startIndex=one", 400, value),
        get("/Users?count=many", 400, value),
        get("/Users?count=1.5", 400, value),
        get("/Users?startIndex=99999999999999999999999", 400, value),
        get("/Users?sortBy=a..b", 400, value),
        get("/Users?sortBy=userName&sortOrder=sideways", 400, value),
        get("/Users?attributes=1x", 400, value),
        get("/Users/{user}?attributes=%5B%5D", 400, value),
        get("/Users/{user}?excludedAttributes=a.b.c", 400, value),
        get("/Users?cursor=forged", 400, Some("invalidCursor")),
        get("/Users?cursor=%20", 400, Some("invalidCursor")),
        get(
            "/Users?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            400,
            Some("invalidCursor"),
        ),
        get("/Users?cursor&count=x", 400, Some("invalidCount")),
        get("/Users?cursor&startIndex=2", 400, value),
        ("POST", "/Users/.search", json!("[]"), 400, Some("invalidSyntax")),
        (
            "POST",
            "/Users/.search",
            json!({ "filter": 5 }),
            400,
            Some("invalidSyntax"),
        ),
        (
            "POST",
            "/.search",
            json!({ "count": {} }),
            400,
            Some("invalidSyntax"),
        ),
        (
            "POST",
            "/.search",
            json!({ "attributes": [5] }),
            400,
            Some("invalidSyntax"),
        ),
        (
            "POST",
            "/Groups/.search",
            json!({ "filter": "displayName is \"x\"" }),
            400,
            filter,
        ),
    ]
}

fn places() -> Vec<Case> {
    let none = || Value::Null;
    vec![
        ("GET", "/Users/{theirs}", none(), 404, None),
        ("PUT", "/Users/{theirs}", json!({ "userName": "x" }), 404, None),
        ("PATCH", "/Users/{theirs}", ops(json!([])), 404, None),
        ("DELETE", "/Users/{theirs}", none(), 404, None),
        ("GET", "/Groups/{user}", none(), 404, None),
        ("GET", "/Users/{group}", none(), 404, None),
        ("GET", "/Users/not-a-uuid", none(), 404, None),
        ("DELETE", "/Users/1%20OR%201=1", none(), 404, None),
        ("GET", "/Users/%ff", none(), 404, None),
        ("GET", "/Users/../Groups", none(), 404, None),
        (
            "PUT",
            "/Groups/018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f",
            json!({ "displayName": "x" }),
            404,
            None,
        ),
        (
            "DELETE",
            "/Groups/018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f",
            none(),
            404,
            None,
        ),
        ("GET", "", none(), 404, None),
        ("GET", "/Nothing", none(), 404, None),
        ("GET", "/Users/1/2/3", none(), 404, None),
        ("GET", "/ResourceTypes/Device", none(), 404, None),
        ("GET", "/Me", none(), 501, None),
        ("DELETE", "/Users", none(), 405, None),
        ("PUT", "/Groups", json!({ "displayName": "x" }), 405, None),
        ("PATCH", "/ServiceProviderConfig", json!({}), 405, None),
        ("BREW", "/Users", none(), 405, None),
        ("POST", "/Bulk", json!({}), 400, Some("invalidSyntax")),
        (
            "POST",
            "/Bulk",
            json!({ "Operations": [{ "method": "GET", "path": "/Users" }] }),
            400,
            Some("invalidSyntax"),
        ),
        (
            "POST",
            "/Bulk",
            json!({ "Operations": [{ "method": "POST", "path": "/Users", "data": {} }] }),
            400,
            Some("invalidValue"),
        ),
        (
            "POST",
            "/Bulk",
            json!({ "Operations": [{ "method": "POST", "path": "/Devices", "bulkId": "a", "data": {} }] }),
            400,
            Some("invalidValue"),
        ),
        (
            "POST",
            "/Bulk",
            json!({ "failOnErrors": 0, "Operations": [] }),
            400,
            Some("invalidValue"),
        ),
        (
            "POST",
            "/Bulk",
            json!({ "Operations": vec![json!({ "method": "DELETE", "path": format!("/Users/{NOBODY}") }); 21] }),
            413,
            None,
        ),
    ]
}

#[tokio::test]
async fn bodies_that_are_no_resources_are_refused() {
    assert!(Place::new().await.check(bodies()).await > 50);
}

#[tokio::test]
async fn patches_that_cannot_be_understood_are_refused() {
    assert!(Place::new().await.check(patches()).await > 40);
}

#[tokio::test]
async fn queries_that_cannot_be_understood_are_refused() {
    assert!(Place::new().await.check(queries()).await > 30);
}

#[tokio::test]
async fn places_that_do_not_exist_are_refused() {
    assert!(Place::new().await.check(places()).await > 25);
}

#[tokio::test]
async fn huge_filters_are_refused() {
    let place = Place::new().await;
    for (filter, scim_type) in [
        (format!("userName eq \"{}\"", "x".repeat(9000)), "invalidFilter"),
        (vec!["title pr"; 200].join(" or "), "invalidFilter"),
        (
            format!("{}title pr{}", "(".repeat(100), ")".repeat(100)),
            "invalidFilter",
        ),
        (format!("{}(title pr)", "not ".repeat(50)), "invalidFilter"),
    ] {
        let body = json!({ "filter": filter }).to_string();
        place
            .send("POST", "/Users/.search", &body)
            .await
            .refused(400, Some(scim_type));
    }
}

#[tokio::test]
async fn media_types_that_are_no_json_are_refused() {
    let place = Place::new().await;
    for kind in [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ] {
        let mut request = place
            .world
            .request("POST", "/Users")
            .body(Body::from(json!({ "userName": "x" }).to_string()))
            .expect("a request");
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, kind.parse().expect("a header"));
        place.world.send(request).await.refused(415, None);
    }
    let request = place
        .world
        .request("POST", "/Users")
        .header(header::CONTENT_ENCODING, "gzip");
    place
        .world
        .send(request.body(Body::from("x")).expect("a request"))
        .await
        .refused(415, None);
    let request = place
        .world
        .request("POST", "/Users")
        .header(header::CONTENT_LENGTH, "99999999");
    place
        .world
        .send(request.body(Body::from("{}")).expect("a request"))
        .await
        .refused(413, None);
}

#[tokio::test]
async fn forged_and_spent_tokens_change_nothing() {
    let place = Place::new().await;
    let world = &place.world;
    let spent = world
        .source_token("idp", Some("1m".parse().expect("a period")))
        .await
        .token;
    let revoked = world.source_token("idp", None).await;
    let cause = usher_engine::Cause::new(usher_engine::Actor::Operator("test".into()));
    revoke_token(&world.engine, cause, revoked.id)
        .await
        .expect("it is there");
    world.clock.advance(Duration::from_secs(61));
    let before = world.everything().await;
    let swapped = world.token.replace("usher_", "");
    for (credential, status) in [
        (spent.as_str(), 401),
        (revoked.token.as_str(), 401),
        (swapped.as_str(), 401),
        ("usher_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 401),
        ("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", 401),
        ("Digest username=x", 401),
        ("' OR '1'='1", 401),
    ] {
        for method in ["POST", "DELETE"] {
            let path = if method == "POST" {
                "/Users".to_owned()
            } else {
                format!("/Users/{}", place.user)
            };
            let request = Request::builder()
                .method(method)
                .uri(format!("/scim/idp/v2{path}"))
                .header(header::AUTHORIZATION, credential)
                .body(Body::from(json!({ "userName": "evil" }).to_string()))
                .expect("a request");
            world.send(request).await.refused(status, None);
        }
    }
    assert_eq!(world.everything().await, before);
}
