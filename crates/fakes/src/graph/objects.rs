//! Users and groups as Microsoft Graph writes them.
//!
//! <https://learn.microsoft.com/graph/api/resources/user>, <https://learn.microsoft.com/graph/api/resources/group>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{Group, Guest, Life, User};

/// What a user shows without `$select`.
const USER_DEFAULT: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];

/// Every property of a user that this fake knows.
pub(super) fn user(user: &User) -> Map<String, Value> {
    let guest = user.guest;
    let invited = matches!(guest, Guest::External | Guest::ExternalMember);
    let object = json!({
        "accountEnabled": user.enabled,
        "businessPhones": [],
        "createdDateTime": moment(user.created),
        "deletedDateTime": deleted(user.life, user.modified),
        "displayName": user.display_name(),
        "employeeId": null,
        "externalUserState": if invited { json!("Accepted") } else { Value::Null },
        "givenName": user.given_name,
        "id": &*user.id,
        "jobTitle": null,
        "mail": user.email,
        "mobilePhone": null,
        "officeLocation": null,
        "preferredLanguage": null,
        "surname": user.family_name,
        "userPrincipalName": principal_name(user),
        "userType": if matches!(guest, Guest::External | Guest::Internal) { "Guest" } else { "Member" },
    });
    members_of(object)
}

/// The sign-in name: of people from elsewhere it holds `#EXT#`, and of deleted ones it begins with the id.
fn principal_name(user: &User) -> String {
    let name = match user.guest {
        Guest::External | Guest::ExternalMember => {
            format!(
                "{}#EXT#@contoso.onmicrosoft.example",
                user.user_name.replace('@', "_")
            )
        }
        Guest::No | Guest::Internal => user.user_name.clone(),
    };
    match user.life {
        Life::Live => name,
        Life::SoftDeleted | Life::Deleted => format!("{}{name}", user.id.replace('-', "")),
    }
}

/// Every property of a group that this fake knows.
pub(super) fn group(group: &Group, hidden: bool) -> Map<String, Value> {
    members_of(json!({
        "createdDateTime": moment(group.created),
        "deletedDateTime": deleted(group.life, group.modified),
        "description": null,
        "displayName": group.name,
        "groupTypes": if hidden { json!(["Unified"]) } else { json!([]) },
        "id": &*group.id,
        "mail": null,
        "mailEnabled": hidden,
        "mailNickname": group.name.replace(' ', ""),
        "securityEnabled": !hidden,
        "visibility": if hidden { json!("HiddenMembership") } else { Value::Null },
    }))
}

/// The selected properties. Graph answers 400 for one that the type does not have: the name of it.
pub(super) fn selected(
    object: Map<String, Value>,
    select: &[String],
    is_user: bool,
) -> Result<Map<String, Value>, String> {
    if select.is_empty() {
        let shown = |name: &String| !is_user || USER_DEFAULT.contains(&name.as_str());
        return Ok(object.into_iter().filter(|(name, _)| shown(name)).collect());
    }
    for name in select {
        if !object.contains_key(name) && name != "members" {
            return Err(name.clone());
        }
    }
    let chosen = |name: &String| name == "id" || select.contains(name);
    Ok(object.into_iter().filter(|(name, _)| chosen(name)).collect())
}

/// A member that the application may not read: its type and id, and nulls.
pub(super) fn limited(object: &Map<String, Value>) -> Map<String, Value> {
    let shown = |name: &str| name == "id" || name.starts_with('@');
    object
        .iter()
        .map(|(name, value)| {
            let value = if shown(name) { value.clone() } else { Value::Null };
            (name.clone(), value)
        })
        .collect()
}

/// Puts the type in front.
pub(super) fn typed(kind: &str, object: Map<String, Value>) -> Map<String, Value> {
    let mut typed = Map::new();
    typed.insert("@odata.type".into(), format!("#microsoft.graph.{kind}").into());
    typed.extend(object);
    typed
}

fn deleted(life: Life, at: Timestamp) -> Value {
    match life {
        Life::Live => Value::Null,
        Life::SoftDeleted | Life::Deleted => moment(at),
    }
}

fn moment(at: Timestamp) -> Value {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

fn members_of(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
