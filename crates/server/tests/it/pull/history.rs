//! Checks, groups to choose from, calls of the provider, and who may.

use http::{Request, header};
use serde_json::json;
use usher_core::{ReadScope, Role};

use super::{Readable, SOON};
use crate::api::Api;
use crate::world::{Answer, eventually};

#[tokio::test]
async fn a_check_says_what_is_missing_and_what_breaks() {
    let hr = Readable::new("check", "pull").await;
    let api = Api::admin(&hr.world).await;
    let good = api.post("/sources/hr/check", &json!({})).await.expect(200);
    assert_eq!(good.body["good"], true, "{:#}", good.body);
    hr.script.missing("members show as nulls");
    let bad = api.post("/sources/hr/check", &json!({})).await.expect(200);
    let permission = &bad.body["permissions"][0];
    assert_eq!(
        (&permission["name"], &permission["state"], &permission["detail"]),
        (
            &json!("Directory.Read"),
            &json!("missing"),
            &json!("members show as nulls")
        )
    );
    assert_eq!(bad.body["good"], false);
    hr.script.fail(Some(super::unavailable));
    let down = api
        .post("/sources/hr/check", &json!({}))
        .await
        .refused(502, "source_unavailable");
    assert!(down.body["next"].is_string(), "{:#}", down.body);
    api.post("/sources/idp/check", &json!({})).await.expect(200);
}

#[tokio::test]
async fn groups_are_listed_as_the_provider_shows_them() {
    let hr = Readable::new("listing", "pull").await;
    hr.script.group("board", &["ada"]);
    hr.script.group("staff", &[]);
    let api = Api::with_role(&hr.world, Role::Requester, Some("rita@contoso.com")).await;
    let all = api.get("/sources/hr/available-groups").await.expect(200);
    assert_eq!(all.items().len(), 2);
    let some = api
        .get("/sources/hr/available-groups?prefix=bo")
        .await
        .expect(200);
    assert_eq!(
        (&some.items()[0]["id"], &some.items()[0]["members"]),
        (&json!("board"), &json!(1))
    );
    let none = api
        .get("/sources/hr/available-groups?id=nobody")
        .await
        .expect(200);
    assert!(none.items().is_empty());
    api.get("/sources/idp/available-groups")
        .await
        .refused(409, "unsupported");
    api.post("/sources/hr/sync", &json!({}))
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn a_source_that_is_only_pushed_to_is_not_read() {
    let hr = Readable::new("pushed", "pull").await;
    let api = Api::admin(&hr.world).await;
    api.post("/sources/idp/sync", &json!({}))
        .await
        .refused(409, "not_read");
    let both = json!({ "group": "a", "person": "b" });
    api.post("/sources/hr/sync", &both)
        .await
        .refused(400, "malformed");
    api.post("/sources/hr/join", &json!({}))
        .await
        .refused(400, "malformed");
    api.post("/sources/hr/join", &json!({ "user": "nobody" }))
        .await
        .refused(404, "not_found");
    assert!(api.get("/sources/idp").await.expect(200).body["pull"].is_null());
}

async fn call(hr: &Readable, method: &str, target: &str, secret: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("x-secret", secret)
        .header(header::CONTENT_TYPE, "application/json")
        .body(axum::body::Body::from(body.to_owned()))
        .expect("a request");
    hr.world.send(request).await
}

#[tokio::test]
async fn a_call_of_the_provider_is_a_hint_to_read() {
    let hr = Readable::new("hooks", "pull").await;
    hr.script.group("board", &["ada", "bob"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com", "bob@contoso.com"])
        .await;
    hr.expect_runs(2).await;
    let verified = call(&hr, "GET", "/hooks/hr?validationToken=a%20b", "", "")
        .await
        .expect(200);
    assert_eq!(verified.body, b"a b");
    call(&hr, "POST", "/hooks/hr", "guessed", "ada").await.expect(401);
    let large = "x".repeat(256 * 1024 + 1);
    call(&hr, "POST", "/hooks/hr", "agreed", &large).await.expect(413);
    for unknown in ["/hooks/idp", "/hooks/nobody"] {
        call(&hr, "POST", unknown, "agreed", "ada").await.expect(404);
    }
    hr.script.group("board", &["bob"]);
    call(&hr, "POST", "/hooks/hr", "agreed", "ada").await.expect(204);
    hr.expect_people("Board", &["bob@contoso.com"]).await;
    let run = eventually("the run", SOON, async || {
        hr.runs()
            .await
            .into_iter()
            .find(|run| run["cause"] == "notification")
    })
    .await;
    jobs.stop().await;
    assert_eq!(
        (&run["scope"], &run["targets"]),
        (&json!("person"), &json!(["ada"]))
    );
    let asked = hr.script.reads();
    assert!(
        matches!(asked.last().map(|read| &read.scope), Some(ReadScope::Person { user, .. }) if user.as_str() == "ada")
    );
}
