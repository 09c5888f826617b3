//! Answers of the Okta org hold what Okta publishes and nothing else: names, types and whether a property may be null, as
//! in `dist/current/management-noEnums-oneOfInheritance.yaml` of okta/okta-management-openapi-spec, version 2026.06.3.

use serde_json::{Value, json};
use usher_fakes::okta::{Org, Rights};
use usher_fakes::{Directory, Faults, Guest, IdStyle, Served};

#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    Time,
    Whole,
    Flag,
    List,
    Object,
}
use Type::{Flag, List, Object, Text, Time, Whole};

/// Name, type, and whether it may be null.
type Properties = &'static [(&'static str, Type, bool)];

const GROUP: Properties = &[
    ("id", Text, false),
    ("created", Time, false),
    ("lastUpdated", Time, false),
    ("lastMembershipUpdated", Time, false),
    ("objectClass", List, false),
    ("type", Text, false),
    ("profile", Object, false),
    ("_embedded", Object, false),
    ("_links", Object, false),
];

const GROUP_PROFILE: Properties = &[("name", Text, false), ("description", Text, false)];

const STATS: Properties = &[
    ("usersCount", Whole, false),
    ("appsCount", Whole, false),
    ("groupPushMappingsCount", Whole, false),
    // Spelt so in the document.
    ("hasAdminPrivlege", Flag, false),
];

const USER: Properties = &[
    ("id", Text, false),
    ("status", Text, false),
    ("created", Time, false),
    ("activated", Time, true),
    ("statusChanged", Time, true),
    ("lastLogin", Time, true),
    ("lastUpdated", Time, false),
    ("passwordChanged", Time, true),
    ("type", Object, false),
    ("profile", Object, false),
    ("credentials", Object, false),
    ("realmId", Text, false),
    ("transitioningToStatus", Text, true),
    ("_embedded", Object, false),
    ("_links", Object, false),
];

const USER_PROFILE: Properties = &[
    ("firstName", Text, true),
    ("lastName", Text, true),
    ("displayName", Text, true),
    ("mobilePhone", Text, true),
    ("secondEmail", Text, true),
    ("userType", Text, true),
    ("login", Text, false),
    ("email", Text, false),
];

const ASSIGNMENT: Properties = &[
    ("id", Text, false),
    ("lastUpdated", Time, false),
    ("priority", Whole, false),
    ("profile", Object, false),
    ("_embedded", Object, false),
    ("_links", Object, false),
];

const LOG_EVENT: Properties = &[
    ("actor", Object, false),
    ("authenticationContext", Object, false),
    ("client", Object, false),
    ("debugContext", Object, false),
    ("displayMessage", Text, false),
    ("eventType", Text, false),
    ("legacyEventType", Text, false),
    ("outcome", Object, false),
    ("published", Time, false),
    ("request", Object, false),
    ("securityContext", Object, false),
    ("severity", Text, false),
    ("target", List, false),
    ("transaction", Object, false),
    ("uuid", Text, false),
    ("version", Text, false),
];

/// `detailEntry` and `reason` are null in the document's examples.
const LOG_TARGET: Properties = &[
    ("id", Text, false),
    ("type", Text, false),
    ("alternateId", Text, false),
    ("displayName", Text, false),
    ("detailEntry", Object, true),
];

const LOG_OUTCOME: Properties = &[("result", Text, false), ("reason", Text, true)];

const ERROR: Properties = &[
    ("errorCode", Text, false),
    ("errorSummary", Text, false),
    ("errorLink", Text, false),
    ("errorId", Text, false),
    ("errorCauses", List, false),
];

const STATUSES: [&str; 8] = [
    "ACTIVE",
    "DEPROVISIONED",
    "LOCKED_OUT",
    "PASSWORD_EXPIRED",
    "PROVISIONED",
    "RECOVERY",
    "STAGED",
    "SUSPENDED",
];

/// Complains about a property that is not published, and about one of another type.
fn check(what: &str, value: &Value, properties: Properties) {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("{what} is no object: {value}"));
    for (name, value) in object {
        let published = properties.iter().find(|(published, ..)| published == name);
        let Some((_, kind, nullable)) = published else {
            panic!("{what} has {name}, which is not published");
        };
        let fits = match (kind, value) {
            (_, Value::Null) => *nullable,
            (Text, Value::String(_))
            | (Flag, Value::Bool(_))
            | (List, Value::Array(_))
            | (Object, Value::Object(_)) => true,
            (Time, Value::String(text)) => text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(),
            (Whole, Value::Number(number)) => number.is_u64(),
            _ => false,
        };
        assert!(fits, "{what} has {name} = {value}, published as {kind:?}");
    }
}

