//! An event that commits late is skipped by nobody, though later ones were committed before.

use reqwest::Method;
use usher_testpg::{Cluster, Options};
use uuid::Uuid;

use super::chance::Chance;
use super::checker::{self, Event, State};
use super::feed::Reader;
use super::fleet::Fleet;
use super::journal::Journal;
use super::load::create_user;
use super::receiver::{self, Receiver};
use super::rig::connect;
use crate::harness::{Config, World, eventually};

/// What every unit of the engine begins with, beside others.
const ENTER: &str = "SELECT pg_advisory_xact_lock_shared(1970496882, 1)";

const CHANGE: &str =
    "INSERT INTO change (id, at_us, actor_kind, actor) VALUES ($1, 1, 'operator', 'somebody slow')";

const EVENT: &str =
    "INSERT INTO event (change_id, kind, at_us, data) VALUES ($1, 'membership.slow', 1, '{}') RETURNING seq";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_stays_open_holds_later_events_back_and_none_is_skipped() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options::default()).expect("PostgreSQL starts");
    let database = cluster.database().await.expect("a database");
    let world = World::with(&Config {
        storage: Some(database.url()),
        more: receiver::CONFIG.to_owned(),
        ..Config::default()
    });
    let fleet = Fleet::new(world, 2).await;
    let (source, role) = (
        fleet.world().source_token("idp"),
        fleet.world().role_token("admin"),
    );
    let journal = Journal::new();
    let (mut scim, mut api) = (fleet.scim("idp", &source, &journal), fleet.api(&role, &journal));
    let receiver = Receiver::start(Chance::seeded(1)).await;
    let registered = receiver.register(&mut api, &[]).await;
    let readers =
        [(1000, 0), (2, 1)].map(|(limit, wait)| Reader::start(fleet.api(&role, &journal), limit, wait));

    let mut slow = connect(&database.url()).await;
    let transaction = slow.transaction().await.expect("the database runs");
    transaction.execute(ENTER, &[]).await.expect("the engine's lock");
    let change = Uuid::from_u128(7);
    transaction.execute(CHANGE, &[&change]).await.expect("a change");
    let held: i64 = transaction
        .query_one(EVENT, &[&change])
        .await
        .expect("an event")
        .get(0);
    for n in 0..20 {
        let name = format!("later{n}@contoso.com");
        let begun = journal.begin(&name, Vec::new());
        create_user(&mut scim, &name, begun).await.expect("a user");
    }
    let mut judge = connect(&database.url()).await;
    let events = State::read(&mut judge).await.events;
    assert!(
        events.iter().any(|event| event.seq > held),
        "later events are committed"
    );
    // Asked on each node, and twice, because who asks moves the horizon.
    for _ in 0..4 {
        let path = format!("/events?after={}&limit=1000", held - 1);
        let reply = api.ask(Method::GET, &path, None).await;
        assert_eq!(
            reply.body["items"].as_array().map(Vec::len),
            Some(0),
            "{:#}",
            reply.body
        );
    }
    assert!(receiver.taken().iter().all(|delivery| delivery.event < held));

    transaction.commit().await.expect("it is committed");
    let events = State::read(&mut judge).await.events;
    let last = events.last().expect("there are events").seq;
    for reader in readers {
        let read = reader.up_to(last).await;
        let until = read.last().copied().unwrap_or_default();
        let there = State::read(&mut judge).await.events;
        let there: Vec<Event> = there.into_iter().filter(|event| event.seq <= until).collect();
        assert_eq!(checker::feed(&read, &there), []);
    }
    eventually("everything to be delivered", || async {
        let taken = receiver.taken();
        let meant = |event: &Event| event.seq > registered;
        checker::deliveries(0, &taken, &events, meant)
            .is_empty()
            .then_some(())
    })
    .await;
    assert_eq!(receiver.complaints(), [""; 0]);
    assert_eq!(journal.complaints(), [""; 0]);
}
