//! Trying out: a company's week is there to be looked at.

use serde_json::Value;

use crate::harness::{Client, World};

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

async fn list(api: &Client, path: &str) -> Vec<Value> {
    api.get(path).await.expect(200).list("/items")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_shows_each_situation_as_if_a_week_had_passed() {
    let world = World::new();
    let server = world.serve_demo().await;
    let token = server
        .output()
        .find("a token", |line| {
            Some(line.strip_prefix("Admin token: ")?.to_owned())
        })
        .await;
    let api = Client::api(server.address(), &token);

    let mut orders: Vec<(String, String)> = list(&api, "/orders")
        .await
        .iter()
        .map(|order| {
            (
                text(order, "/room_name").to_owned(),
                text(order, "/state").to_owned(),
            )
        })
        .collect();
    orders.sort();
    let expected = [
        ("Audit Committee", "room_ready"),
        ("Executive Committee", "live"),
        ("Pension Fund", "submitted"),
        ("Project Falcon", "live"),
        ("Supervisory Board", "live"),
    ];
    assert_eq!(
        orders,
        expected.map(|(room, state)| (room.to_owned(), state.to_owned()))
    );

    let members = list(&api, "/rooms/Supervisory%20Board/members").await;
    assert_eq!(
        members.len(),
        10,
        "nine of the group and an adviser: {members:#?}"
    );
    let manual = members.iter().filter(|member| member["kind"] == "manual");
    assert_eq!(
        manual
            .map(|member| text(member, "/person/email"))
            .collect::<Vec<_>>(),
        ["sigrid.holm@advisers.example"]
    );
    let restores = list(&api, "/restores").await;
    assert_eq!(restores.len(), 1, "{restores:#?}");
    assert_eq!(text(&restores[0], "/state"), "suggested");

    let holds = list(&api, "/holds").await;
    assert_eq!(holds.len(), 1, "{holds:#?}");
    let hold = api
        .get(&format!("/holds/{}", text(&holds[0], "/id")))
        .await
        .expect(200);
    assert_eq!(hold.list("/people").len(), 12);
    let users = list(&api, "/sources/entra/users?limit=100").await;
    let guest = users
        .iter()
        .find(|user| text(user, "/email") == "erik.larsen@partner.example");
    assert_eq!(text(guest.expect("the guest was pushed"), "/scope"), "guest");
    let inside = list(&api, "/rooms/Executive%20Committee/members?limit=100").await;
    assert_eq!(
        inside.len(),
        18,
        "the guest is not among them, and who is held is: {inside:#?}"
    );

    let strays = list(&api, "/strays?room=Project%20Falcon").await;
    assert_eq!(strays.len(), 1, "{strays:#?}");
    assert_eq!(text(&strays[0], "/cause"), "last_administrator");
    let groups = list(&api, "/sources/entra/groups").await;
    let audit = groups
        .iter()
        .find(|group| text(group, "/display_name") == "SG-Audit-Committee");
    assert_eq!(text(audit.expect("the group came"), "/parked"), "mapping_pending");

    let first = &list(&api, "/events?limit=1").await[0];
    let begin: jiff::Timestamp = text(first, "/time").parse().expect("a time");
    let end: jiff::Timestamp = text(&list(&api, "/tokens").await.pop().expect("our token"), "/created")
        .parse()
        .expect("a time");
    assert!(
        end.duration_since(begin).as_hours() >= 7 * 24,
        "from {begin} to {end}"
    );

    let (status, output) = server.terminate().await;
    assert!(status.success(), "{}", output.text());
}