fn check_each(what: &str, list: &Value, properties: Properties) {
    let items = list
        .as_array()
        .unwrap_or_else(|| panic!("{what} is no list: {list}"));
    assert!(!items.is_empty(), "{what} is empty");
    for item in items {
        check(what, item, properties);
    }
}

async fn get(served: &Served, token: &str, path: &str) -> Value {
    let client = reqwest::Client::new();
    let call = client.get(format!("{}{path}", served.url()));
    let answer = call
        .header("authorization", format!("SSWS {token}"))
        .send()
        .await
        .expect("an answer");
    answer.json().await.expect("an answer")
}

#[tokio::test]
async fn answers_hold_what_is_published_and_nothing_else() {
    let directory = Directory::new(IdStyle::Okta);
    let org = Org::new(directory.clone());
    let served = org.serve(Faults::none()).await.unwrap();
    org.take_api_token("t", Rights::all());
    let board = directory.add_group("Board");
    let ann = directory.add_user("ann@contoso.example");
    directory.add_member(&board, &ann);
    directory.assign(&board, true);
    for (number, status) in STATUSES.into_iter().enumerate() {
        let user = directory.add_user(&format!("user{number}@contoso.example"));
        org.set_status(&user, status);
        directory.edit_user(&user, |user| user.guest = Guest::External);
        directory.add_member(&board, &user);
    }
    for path in [
        "/api/v1/groups?expand=stats".to_owned(),
        "/api/v1/groups?q=Boa".into(),
        format!("/api/v1/users/{ann}/groups"),
    ] {
        let groups = get(&served, "t", &path).await;
        check_each(&path, &groups, GROUP);
        check(&path, &groups[0]["profile"], GROUP_PROFILE);
    }
    let group = get(&served, "t", &format!("/api/v1/groups/{board}?expand=stats")).await;
    check("a group", &group, GROUP);
    check("stats", &group["_embedded"]["stats"], STATS);
    assert!(["OKTA_GROUP", "APP_GROUP", "BUILT_IN"].contains(&group["type"].as_str().unwrap()));
    for path in [
        format!("/api/v1/groups/{board}/users"),
        "/api/v1/users".into(),
        "/api/v1/users?filter=lastUpdated%20gt%20%222020-01-01T00:00:00.000Z%22".into(),
    ] {
        let users = get(&served, "t", &path).await;
        check_each(&path, &users, USER);
        for user in users.as_array().unwrap() {
            check(&path, &user["profile"], USER_PROFILE);
            assert!(STATUSES.contains(&user["status"].as_str().unwrap()));
        }
    }
    check(
        "a user",
        &get(&served, "t", &format!("/api/v1/users/{ann}")).await,
        USER,
    );
    let path = format!("/api/v1/apps/{}/groups?expand=group", Org::APPLICATION);
    let assigned = get(&served, "t", &path).await;
    check_each(&path, &assigned, ASSIGNMENT);
    check("an embedded group", &assigned[0]["_embedded"]["group"], GROUP);
    let path = format!("/api/v1/apps/{}/groups/{board}", Org::APPLICATION);
    check(&path, &get(&served, "t", &path).await, ASSIGNMENT);
    let events = get(&served, "t", "/api/v1/logs").await;
    check_each("the log", &events, LOG_EVENT);
    for event in events.as_array().unwrap() {
        check_each("targets", &event["target"], LOG_TARGET);
        check("the actor", &event["actor"], LOG_TARGET);
        check("the outcome", &event["outcome"], LOG_OUTCOME);
    }
}

#[tokio::test]
async fn refusals_have_okta_s_error_body() {
    let org = Org::new(Directory::new(IdStyle::Okta));
    let served = org.serve(Faults::none()).await.unwrap();
    org.take_api_token("t", Rights::of(&["okta.groups.read"]));
    for (token, path, code) in [
        ("t", "/api/v1/groups/00gnobody", "E0000007"),
        ("t", "/api/v1/groups?filter=name%20eq%20%22x%22", "E0000031"),
        ("t", "/api/v1/groups?limit=none", "E0000001"),
        ("t", "/api/v1/groups?after=none", "E0000001"),
        ("t", "/api/v1/users", "E0000006"),
        ("x", "/api/v1/groups", "E0000011"),
    ] {
        let body = get(&served, token, path).await;
        check(path, &body, ERROR);
        assert_eq!(body["errorCode"], json!(code), "{path}");
        assert_eq!(body["errorLink"], body["errorCode"], "{path}");
    }
}
