//! Links to other hosts are not followed, and nothing is sent there.

use axum::Router;
use serde_json::json;
use usher_core::{Checkpoint, ErrorKind, ReadScope};
use usher_fakes::graph::Expiry;
use usher_fakes::{Faults, Served};

use crate::world::{World, direct};

async fn decoy() -> Served {
    let router = Router::new().fallback(|| async { "{\"value\":[]}" });
    Served::start(router, Faults::none()).await.expect("a free port")
}

#[tokio::test]
async fn next_links_to_another_host_fail_the_read() {
    let (world, decoy) = (World::new().await, decoy().await);
    let (board, _) = world.group("Board", &["ann", "bob", "cem"]);
    let scope = || ReadScope::Groups(vec![direct(&board)]);
    world
        .graph
        .set(|options| options.links_to = Some(decoy.url().into()));
    let error = world.read(scope(), None).await.err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(decoy.seen().is_empty());
}

#[tokio::test]
async fn delta_links_to_another_host_are_not_followed() {
    let (world, decoy) = (World::new().await, decoy().await);
    let (board, _) = world.group("Board", &["ann"]);
    let scope = || ReadScope::Groups(vec![direct(&board)]);
    let (_, outcome) = world.read(scope(), None).await.expect("a read");
    let text = outcome.checkpoint.expect("a checkpoint").0;
    let changed = Checkpoint(text.replace(world.graph.url(), decoy.url()));
    let error = world.read(scope(), Some(changed)).await.err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(decoy.seen().is_empty());
    world
        .graph
        .set(|options| options.links_to = Some(decoy.url().into()));
    let (_, outcome) = world.read(scope(), None).await.expect("one page needs no link");
    let error = world
        .read(scope(), outcome.checkpoint)
        .await
        .err()
        .expect("refused");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(decoy.seen().is_empty());
}

#[tokio::test]
async fn the_location_of_a_410_is_not_followed() {
    let (world, decoy) = (World::new().await, decoy().await);
    let (board, _) = world.group("Board", &["ann"]);
    let scope = || ReadScope::Groups(vec![direct(&board)]);
    let (_, outcome) = world.read(scope(), None).await.expect("a read");
    world.graph.set(|options| {
        options.expiry = Expiry::Gone;
        options.links_to = Some(decoy.url().into());
    });
    world.graph.expire_delta_tokens();
    world.graph.served().forget();
    let error = world
        .read(scope(), outcome.checkpoint)
        .await
        .err()
        .expect("too old");
    assert_eq!(error.kind(), ErrorKind::CheckpointExpired);
    assert!(decoy.seen().is_empty());
    let deltas = world.graph.served().seen();
    assert_eq!(
        deltas.iter().filter(|seen| seen.path.ends_with("/delta")).count(),
        1
    );
}

#[tokio::test]
async fn plain_http_is_refused_beyond_this_machine() {
    let world = World::new().await;
    for name in ["graph_url", "login_url"] {
        let mut settings = world.settings();
        settings[name] = json!("http://graph.contoso.example");
        let config = serde_json::from_value(settings).expect("known settings");
        let error = usher_adapter_entra::EntraAdapter::new(&config).expect_err("not https");
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{name}");
    }
}

#[tokio::test]
async fn a_checkpoint_and_errors_hold_no_credential() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let scope = || ReadScope::Groups(vec![direct(&board)]);
    let (_, outcome) = world.read(scope(), None).await.expect("a read");
    let text = outcome.checkpoint.expect("a checkpoint").0;
    assert!(
        !text.contains("graph-secret") && !text.contains("access-token"),
        "{text}"
    );
    world.graph.grant("GroupMember.Read.All", false);
    let error = world.read(scope(), None).await.err().expect("forbidden");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("GroupMember.Read.All"), "{shown}");
    assert!(
        !shown.contains("graph-secret") && !shown.contains("access-token"),
        "{shown}"
    );
}
