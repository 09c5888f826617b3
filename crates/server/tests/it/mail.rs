//! Events told by e-mail: what is written of each, once, and what becomes of it where no mail server answers.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use usher_server::config::Period;
use usher_server::mail::{Mailer, Sent};
use usher_storage::StorageError;
use usher_storage::query;
use usher_storage::query::mail::MailRow;

use crate::api::Api;
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A deployment whose mail server does not answer.
async fn world() -> World {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = nobody.local_addr().expect("an address").port();
    drop(nobody);
    let world = World::with(&format!(
        "[notifications]\nfrom = \"usher@contoso.com\"\nit = [\"it@contoso.com\"]\nsupport = [\"support@vendor.example\"]\n\
         admin = [\"root@contoso.com\"]\nretry_first = \"1m\"\nretry_most = \"1h\"\nretry_for = \"2d\"\n\
         languages = {{ support = \"de\" }}\n\
         [notifications.smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n"
    ))
    .await;
    written(&world).await;
    world
}

fn mailer(world: &World) -> Mailer {
    Mailer::new(&world.state, CancellationToken::new())
}

/// Everything that waits, after all events were looked at.
async fn written(world: &World) -> Vec<MailRow> {
    world.published().await;
    let mailer = mailer(world);
    while mailer.write().await.expect("a database") {}
    waiting(world).await
}

async fn waiting(world: &World) -> Vec<MailRow> {
    let rows: Result<_, StorageError> = world
        .engine
        .read(|tx| Box::pin(query::mail::next(tx, 1000)))
        .await;
    rows.expect("a database")
}

fn of<'m>(mails: &'m [MailRow], notice: &str) -> Vec<&'m MailRow> {
    let mut found: Vec<_> = mails.iter().filter(|mail| mail.notice == notice).collect();
    found.sort_by(|a, b| a.recipient.cmp(&b.recipient));
    found
}

/// A room with an administrator and others; the ids of the group and of the administrator.
async fn board(world: &World, api: &Api<'_>, others: usize) -> (String, String) {
    api.room("Board").await;
    let admin = world.user("admin").await;
    let mut users = vec![admin.clone()];
    for n in 0..others {
        users.push(world.user(&format!("u{n}")).await);
    }
    let ids: Vec<&str> = users.iter().map(String::as_str).collect();
    (world.group("Board", &ids).await, admin)
}

#[tokio::test]
async fn nodes_that_look_at_the_same_time_write_each_mail_once() {
    let world = world().await;
    let api = Api::admin(&world).await;
    board(&world, &api, 2).await;
    world.published().await;
    let nodes: Vec<_> = (0..4).map(|_| mailer(&world)).collect();
    for result in join_all(nodes.iter().map(Mailer::write)).await {
        result.expect("a database");
    }
    let mails = written(&world).await;
    // Four steps to support, six to the requester, two to IT.
    assert_eq!(mails.len(), 12, "{mails:#?}");
    let confirmed = of(&mails, "mapping_confirmed");
    let to: Vec<_> = confirmed.iter().map(|mail| mail.recipient.as_str()).collect();
    assert_eq!(to, ["it@contoso.com", "rita@contoso.com"]);
    assert!(
        confirmed[0].body.contains("https://usher.example/orders/"),
        "{}",
        confirmed[0].body
    );
    let ready = of(&mails, "room_ready");
    assert_eq!(ready[0].subject, "Room \"Board\" is set up");
    assert_eq!(ready[1].subject, "Raum „Board“ ist eingerichtet");
}

