//! Requests that cannot be right: each is refused with its status, its keyword and a detail that helps; none is the
//! server's own failure, and none changes anything.

mod bodies;
mod patches;
mod places;
mod queries;

use std::time::Duration;

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use usher_server::access::revoke_token;

use crate::world::{Answer, World};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

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

#[tokio::test]
async fn bodies_that_are_no_resources_are_refused() {
    assert!(Place::new().await.check(bodies::bodies()).await > 50);
}

#[tokio::test]
async fn patches_that_cannot_be_understood_are_refused() {
    assert!(Place::new().await.check(patches::patches()).await > 40);
}

#[tokio::test]
async fn queries_that_cannot_be_understood_are_refused() {
    assert!(Place::new().await.check(queries::queries()).await > 30);
}

#[tokio::test]
async fn places_that_do_not_exist_are_refused() {
    assert!(Place::new().await.check(places::places()).await > 25);
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
