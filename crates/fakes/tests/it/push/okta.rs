//! Okta's provisioning.

use std::sync::Arc;

use serde_json::{Value, json};
use usher_fakes::push::{Flavour, OktaClient, OktaOptions};
use usher_fakes::{Directory, IdStyle};

use super::endpoint::Endpoint;

struct Company {
    directory: Directory,
    people: Vec<Arc<str>>,
    board: Arc<str>,
    audit: Arc<str>,
}

fn company() -> Company {
    let directory = Directory::new(IdStyle::Okta);
    let (board, audit) = (directory.add_group("Board"), directory.add_group("Audit"));
    directory.assign(&board, true);
    directory.assign(&audit, true);
    let people: Vec<_> = (0..3)
        .map(|number| directory.add_user(&format!("user{number}@contoso.example")))
        .collect();
    for person in &people {
        directory.add_member(&board, person);
    }
    Company {
        directory,
        people,
        board,
        audit,
    }
}

fn client(company: &Company, endpoint: &Endpoint, flavour: Flavour) -> OktaClient {
    let options = OktaOptions {
        flavour,
        ..OktaOptions::default()
    };
    let mut client = OktaClient::new(&company.directory, endpoint.served.url(), "t", options);
    client.push_group(&company.board);
    client.push_group(&company.audit);
    client
}

/// Method and body of what was sent to groups.
fn to_groups(client: &OktaClient) -> Vec<(String, Value)> {
    let sent = client.exchanges().iter();
    sent.filter(|exchange| exchange.target.starts_with("/Groups/"))
        .map(|exchange| (exchange.method.to_string(), exchange.body.clone()))
        .collect()
}

#[tokio::test]
async fn a_group_is_renamed_before_each_change_of_its_members() {
    let endpoint = Endpoint::start().await;
    let company = company();
    let mut client = client(&company, &endpoint, Flavour::Patch);
    client.connect().await.unwrap();
    let report = client.cycle().await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (report.created, report.groups_created, report.members_added),
        (3, 2, 3)
    );
    client.forget_exchanges();
    company.directory.add_member(&company.audit, &company.people[0]);
    company
        .directory
        .remove_member(&company.board, &company.people[0]);
    assert_eq!(client.cycle().await.members_removed, 1);
    let sent = to_groups(&client);
    let audit = client.id_of_group(&company.audit).unwrap();
    let name = json!([{ "op": "replace", "value": { "id": audit, "displayName": "Audit" } }]);
    let position = sent
        .iter()
        .position(|(_, body)| body["Operations"] == name)
        .expect("the name is sent");
    let next = &sent[position + 1].1["Operations"][0];
    assert_eq!(next["op"], "add");
    assert_eq!(
        next["value"][0]["value"].as_str(),
        client.id_of(&company.people[0])
    );
    client.forget_exchanges();
    assert!(client.cycle().await.is_quiet() && client.exchanges().is_empty());
}

#[tokio::test]
async fn the_leaving_of_somebody_inactive_is_not_sent_and_push_now_mends_it() {
    let endpoint = Endpoint::start().await;
    let company = company();
    let mut client = client(&company, &endpoint, Flavour::Patch);
    client.cycle().await;
    company
        .directory
        .remove_member(&company.board, &company.people[0]);
    client.forget_exchanges();
    let report = client.cycle().await;
    assert_eq!((report.disabled, report.members_removed), (1, 0), "{report:?}");
    assert!(to_groups(&client).is_empty());
    company.directory.add_member(&company.audit, &company.people[0]);
    client.forget_exchanges();
    let report = client.cycle().await;
    assert_eq!(
        (report.enabled, report.created, report.members_added),
        (1, 0, 1),
        "{report:?}"
    );
    assert_eq!(
        to_groups(&client).len(),
        2,
        "the name and the new group's member alone"
    );
    client.push_now(&company.board);
    client.forget_exchanges();
    client.cycle().await;
    let whole = &to_groups(&client)[1].1["Operations"][0];
    assert_eq!(
        (whole["op"].as_str(), whole["path"].as_str()),
        (Some("replace"), Some("members"))
    );
    assert_eq!(whole["value"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_wizard_s_apps_put_whole_users_and_groups() {
    let endpoint = Endpoint::start().await;
    let company = company();
    let mut client = client(&company, &endpoint, Flavour::Put);
    client.cycle().await;
    company.directory.enable(&company.people[1], false);
    company
        .directory
        .edit_user(&company.people[2], |user| user.given_name = "Uma".into());
    company
        .directory
        .rename_group(&company.board, "Supervisory board");
    client.forget_exchanges();
    let report = client.cycle().await;
    assert_eq!(
        (report.disabled, report.updated, report.groups_renamed),
        (1, 1, 1),
        "{report:?}"
    );
    let methods: Vec<_> = client
        .exchanges()
        .iter()
        .map(|exchange| exchange.method.as_str())
        .collect();
    assert!(
        methods.iter().all(|method| matches!(*method, "GET" | "PUT")),
        "{methods:?}"
    );
    let (_, group) = &to_groups(&client)[0];
    assert_eq!(group["displayName"], "Supervisory board");
    assert_eq!(
        group["members"].as_array().map(Vec::len),
        Some(2),
        "the active ones"
    );
    client.unlink_group(&company.board, true).await.unwrap();
    assert!(client.id_of_group(&company.board).is_none());
}
