//! Entra's cycles.

use std::sync::Arc;

use usher_fakes::push::{Dialect, EntraClient, EntraOptions, Exchange};
use usher_fakes::{Directory, Fault, IdStyle};

use super::endpoint::Endpoint;

struct Company {
    directory: Directory,
    people: Vec<Arc<str>>,
    board: Arc<str>,
}

fn company(people: usize) -> Company {
    let directory = Directory::new(IdStyle::Guid);
    let board = directory.add_group("Board");
    directory.assign(&board, true);
    let people = (0..people).map(|number| {
        let id = directory.add_user(&format!("user{number}@contoso.example"));
        directory.add_member(&board, &id);
        id
    });
    let people = people.collect();
    Company {
        directory,
        people,
        board,
    }
}

fn sent<'c>(client: &'c EntraClient, method: &str, path: &str) -> Vec<&'c Exchange> {
    let sent = client.exchanges().iter();
    sent.filter(|exchange| exchange.method.as_str() == method && exchange.target.starts_with(path))
        .collect()
}

#[tokio::test]
async fn an_initial_cycle_sends_users_then_groups_then_members_and_the_next_is_quiet() {
    let endpoint = Endpoint::start().await;
    let company = company(3);
    company.directory.enable(&company.people[2], false);
    let mut client = EntraClient::new(
        &company.directory,
        endpoint.served.url(),
        "t",
        EntraOptions::default(),
    );
    client.test_connection().await.unwrap();
    client.forget_exchanges();
    let report = client.cycle().await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (report.created, report.groups_created, report.members_added),
        (2, 1, 2)
    );
    let requests: Vec<_> = client
        .exchanges()
        .iter()
        .map(|exchange| exchange.method.as_str())
        .collect();
    assert_eq!(
        requests,
        ["GET", "POST", "GET", "POST", "GET", "POST", "PATCH", "PATCH"]
    );
    let group = sent(&client, "POST", "/Groups")[0];
    assert!(
        group.body.get("members").is_none(),
        "groups are created without members"
    );
    assert!(
        sent(&client, "GET", "/Groups")[0]
            .target
            .contains("excludedAttributes=members")
    );
    client.forget_exchanges();
    assert!(client.cycle().await.is_quiet());
    assert!(client.exchanges().is_empty(), "nothing changed, nothing is asked");
}

#[tokio::test]
async fn members_are_sent_in_batches() {
    for (batch, requests) in [(1, 7), (5, 2), (100, 1)] {
        let endpoint = Endpoint::start().await;
        let company = company(7);
        let options = EntraOptions {
            member_batch: batch,
            dialect: Dialect::Compliant,
            ..EntraOptions::default()
        };
        let mut client = EntraClient::new(&company.directory, endpoint.served.url(), "t", options);
        assert_eq!(client.cycle().await.members_added, 7);
        assert_eq!(sent(&client, "PATCH", "/Groups").len(), requests);
    }
}

#[tokio::test]
async fn who_leaves_is_disabled_and_who_was_let_go_is_not_deleted_later() {
    let endpoint = Endpoint::start().await;
    let company = company(3);
    let (directory, people) = (&company.directory, &company.people);
    let options = EntraOptions {
        tombstones: true,
        ..EntraOptions::default()
    };
    let mut client = EntraClient::new(directory, endpoint.served.url(), "t", options);
    client.cycle().await;
    client.forget_exchanges();
    directory.remove_member(&company.board, &people[0]);
    directory.soft_delete_user(&people[1]);
    let report = client.cycle().await;
    assert_eq!((report.disabled, report.members_removed), (2, 1), "{report:?}");
    let bodies: Vec<_> = sent(&client, "PATCH", "/Users")
        .iter()
        .map(|sent| &sent.body)
        .collect();
    let tombstone = format!("{}user1@contoso.example", people[1].replace('-', ""));
    assert!(
        bodies
            .iter()
            .any(|body| body["Operations"][0]["value"] == tombstone)
    );
    assert!(
        bodies
            .iter()
            .all(|body| body.to_string().contains(r#""value":"False""#))
    );
    directory.delete_user(&people[0]);
    directory.delete_user(&people[1]);
    let report = client.cycle().await;
    assert_eq!(
        report.deleted, 1,
        "only the one that was still managed: {report:?}"
    );
    assert!(client.id_of(&people[0]).is_some() && client.id_of(&people[1]).is_none());
}

#[tokio::test]
async fn somebody_who_returns_is_enabled_on_the_same_id_and_no_membership_is_sent_again() {
    let endpoint = Endpoint::start().await;
    let company = company(2);
    let mut client = EntraClient::new(
        &company.directory,
        endpoint.served.url(),
        "t",
        EntraOptions::default(),
    );
    client.cycle().await;
    let id = client.id_of(&company.people[0]).unwrap().to_owned();
    company.directory.enable(&company.people[0], false);
    assert_eq!(client.cycle().await.disabled, 1);
    company.directory.enable(&company.people[0], true);
    let report = client.cycle().await;
    assert_eq!(
        (report.enabled, report.created, report.members_added),
        (1, 0, 0),
        "{report:?}"
    );
    assert_eq!(client.id_of(&company.people[0]), Some(&*id));
    client.restart();
    assert_eq!(client.cycle().await.members_added, 2);
}

#[tokio::test]
async fn bad_credentials_and_a_list_that_is_not_found_stop_the_cycle() {
    let endpoint = Endpoint::start().await;
    let company = company(2);
    let mut client = EntraClient::new(
        &company.directory,
        endpoint.served.url(),
        "t",
        EntraOptions::default(),
    );
    endpoint.faults.always("", Fault::Unauthorised);
    let report = client.cycle().await;
    assert!(
        report.quarantined.is_some() && client.exchanges().len() == 1,
        "{report:?}"
    );
    endpoint.faults.clear();
    let wrong = format!("{}/not/scim", endpoint.served.url());
    let mut lost = EntraClient::new(&company.directory, &wrong, "t", EntraOptions::default());
    assert!(
        lost.cycle()
            .await
            .quarantined
            .is_some_and(|reason| reason.contains("not SCIM"))
    );
    assert_eq!(client.cycle().await.created, 2, "it leaves quarantine by itself");
}

#[tokio::test]
async fn what_was_not_taken_is_tried_again() {
    let endpoint = Endpoint::start().await;
    let company = company(3);
    let mut client = EntraClient::new(
        &company.directory,
        endpoint.served.url(),
        "t",
        EntraOptions::default(),
    );
    endpoint.faults.once("/Groups/", 1, Fault::ServerError(503));
    let first = client.cycle().await;
    assert_eq!((first.members_added, first.errors.len()), (2, 1), "{first:?}");
    let second = client.cycle().await;
    assert_eq!((second.members_added, second.errors.len()), (1, 0), "{second:?}");
    client.set_manager(&company.people[0], &company.people[1]);
    client.forget_exchanges();
    assert_eq!(client.cycle().await.updated, 1);
    let manager = sent(&client, "PATCH", "/Users")[0];
    assert_eq!(
        manager.body["Operations"][0]["value"].as_str(),
        client.id_of(&company.people[1]),
        "a manager is a bare string"
    );
}
