//! Start, stop and start again: what any operator does first.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::{World, eventually};

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

#[tokio::test]
async fn a_server_whose_output_nobody_reads_serves_on_and_stops_when_asked() {
    let world = World::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["serve", "--config"])
        .arg(world.config_path())
        .current_dir(world.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
        .expect("it says where it listens");
    drop(child.stderr.take());

    let answer = eventually("an answer", || async {
        reqwest::get(format!("{address}/livez")).await.ok()
    })
    .await;
    assert_eq!(answer.status(), 200);
    let asked = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(asked.is_ok_and(|status| status.success()));
    let status = eventually("the server to end", || {
        let ended = child.try_wait().expect("a child of ours can be waited for");
        async move { ended }
    })
    .await;
    assert!(status.success(), "{status}");
}
