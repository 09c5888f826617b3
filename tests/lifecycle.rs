//! Start, stop and start again: what any operator does first.

use serde_json::json;

use crate::harness::World;

#[tokio::test]
async fn a_deployment_survives_a_stop_and_a_kill() {
    let world = World::new();
    let server = world.serve().await;
    let scim = world.scim(&server, "idp");
    let user =
        json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@contoso.com" });
    let id = scim.post("/Users", &user).await.expect(201).id();
    let (status, output) = server.terminate().await;
    assert!(status.success(), "{}", output.text());

    let server = world.serve().await;
    let scim = world.scim(&server, "idp");
    scim.get(&format!("/Users/{id}")).await.expect(200);
    let user =
        json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ben@contoso.com" });
    let second = scim.post("/Users", &user).await.expect(201).id();
    server.kill();

    let server = world.serve().await;
    world
        .scim(&server, "idp")
        .get(&format!("/Users/{second}"))
        .await
        .expect(200);
}

#[tokio::test]
async fn tokens_never_reach_the_output() {
    let world = World::new();
    let server = world.serve().await;
    let token = world.source_token("idp");
    let scim = world.scim(&server, "idp").with_token(&token);
    scim.get("/Users").await.expect(200);
    scim.with_token("forged").get("/Users").await.expect(401);
    let (_, output) = server.terminate().await;
    assert!(!output.contains(&token), "the token is in the output");
}
