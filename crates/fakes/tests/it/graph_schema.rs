//! Answers of the fake Graph hold what Microsoft publishes and nothing else: names, types and whether a property may be
//! null, as on the resource pages of Microsoft Graph v1.0 and in its metadata (<https://graph.microsoft.com/v1.0/$metadata>).

use serde_json::{Value, json};
use usher_fakes::{Guest, Life};

use crate::graph::World;

#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    Guid,
    Time,
    Flag,
    Texts,
}
use Type::{Flag, Guid, Text, Texts, Time};

/// Name, type, and whether it may be null.
type Properties = &'static [(&'static str, Type, bool)];

/// <https://learn.microsoft.com/graph/api/resources/user>
const USER: Properties = &[
    ("id", Guid, false),
    ("deletedDateTime", Time, true),
    ("accountEnabled", Flag, true),
    ("businessPhones", Texts, false),
    ("createdDateTime", Time, true),
    ("displayName", Text, true),
    ("employeeId", Text, true),
    ("externalUserState", Text, true),
    ("givenName", Text, true),
    ("jobTitle", Text, true),
    ("mail", Text, true),
    ("mobilePhone", Text, true),
    ("officeLocation", Text, true),
    ("preferredLanguage", Text, true),
    ("surname", Text, true),
    ("userPrincipalName", Text, true),
    ("userType", Text, true),
];

/// <https://learn.microsoft.com/graph/api/resources/group>
const GROUP: Properties = &[
    ("id", Guid, false),
    ("deletedDateTime", Time, true),
    ("createdDateTime", Time, true),
    ("description", Text, true),
    ("displayName", Text, true),
    ("groupTypes", Texts, false),
    ("mail", Text, true),
    ("mailEnabled", Flag, true),
    ("mailNickname", Text, true),
    ("securityEnabled", Flag, true),
    ("visibility", Text, true),
];

/// <https://learn.microsoft.com/graph/api/resources/approleassignment>
const ASSIGNMENT: Properties = &[
    ("id", Text, false),
    ("deletedDateTime", Time, true),
    ("appRoleId", Guid, false),
    ("createdDateTime", Time, true),
    ("principalDisplayName", Text, true),
    ("principalId", Guid, true),
    ("principalType", Text, true),
    ("resourceDisplayName", Text, true),
    ("resourceId", Guid, true),
];

/// <https://learn.microsoft.com/graph/api/resources/organization>
const ORGANIZATION: Properties = &[
    ("id", Guid, false),
    ("deletedDateTime", Time, true),
    ("displayName", Text, true),
];

/// <https://learn.microsoft.com/graph/errors>
const ERROR: Properties = &[("code", Text, false), ("message", Text, false)];
const INNER_ERROR: Properties = &[
    ("date", Text, false),
    ("request-id", Guid, false),
    ("client-request-id", Guid, false),
];

/// Notes of the protocol, which stand beside properties (<https://docs.oasis-open.org/odata/odata-json-format/v4.01/>).
const ANNOTATIONS: [&str; 7] = [
    "@odata.context",
    "@odata.count",
    "@odata.nextLink",
    "@odata.deltaLink",
    "@odata.type",
    "@removed",
    "members@delta",
];

fn is_guid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
        && text
            .chars()
            .all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}

fn fits(kind: Type, value: &Value) -> bool {
    let text = value.as_str();
    match kind {
        Text => text.is_some(),
        Guid => text.is_some_and(is_guid),
        Time => text.is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()),
        Flag => value.is_boolean(),
        Texts => value
            .as_array()
            .is_some_and(|items| items.iter().all(Value::is_string)),
    }
}

/// Checks an object against its properties; `limited` allows nulls everywhere but in the id.
fn check(what: &str, object: &Value, properties: Properties, limited: bool) {
    let members = object
        .as_object()
        .unwrap_or_else(|| panic!("{what} is no object: {object}"));
    for (name, value) in members {
        if ANNOTATIONS.contains(&name.as_str()) {
            continue;
        }
        let found = properties.iter().find(|(known, _, _)| known == name);
        let (_, kind, nullable) = found.unwrap_or_else(|| panic!("{what}: {name} is not published"));
        let null_fits = value.is_null() && (*nullable || limited && name != "id");
        assert!(null_fits || fits(*kind, value), "{what}: {name} is {value}");
    }
    assert!(
        !properties.iter().any(|(name, _, _)| *name == "id") || members.contains_key("id"),
        "{what}"
    );
}

fn check_list(what: &str, page: &Value, properties: Properties) {
    let envelope = page.as_object().expect("an object");
    for name in envelope.keys() {
        assert!(
            name == "value" || ANNOTATIONS.contains(&name.as_str()),
            "{what}: {name}"
        );
    }
    assert!(
        page["@odata.context"]
            .as_str()
            .is_some_and(|url| url.contains("/v1.0/$metadata#")),
        "{what}"
    );
    let items = page["value"].as_array().expect("a list");
    assert!(!items.is_empty(), "{what}");
    for item in items {
        check(what, item, properties, false);
    }
}

