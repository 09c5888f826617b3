//! Users and groups of Microsoft Graph as records of the directory.

use serde_json::{Map, Value, json};
use usher_core::{
    AdapterError, ErrorKind, GroupRecord, RemoteGroupId, RemoteUserId, RetryAdvice, UserRecord,
};

use crate::wire::{Group, User};

const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const CORE_GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// What a user that may not be read lacks.
pub(crate) const LIMITED: &str =
    "Graph shows the ids of users and nothing else; grant the application permission User.Read.All";

/// The record of a user, or `None` where the application is not allowed to see who it is or whether the account is
/// enabled. Somebody in the recycle bin is not active, though the account shows as enabled.
pub(crate) fn user(user: &User) -> Option<UserRecord> {
    let enabled = user.account_enabled.flatten()?;
    let name = user.user_principal_name.as_deref()?;
    let deleted = user.deleted_date_time.is_some() || without_tombstone(name, &user.id) != name;
    record(user, enabled && !deleted)
}

/// The record of a user in the recycle bin, who is not active.
pub(crate) fn deleted_user(user: &User) -> Option<UserRecord> {
    record(user, false)
}

fn record(user: &User, active: bool) -> Option<UserRecord> {
    let id = RemoteUserId::new(user.id.as_str()).ok()?;
    let user_name = without_tombstone(user.user_principal_name.as_deref()?, &user.id).to_owned();
    let guest = is_external(user);
    let mut resource = Map::new();
    let schemas = if user.employee_id.is_some() {
        json!([CORE_USER, ENTERPRISE_USER])
    } else {
        json!([CORE_USER])
    };
    resource.insert("schemas".into(), schemas);
    resource.insert("externalId".into(), user.id.as_str().into());
    resource.insert("userName".into(), user_name.as_str().into());
    set(&mut resource, "displayName", user.display_name.as_deref());
    let mut name = Map::new();
    set(&mut name, "givenName", user.given_name.as_deref());
    set(&mut name, "familyName", user.surname.as_deref());
    if !name.is_empty() {
        resource.insert("name".into(), name.into());
    }
    if let Some(mail) = &user.mail {
        resource.insert(
            "emails".into(),
            json!([{ "value": mail, "type": "work", "primary": true }]),
        );
    }
    set(&mut resource, "userType", user.user_type.as_deref());
    resource.insert("active".into(), active.into());
    if let Some(number) = &user.employee_id {
        resource.insert(ENTERPRISE_USER.into(), json!({ "employeeNumber": number }));
    }
    Some(UserRecord {
        id,
        external_id: Some(user.id.clone()),
        user_name,
        email: user.mail.clone(),
        display_name: user.display_name.clone(),
        active,
        guest,
        resource,
    })
}

/// The record of a group under the id by which it was asked for.
pub(crate) fn group(id: &RemoteGroupId, group: &Group) -> GroupRecord {
    let display_name = group.display_name.clone().unwrap_or_default();
    let mut resource = Map::new();
    resource.insert("schemas".into(), json!([CORE_GROUP]));
    resource.insert("externalId".into(), group.id.as_str().into());
    resource.insert("displayName".into(), display_name.as_str().into());
    GroupRecord {
        id: id.clone(),
        external_id: Some(group.id.clone()),
        display_name,
        resource,
    }
}

/// Whether somebody is not of the organisation. The three signs are independent of each other: an invited person may be
/// given `userType` Member, and a local account may be made a Guest
/// (<https://learn.microsoft.com/entra/external-id/user-properties>).
fn is_external(user: &User) -> bool {
    let is_guest = user
        .user_type
        .as_deref()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("guest"));
    let name = user.user_principal_name.as_deref().unwrap_or_default();
    is_guest || user.external_user_state.is_some() || name.to_ascii_uppercase().contains("#EXT#")
}

/// The name without the id that Entra puts in front of it while the user is in the recycle bin, so that another may take
/// the name.
fn without_tombstone<'a>(name: &'a str, id: &str) -> &'a str {
    let tombstone = id.replace('-', "");
    name.get(..tombstone.len())
        .filter(|start| tombstone.len() == 32 && start.eq_ignore_ascii_case(&tombstone))
        .and_then(|start| name.get(start.len()..))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(name)
}

