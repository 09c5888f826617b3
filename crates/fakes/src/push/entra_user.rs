//! A user as Entra's attribute mapping makes it, and the forms in which it is sent.

use serde_json::{Map, Value, json};

use super::entra::{Dialect, EntraOptions, ExternalIdSource, GuestName};
use crate::{Guest, Life, User};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const WORK_EMAIL: &str = "emails[type eq \"work\"].value";

/// The path at which a manager is sent.
pub(super) fn manager_path() -> String {
    format!("{ENTERPRISE}:manager")
}

/// Attributes by path, in the order of the mapping.
pub(super) fn attributes(user: &User, options: &EntraOptions) -> Vec<(&'static str, Value)> {
    let mut name = match (user.guest, options.guest_name) {
        (Guest::External | Guest::ExternalMember, GuestName::Original) => {
            let alias = user.user_name.replace('@', "_");
            format!("{alias}#EXT#@contoso.onmicrosoft.example")
        }
        _ => user.user_name.clone(),
    };
    if options.tombstones && user.life != Life::Live {
        name = format!("{}{name}", user.id.replace('-', ""));
    }
    let external = match options.external_id {
        ExternalIdSource::ObjectId => user.id.to_string(),
        ExternalIdSource::MailNickname => {
            let (alias, _) = user.user_name.split_once('@').unwrap_or((&user.user_name, ""));
            alias.to_owned()
        }
    };
    let mut attributes = vec![
        ("userName", name.into()),
        ("externalId", external.into()),
        ("displayName", user.display_name().into()),
        ("name.givenName", user.given_name.clone().into()),
        ("name.familyName", user.family_name.clone().into()),
    ];
    if let Some(email) = &user.email {
        attributes.push((WORK_EMAIL, email.clone().into()));
    }
    attributes
}

/// The body that creates a user.
pub(super) fn creation(user: &User, options: &EntraOptions) -> Value {
    let attributes = attributes(user, options);
    let value = |path: &str| {
        let found = attributes.iter().find(|(known, _)| *known == path);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut body = json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": value("externalId"),
        "userName": value("userName"),
        "active": true,
        "displayName": value("displayName"),
        "meta": { "resourceType": "User" },
        "name": {
            "formatted": value("displayName"),
            "familyName": value("name.familyName"),
            "givenName": value("name.givenName"),
        },
        "roles": [],
    });
    if user.email.is_some() {
        body["emails"] = json!([{ "primary": true, "type": "work", "value": value(WORK_EMAIL) }]);
    }
    body
}

/// What differs between the attributes and a resource that the endpoint answered. An attribute without a value is not
/// sent: the client cannot clear anything.
pub(super) fn differences(
    attributes: Vec<(&'static str, Value)>,
    resource: &Value,
) -> Vec<(&'static str, Value, bool)> {
    let differing = attributes.into_iter().filter_map(|(path, value)| {
        let there = read(path, resource);
        (there != Some(&value)).then(|| (path, value, there.is_some()))
    });
    differing.collect()
}

/// A PATCH of attributes, each with whether the endpoint has a value already, and of `active`.
pub(super) fn patch(
    changes: Vec<(&'static str, Value, bool)>,
    active: Option<bool>,
    dialect: Dialect,
) -> Value {
    let mut operations = Vec::new();
    if dialect == Dialect::Compliant {
        let mut merged = Map::new();
        for (path, value, _) in changes {
            if path.contains('[') {
                operations.push(json!({ "op": "replace", "path": path, "value": value }));
            } else {
                merged.insert(path.into(), value);
            }
        }
        if !merged.is_empty() {
            operations.push(json!({ "op": "replace", "value": merged }));
        }
        if let Some(active) = active {
            operations.push(json!({ "op": "replace", "path": "active", "value": active }));
        }
    } else {
        for (path, value, there) in changes {
            let op = if there { "Replace" } else { "Add" };
            operations.push(json!({ "op": op, "path": path, "value": value }));
        }
        if let Some(active) = active {
            let word = if active { "True" } else { "False" };
            operations.push(json!({ "op": "Replace", "path": "active", "value": word }));
        }
    }
    json!({ "schemas": [PATCH], "Operations": operations })
}

/// A PATCH of one attribute by its path.
pub(super) fn patch_of(op: &str, path: &str, value: &str) -> Value {
    let operation = json!({ "op": op, "path": path, "value": value });
    json!({ "schemas": [PATCH], "Operations": [operation] })
}

/// A PATCH of these operations.
pub(super) fn patch_operations(operations: &[Value]) -> Value {
    json!({ "schemas": [PATCH], "Operations": operations })
}

fn read<'r>(path: &str, resource: &'r Value) -> Option<&'r Value> {
    if path == WORK_EMAIL {
        let emails = resource["emails"].as_array()?;
        return emails.iter().find(|email| email["type"] == "work")?.get("value");
    }
    path.split('.').try_fold(resource, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compliant_form_keeps_filtered_paths_apart_and_flattens_the_rest() {
        let changes = || {
            vec![
                (WORK_EMAIL, json!("b@test.example"), true),
                ("displayName", json!("Bjfe"), true),
                ("name.givenName", json!("Kkom"), false),
            ]
        };
        assert_eq!(
            patch(changes(), None, Dialect::Compliant)["Operations"],
            json!([
                { "op": "replace", "path": WORK_EMAIL, "value": "b@test.example" },
                { "op": "replace", "value": { "displayName": "Bjfe", "name.givenName": "Kkom" } },
            ])
        );
        let legacy = patch(changes(), Some(false), Dialect::Legacy);
        assert_eq!(
            legacy["Operations"][2],
            json!({ "op": "Add", "path": "name.givenName", "value": "Kkom" })
        );
        assert_eq!(
            legacy["Operations"][3],
            json!({ "op": "Replace", "path": "active", "value": "False" })
        );
    }

    #[test]
    fn only_what_differs_is_sent() {
        let resource = json!({ "userName": "ann", "emails": [{ "type": "home", "value": "x" }] });
        let wanted = vec![("userName", json!("ann")), (WORK_EMAIL, json!("ann@x.example"))];
        assert_eq!(
            differences(wanted, &resource),
            [(WORK_EMAIL, json!("ann@x.example"), false)]
        );
    }
}
