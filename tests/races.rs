//! Sixteen clients at once: nothing is lost, nothing is doubled, and who comes second is told so.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answer, Client, Desk, Order, Room, Server, World};

const CLIENTS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_members_added_to_one_group_at_once_are_all_in() {
    let deployment = Deployment::new().await;
    let mut users = Vec::new();
    for n in 0..CLIENTS * 4 {
        users.push(deployment.create_user(&format!("member{n}@contoso.com")).await);
    }
    let group = deployment.create_group().await;
    let mut clients = JoinSet::new();
    for own in users.chunks(4) {
        let (scim, group, own) = (deployment.new_client(), group.clone(), own.to_vec());
        clients.spawn(async move {
            for user in own {
                scim.patch(&format!("/Groups/{group}"), &members("add", &user))
                    .await
                    .expect(200);
            }
        });
    }
    clients.join_all().await;

    let read = deployment.scim.get(&format!("/Groups/{group}")).await.expect(200);
    let values: Vec<String> = read
        .list("/members")
        .iter()
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(values.len(), users.len(), "nothing is doubled");
    assert_eq!(
        values.into_iter().collect::<BTreeSet<_>>(),
        users.into_iter().collect()
    );
    assert_eq!(
        deployment.desk.inside(&deployment.room.id).await.len(),
        CLIENTS * 4
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_user_created_by_all_at_once_is_there_once_and_the_others_are_told() {
    let deployment = Deployment::new().await;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let scim = deployment.new_client();
        clients.spawn(async move { scim.post("/Users", &user("same@contoso.com")).await });
    }
    let answers: Vec<Answer> = clients.join_all().await;
    let created: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 1);
    let id = created[0].id();
    assert!(
        created[0]
            .header("location")
            .is_some_and(|place| place.ends_with(&id))
    );
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        let answer = answer.refused(409);
        assert_eq!(answer.body["scimType"], "uniqueness");
        assert_eq!(answer.body["status"], "409");
        assert_eq!(
            answer.body["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"])
        );
    }
    let found = deployment
        .scim
        .get("/Users?filter=userName%20eq%20%22same@contoso.com%22")
        .await
        .expect(200);
    assert_eq!(found.body["totalResults"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_member_added_by_all_at_once_has_one_membership() {
    let deployment = Deployment::new().await;
    let ben = deployment.create_user("ben@contoso.com").await;
    let group = deployment.create_group().await;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (scim, group, ben) = (deployment.new_client(), group.clone(), ben.clone());
        clients.spawn(async move {
            scim.patch(&format!("/Groups/{group}"), &members("add", &ben))
                .await
                .expect(200);
        });
    }
    clients.join_all().await;
    let history = deployment
        .desk
        .history(&deployment.room.id, "ben@contoso.com")
        .await;
    assert_eq!(history.len(), 1, "{history:#?}");
    let started = deployment.desk.told("membership.started").await;
    assert_eq!(
        started
            .iter()
            .filter(|event| event["data"]["kind"] == "managed")
            .count(),
        1
    );
}

/// A running server with a confirmed mapping from the group that the tests make.
struct Deployment {
    server: Server,
    token: String,
    scim: Client,
    desk: Desk,
    room: Room,
    _world: World,
}

impl Deployment {
    async fn new() -> Self {
        let world = World::new();
        let server = world.serve().await;
        let token = world.source_token("idp");
        let scim = Client::scim(server.address(), "idp", &token);
        let desk = world.desk(&server);
        let room = desk.open(&Order::default()).await;
        Self {
            server,
            token,
            scim,
            desk,
            room,
            _world: world,
        }
    }

    /// A client with connections of its own.
    fn new_client(&self) -> Client {
        Client::scim(self.server.address(), "idp", &self.token)
    }

    async fn create_user(&self, name: &str) -> String {
        self.scim.post("/Users", &user(name)).await.expect(201).id()
    }

    async fn create_group(&self) -> String {
        let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Board members" });
        self.scim.post("/Groups", &group).await.expect(201).id()
    }
}

fn user(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "active": true,
        "emails": [{ "value": name, "type": "work", "primary": true }],
    })
}

fn members(op: &str, user: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": op, "path": "members", "value": [{ "value": user }] }],
    })
}