fn set(object: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        object.insert(name.into(), value.into());
    }
}

/// A user's id from the provider.
///
/// # Errors
/// [`ErrorKind::Protocol`] when it is empty or endless.
pub(crate) fn user_id(id: &str) -> Result<RemoteUserId, AdapterError> {
    RemoteUserId::new(id).map_err(|error| odd_id().because(error))
}

/// A group's id from the provider.
///
/// # Errors
/// [`ErrorKind::Protocol`] when it is empty or endless.
pub(crate) fn group_id(id: &str) -> Result<RemoteGroupId, AdapterError> {
    RemoteGroupId::new(id).map_err(|error| odd_id().because(error))
}

fn odd_id() -> AdapterError {
    AdapterError::new(
        ErrorKind::Protocol,
        RetryAdvice::Never,
        "read",
        "Graph answered an object whose id cannot be one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef";

    fn read(extra: &str) -> User {
        let json = format!(r#"{{"id": "{ID}", "accountEnabled": true{extra}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_user_becomes_a_scim_resource() {
        let record = user(&read(
            r#", "userPrincipalName": "ann@contoso.example", "mail": "ann.example@contoso.example",
                "displayName": "Ann Example", "givenName": "Ann", "surname": "Example", "userType": "Member",
                "employeeId": "17""#,
        ))
        .expect("complete");
        assert_eq!(record.external_id.as_deref(), Some(ID));
        assert_eq!(record.email.as_deref(), Some("ann.example@contoso.example"));
        assert!(record.active && !record.guest);
        assert_eq!(
            Value::from(record.resource),
            json!({
                "schemas": [CORE_USER, ENTERPRISE_USER], "externalId": ID, "userName": "ann@contoso.example",
                "displayName": "Ann Example", "name": {"givenName": "Ann", "familyName": "Example"},
                "emails": [{"value": "ann.example@contoso.example", "type": "work", "primary": true}],
                "userType": "Member", "active": true, ENTERPRISE_USER: {"employeeNumber": "17"},
            })
        );
    }

    #[test]
    fn any_of_three_signs_marks_somebody_from_elsewhere() {
        let check = |extra: &str, expected: bool| {
            assert_eq!(user(&read(extra)).expect("complete").guest, expected, "{extra}");
        };
        check(
            r#", "userPrincipalName": "a@c.example", "userType": "Member""#,
            false,
        );
        check(r#", "userPrincipalName": "a@c.example", "userType": null"#, false);
        check(
            r#", "userPrincipalName": "a@c.example", "userType": "guest""#,
            true,
        );
        check(
            r#", "userPrincipalName": "a_b.example#ext#@c.example", "userType": "Member""#,
            true,
        );
        check(
            r#", "userPrincipalName": "a@c.example", "externalUserState": "PendingAcceptance""#,
            true,
        );
    }

    #[test]
    fn a_user_that_may_not_be_read_has_no_record() {
        assert_eq!(user(&read(r#", "userPrincipalName": null"#)), None);
        let nobody: User = serde_json::from_str(&format!(
            r#"{{"id": "{ID}", "userPrincipalName": "a@c.example"}}"#
        ))
        .unwrap();
        assert_eq!(user(&nobody), None);
    }

    #[test]
    fn an_enabled_account_in_the_recycle_bin_is_not_active() {
        let tombstone = ID.replace('-', "");
        let check = |extra: &str| assert!(!user(&read(extra)).expect("complete").active, "{extra}");
        check(&format!(r#", "userPrincipalName": "{tombstone}a@c.example""#));
        check(r#", "userPrincipalName": "a@c.example", "deletedDateTime": "2026-01-01T00:00:00Z""#);
    }

    #[test]
    fn the_name_of_a_deleted_user_is_the_one_before() {
        let tombstone = ID.replace('-', "");
        let check = |name: &str, expected: &str| assert_eq!(without_tombstone(name, ID), expected, "{name}");
        check(&format!("{tombstone}ann@contoso.example"), "ann@contoso.example");
        check("ann@contoso.example", "ann@contoso.example");
        check(
            "00000000000000000000000000000000ann@contoso.example",
            "00000000000000000000000000000000ann@contoso.example",
        );
        check(&tombstone, &tombstone);
    }
}
