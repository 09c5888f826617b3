//! Many clients at once.

use std::sync::Arc;

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_clients_add_different_members_to_one_group() {
    let world = Arc::new(World::new().await);
    let group = world.group("Board", &[]).await;
    let mut ids = Vec::new();
    for n in 0..64 {
        ids.push(world.user(&format!("u{n}")).await);
    }
    let clients = ids.chunks(4).map(|mine| {
        let (world, group, mine) = (Arc::clone(&world), group.clone(), mine.to_vec());
        tokio::spawn(async move {
            for id in mine {
                let add = json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]);
                world.patch(&format!("/Groups/{group}"), &add).await.expect(200);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("no client fails");
    }
    ids.sort_unstable();
    assert_eq!(world.members(&group).await, ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_clients_create_the_same_user() {
    let world = Arc::new(World::new().await);
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.post("/Users", &json!({ "userName": "ada" })).await })
        })
        .collect();
    let mut created = 0;
    for client in clients {
        let answer = client.await.expect("no client fails");
        if answer.status == 201 {
            created += 1;
        } else {
            answer.refused(409, Some("uniqueness"));
        }
    }
    assert_eq!(created, 1);
    assert_eq!(world.get("/Users").await.json()["totalResults"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_writers_with_one_version_one_wins() {
    let world = Arc::new(World::new().await);
    let id = world.user("ada").await;
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let (world, id) = (Arc::clone(&world), id.clone());
            tokio::spawn(async move {
                let body =
                    json!({ "Operations": [{ "op": "replace", "path": "title", "value": format!("t{n}") }] });
                let request = world
                    .request("PATCH", &format!("/Users/{id}"))
                    .header("If-Match", "W/\"1\"")
                    .body(axum::body::Body::from(body.to_string()))
                    .expect("a request");
                world.send(request).await.status.as_u16()
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for client in clients {
        statuses.push(client.await.expect("no client fails"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}