/// All properties of a resource, for `$select`.
fn all(properties: Properties) -> String {
    let names: Vec<_> = properties.iter().map(|(name, _, _)| *name).collect();
    names.join(",")
}

#[tokio::test]
async fn users_and_groups_have_published_properties() {
    let world = World::new(Some(2)).await;
    let group = world.directory.add_group("Board");
    for (number, guest) in [Guest::No, Guest::External, Guest::ExternalMember, Guest::Internal]
        .iter()
        .enumerate()
    {
        let user = world.directory.add_user(&format!("u{number}@contoso.example"));
        world.directory.edit_user(&user, |user| user.guest = *guest);
        world.directory.add_member(&group, &user);
    }
    let users = all(USER);
    let groups = all(GROUP);
    check_list("users", &world.get("/users").await, USER);
    check_list(
        "users, all",
        &world.get(&format!("/users?$select={users}")).await,
        USER,
    );
    check_list("groups", &world.get("/groups").await, GROUP);
    check_list(
        "groups, all",
        &world.get(&format!("/groups?$select={groups}")).await,
        GROUP,
    );
    check(
        "group",
        &world.get(&format!("/groups/{group}?$select={groups}")).await,
        GROUP,
        false,
    );
    for relation in ["members", "transitiveMembers"] {
        let url = format!("/groups/{group}/{relation}?$select={users}");
        check_list(relation, &world.get(&url).await, USER);
    }
    check_list(
        "users/delta",
        &world.get(&format!("/users/delta?$select={users}")).await,
        USER,
    );
    check_list("groups/delta", &world.get("/groups/delta").await, GROUP);
}

#[tokio::test]
async fn members_of_several_types_show_their_type() {
    let world = World::new(None).await;
    let (group, inner) = (
        world.directory.add_group("Board"),
        world.directory.add_group("Inner"),
    );
    let user = world.directory.add_user("a@contoso.example");
    world.directory.add_member(&group, &user);
    world.directory.add_member(&group, &inner);
    let members = world.get(&format!("/groups/{group}/members")).await;
    let types = |page: &Value| -> Vec<Value> {
        let items = page["value"].as_array().unwrap();
        items.iter().map(|item| item["@odata.type"].clone()).collect()
    };
    assert_eq!(
        types(&members),
        [json!("#microsoft.graph.user"), json!("#microsoft.graph.group")]
    );
    check("user", &members["value"][0], USER, false);
    check("group", &members["value"][1], GROUP, false);
    world.graph.grant("User.Read.All", false);
    let members = world.get(&format!("/groups/{group}/members")).await;
    check("user that may not be read", &members["value"][0], USER, true);
    check("group", &members["value"][1], GROUP, false);
}

#[tokio::test]
async fn deleted_items_assignments_and_the_organisation_too() {
    let world = World::new(None).await;
    for permission in ["Organization.Read.All", "Group.Read.All"] {
        world.graph.grant(permission, true);
    }
    let group = world.directory.add_group("Board");
    let deleted = world.directory.add_group("Deleted");
    let user = world.directory.add_user("a@contoso.example");
    world.directory.assign(&group, true);
    world.directory.delete_group(&deleted, Life::SoftDeleted);
    world.directory.soft_delete_user(&user);
    let item = world.get(&format!("/directory/deletedItems/{user}")).await;
    check("deleted user", &item, USER, false);
    let item = world
        .get(&format!(
            "/directory/deletedItems/{deleted}?$select=id,deletedDateTime"
        ))
        .await;
    check("deleted group", &item, GROUP, false);
    assert!(item["deletedDateTime"].is_string());
    let application = world.graph.options().application_id;
    let url = format!("/servicePrincipals(appId='{application}')/appRoleAssignedTo");
    check_list("appRoleAssignedTo", &world.get(&url).await, ASSIGNMENT);
    check_list("organization", &world.get("/organization").await, ORGANIZATION);
}

#[tokio::test]
async fn errors_have_the_published_form() {
    let world = World::new(None).await;
    for url in [
        "/groups/11111111-2222-4333-8444-555555555555",
        "/organization",
        "/users?$top=0",
        "/nowhere",
    ] {
        let body: Value = world.send(url, &[]).await.json().await.unwrap();
        let mut error = body["error"].clone();
        let inner = error
            .as_object_mut()
            .and_then(|error| error.remove("innerError"))
            .expect(url);
        check(url, &error, ERROR, false);
        check(url, &inner, INNER_ERROR, false);
    }
}

#[tokio::test]
async fn a_property_that_is_not_published_cannot_be_selected() {
    let world = World::new(None).await;
    world.directory.add_user("a@contoso.example");
    let answer = world.send("/users?$select=id,favouriteColour", &[]).await;
    assert_eq!(answer.status(), 400);
}
