//! The command line is a second process on the database of a running server; and the try-out mode, which needs no file.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Client, World};

/// How long the server may go by what it knew of a token.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_token_that_the_command_line_revokes_is_refused_within_a_second() {
    let world = World::new();
    let server = world.serve().await;
    for kind in [["--source", "idp"], ["--role", "viewer"]] {
        let made = world.cli_json(&["token", "create", "--label", "short-lived", kind[0], kind[1]]);
        let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
        let (client, path) = match kind[0] {
            "--source" => (Client::scim(server.address(), "idp", token), "/Users"),
            _ => (Client::api(server.address(), token), "/rooms"),
        };
        client.get(path).await.expect(200);
        world.cli(&["token", "revoke", id]).succeeded();
        let revoked = Instant::now();
        loop {
            let asked = Instant::now();
            let answer = client.get(path).await;
            if answer.status == 401 {
                break;
            }
            let late = asked.duration_since(revoked);
            assert!(
                late <= NOTICED_WITHIN,
                "still answered {} after {late:?}",
                answer.status
            );
        }
    }
}

#[tokio::test]
async fn events_of_the_command_line_reach_the_feed_of_the_running_server() {
    let world = World::new();
    let server = world.serve().await;
    let api = world.api(&server);
    let start = api.get("/events?limit=1000").await.expect(200).text("/next");
    let path = format!("/events?after={start}&wait=30");
    let waiting = tokio::spawn(async move { api.get(&path).await });
    world.cli_json(&[
        "token",
        "create",
        "--role",
        "viewer",
        "--label",
        "seen in the feed",
    ]);
    let event = waiting
        .await
        .expect("the request ends")
        .expect(200)
        .list("/items")
        .remove(0);
    assert_eq!(event["type"], "usher.token.created");
    assert_eq!(event["data"]["label"], "seen in the feed");
    assert!(
        event["actor"].as_str().unwrap().starts_with("operator:"),
        "{event:#}"
    );
}

#[tokio::test]
async fn without_a_file_the_server_says_once_how_to_try_it_out() {
    let world = World::new();
    let server = world.serve_trying_out().await;
    let output = server.output().clone();
    let after =
        |label: &'static str| move |line: &str| line.strip_prefix(label).map(|rest| rest.trim().to_owned());
    let url = output.find("the SCIM URL", after("SCIM URL:")).await;
    let pushing = output.find("the SCIM token", after("SCIM token:")).await;
    let administrator = output.find("the API token", after("Admin token:")).await;
    assert!(
        output.text().lines().any(|line| line.contains("try-out mode")),
        "{}",
        output.text()
    );
    assert_eq!(url, format!("{}/scim/idp/v2", server.address()));
    Client::scim(server.address(), "idp", &pushing)
        .get("/Users")
        .await
        .expect(200);
    Client::api(server.address(), &administrator)
        .get("/tokens")
        .await
        .expect(200);
    assert!(world.folder().join("data/usher.db").exists());
    server.terminate().await;

    let server = world.serve_trying_out().await;
    Client::scim(server.address(), "idp", &pushing)
        .get("/Users")
        .await
        .expect(200);
    assert!(!server.output().contains("SCIM token:"), "tokens are shown once");
}

#[tokio::test]
async fn what_the_command_line_refuses_has_an_exit_code_and_says_what_to_do() {
    let world = World::new();
    let server = world.serve().await;
    world
        .cli(&["token", "create", "--source", "nobody", "--label", "x"])
        .refused();
    world
        .cli(&["token", "revoke", "0198c0de-0000-7000-8000-000000000000"])
        .refused();
    let unknown = world.cli(&["serve", "--no-such-option"]).refused();
    assert_eq!(unknown.code, Some(2));
    drop(server);
}

#[tokio::test]
async fn both_jobs_are_done_by_the_command_line() {
    let world = World::new();
    let server = world.serve().await;
    let scim = world.scim(&server, "idp");
    world.cli_json(&[
        "order",
        "create",
        "Board",
        "--group",
        "Board members",
        "--administrator",
        "ada@contoso.com",
        "--expected",
        "10",
        "--requester",
        "rita@contoso.com",
        "--submit",
    ]);
    world.cli_json(&["order", "accept", "Board", "--bootstrap", "setup@vendor.example"]);
    let url = "https://portal.example/rooms/1";
    world.cli_json(&[
        "order",
        "room-ready",
        "Board",
        "--portal-id",
        "room-1",
        "--url",
        url,
    ]);
    world.cli(&["order", "confirm", "Board"]).refused();
    world.cli(&["order", "confirm", "Board", "--yes"]).succeeded();
    let mut users = Vec::new();
    for name in ["ada@contoso.com", "ben@contoso.com"] {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "active": true,
        });
        users.push(json!({ "value": scim.post("/Users", &user).await.expect(201).id() }));
    }
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Board members", "members": users,
    });
    let group = scim.post("/Groups", &group).await.expect(201).id();
    let table = world.cli(&["member", "list", "Board"]).succeeded().stdout;
    assert!(
        table.contains("ada@contoso.com") && table.contains("ben@contoso.com"),
        "{table}"
    );
    assert!(
        !table.contains("setup@vendor.example"),
        "the room is live: {table}"
    );

    for op in ["remove", "add"] {
        let operations = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": op, "path": "members", "value": [users[1]] }],
        });
        scim.patch(&format!("/Groups/{group}"), &operations)
            .await
            .expect(200);
    }
    let suggestion = world.cli_json(&["restore", "suggest", "Board", "ben@contoso.com"]);
    let id = suggestion["id"].as_str().unwrap();
    let plan = world.cli_json(&["restore", "plan", id]);
    let digest = plan["digest"].as_str().unwrap();
    world.cli(&["restore", "apply", id, "--plan", "0123"]).refused();
    let restored = world.cli_json(&["restore", "apply", id, "--plan", digest]);
    assert_eq!(restored["id"], suggestion["candidates"][0]["id"]);
    world.cli_json(&["restore", "undo", id]);
    let explained = world
        .cli(&["member", "explain", "Board", "ben@contoso.com"])
        .succeeded()
        .stdout;
    assert!(explained.contains("Board members"), "{explained}");
    let events = world.cli(&["events"]).succeeded().stdout;
    assert!(events.contains("membership.restore_undone"), "{events}");
}