#[tokio::test]
async fn what_the_brake_holds_is_told_with_names_and_again_near_its_end() {
    let world = world().await;
    let api = Api::admin(&world).await;
    let (group, admin) = board(&world, &api, 14).await;
    let keep = json!([{ "op": "replace", "path": "members", "value": [{ "value": admin }] }]);
    world.patch(&format!("/Groups/{group}"), &keep).await.expect(200);
    let mails = written(&world).await;
    let held = of(&mails, "hold_opened");
    assert_eq!(held.len(), 2);
    assert_eq!(held[0].subject, "Stopped: 14 people would leave room \"Board\"");
    assert!(held[0].body.contains("\n- u13\n"), "{}", held[0].body);
    assert!(
        held[0].body.contains("https://usher.example/holds/"),
        "{}",
        held[0].body
    );
    assert!(
        held[1].subject.starts_with("Angehalten: 14 Personen"),
        "{}",
        held[1].subject
    );
    assert!(of(&mails, "hold_due_soon").is_empty());

    world.clock.advance(3 * HOUR);
    world.engine.run_due(10).await.expect("a database");
    let mails = written(&world).await;
    assert_eq!(of(&mails, "hold_due_soon").len(), 2);
    assert_eq!(of(&mails, "hold_opened").len(), 2, "nothing is told twice");
}

#[tokio::test]
async fn a_room_without_administrator_and_a_token_near_its_end_are_told() {
    let world = world().await;
    let api = Api::admin(&world).await;
    let (_, admin) = board(&world, &api, 2).await;
    let gone = json!([{ "op": "replace", "path": "active", "value": false }]);
    world.patch(&format!("/Users/{admin}"), &gone).await.expect(200);
    let mails = written(&world).await;
    let lost = of(&mails, "room_without_administrator");
    assert_eq!(lost.len(), 2);
    assert!(
        lost[0].body.contains("https://usher.example/rooms/"),
        "{}",
        lost[0].body
    );

    world
        .source_token("idp", Some(Period::seconds(30 * 24 * 3600)))
        .await;
    world.clock.advance(23 * DAY);
    world.engine.run_due(20).await.expect("a database");
    let mails = written(&world).await;
    let ends = of(&mails, "token_expiring");
    assert_eq!(ends.len(), 2);
    assert_eq!(ends[0].recipient, "it@contoso.com");
    assert!(ends[0].body.contains("pushes to source idp"), "{}", ends[0].body);
    assert!(ends[0].body.contains("It was never used."), "{}", ends[0].body);
}

#[tokio::test]
async fn what_happened_long_ago_is_not_told_any_more() {
    let world = world().await;
    let api = Api::admin(&world).await;
    board(&world, &api, 2).await;
    world.clock.advance(3 * DAY);
    assert!(written(&world).await.is_empty());
}

#[tokio::test]
async fn an_email_is_tried_for_days_then_given_up_and_tried_again_when_somebody_asks() {
    let world = world().await;
    let api = Api::admin(&world).await;
    let order = json!({
        "room_name": "Board", "administrator": "admin@contoso.com", "group": "Board", "expected": 3, "source": "idp",
        "customer": "Contoso AG", "requester": "rita@contoso.com", "submit": true,
    });
    api.post("/orders", &order).await.expect(201);
    assert_eq!(written(&world).await.len(), 1);
    let mailer = mailer(&world);
    let later = Sent {
        later: 1,
        ..Sent::default()
    };
    assert_eq!(mailer.send().await.expect("a database"), later);
    assert_eq!(
        mailer.send().await.expect("a database"),
        Sent::default(),
        "it rests"
    );
    let now = api.get("/notifications").await.expect(200);
    assert_eq!(now.body["queue"][0]["attempts"], 1);
    assert!(now.body["queue"][0]["error"].is_string());

    world.clock.advance(2 * HOUR);
    assert_eq!(mailer.send().await.expect("a database"), later);
    world.clock.advance(2 * DAY);
    let dead = mailer.send().await.expect("a database");
    assert_eq!(dead.dead, 1);
    let now = api.get("/notifications").await.expect(200);
    assert_eq!((&now.body["dead"], &now.body["waiting"]), (&json!(1), &json!(0)));
    let id = now.body["dead_letters"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let retry = format!("/notifications/{id}/retry");
    api.post(&retry, &json!({})).await.expect(204);
    api.post(&retry, &json!({})).await.refused(409, "mail_not_dead");
    assert_eq!(
        mailer.send().await.expect("a database"),
        later,
        "from the beginning"
    );
}
