//! Acme's people and groups as Usher's records.

use serde_json::{Map, Value, json};
use usher_core::{
    AdapterError, ErrorKind, GroupRecord, RemoteGroupId, RemoteUserId, RetryAdvice, UserRecord,
};

use crate::wire::{Group, Person};

/// A person. Acme's SCIM client sends the same id as `externalId`.
pub(crate) fn user(person: &Person) -> Result<UserRecord, AdapterError> {
    let name = format!("{} {}", person.given, person.family);
    let mut resource = table(json!({
        "userName": person.login,
        "externalId": person.id,
        "displayName": name,
        "name": { "givenName": person.given, "familyName": person.family },
        "active": person.enabled,
        "userType": if person.guest { "Guest" } else { "Employee" },
    }));
    if let Some(email) = &person.email {
        let email = json!([{ "value": email, "type": "work", "primary": true }]);
        resource.insert("emails".into(), email);
    }
    Ok(UserRecord {
        id: user_id(&person.id)?,
        external_id: Some(person.id.clone()),
        user_name: person.login.clone(),
        email: person.email.clone(),
        display_name: Some(name),
        active: person.enabled,
        guest: person.guest,
        resource,
    })
}

/// A group, without its people.
pub(crate) fn group(group: &Group) -> Result<GroupRecord, AdapterError> {
    Ok(GroupRecord {
        id: group_id(&group.id)?,
        external_id: Some(group.id.clone()),
        display_name: group.name.clone(),
        resource: table(json!({ "displayName": group.name, "externalId": group.id })),
    })
}

pub(crate) fn user_id(id: &str) -> Result<RemoteUserId, AdapterError> {
    RemoteUserId::new(id).map_err(odd_id)
}

pub(crate) fn group_id(id: &str) -> Result<RemoteGroupId, AdapterError> {
    RemoteGroupId::new(id).map_err(odd_id)
}

fn odd_id(error: usher_core::IdError) -> AdapterError {
    let message = "Acme answered with an id that is none";
    AdapterError::new(ErrorKind::Protocol, RetryAdvice::Never, "read", message).because(error)
}

fn table(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(table) => table,
        _ => Map::new(),
    }
}
