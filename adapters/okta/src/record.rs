//! What Usher keeps of Okta's groups and users.

use serde_json::{Map, Value, json};
use usher_core::{
    AdapterError, ErrorKind, GroupRecord, RemoteGroupId, RemoteUserId, RetryAdvice, UserRecord,
};

use crate::config::PullSettings;
use crate::wire::{Group, User};

const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE_SCHEMA: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A group as Usher keeps it.
///
/// # Errors
/// [`ErrorKind::Protocol`] when it has no usable id or no name.
pub(crate) fn group(group: &Group) -> Result<GroupRecord, AdapterError> {
    let name = group
        .name()
        .ok_or_else(|| protocol(format!("group {} came without a name", group.id)))?;
    Ok(GroupRecord {
        id: group_id(&group.id)?,
        // Okta's SCIM client sends no externalId for groups.
        external_id: None,
        display_name: name.into(),
        resource: Map::from_iter([
            ("schemas".into(), json!([GROUP_SCHEMA])),
            ("displayName".into(), name.into()),
        ]),
    })
}

/// A user as Usher keeps it; `None` when the status is not known or the login is not shown, which decides nothing.
///
/// # Errors
/// [`ErrorKind::Protocol`] when it has no usable id.
pub(crate) fn user(user: &User, settings: &PullSettings) -> Result<Option<UserRecord>, AdapterError> {
    let id = user_id(&user.id)?;
    let (Some(active), Some(login)) = (settings.statuses.allows(&user.status), user.text("login")) else {
        return Ok(None);
    };
    let email = user.text("email");
    let display_name = display_name(user);
    let guest = settings
        .guests
        .mark(&[login, email.unwrap_or_default()], user.text("userType"));
    Ok(Some(UserRecord {
        id,
        // Okta's SCIM client sends its user id.
        external_id: Some(user.id.clone()),
        user_name: login.into(),
        email: email.map(str::to_owned),
        resource: resource(user, login, display_name.as_deref(), active),
        display_name,
        active,
        guest,
    }))
}

/// A group's id.
///
/// # Errors
/// [`ErrorKind::Protocol`] when it cannot be one.
pub(crate) fn group_id(id: &str) -> Result<RemoteGroupId, AdapterError> {
    RemoteGroupId::new(id).map_err(|error| protocol("a group came with an unusable id").because(error))
}

/// A user's id.
///
/// # Errors
/// [`ErrorKind::Protocol`] when it cannot be one.
pub(crate) fn user_id(id: &str) -> Result<RemoteUserId, AdapterError> {
    RemoteUserId::new(id).map_err(|error| protocol("a user came with an unusable id").because(error))
}

fn display_name(user: &User) -> Option<String> {
    let both = || {
        let parts = [user.text("firstName"), user.text("lastName")];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        (!name.is_empty()).then_some(name)
    };
    user.text("displayName").map(str::to_owned).or_else(both)
}

/// The user as a SCIM resource, as Okta's own SCIM client would describe it.
fn resource(user: &User, login: &str, display_name: Option<&str>, active: bool) -> Map<String, Value> {
    let mut resource = Map::new();
    let mut schemas = vec![USER_SCHEMA];
    let mut put = |name: &str, value: Value| resource.insert(name.into(), value);
    put("externalId", user.id.as_str().into());
    put("userName", login.into());
    let name = texts(
        user,
        &[
            ("givenName", "firstName"),
            ("familyName", "lastName"),
            ("middleName", "middleName"),
            ("honorificPrefix", "honorificPrefix"),
            ("honorificSuffix", "honorificSuffix"),
        ],
    );
    if !name.is_empty() {
        put("name", name.into());
    }
    if let Some(name) = display_name {
        put("displayName", name.into());
    }
    if let Some(email) = user.text("email") {
        put(
            "emails",
            json!([{"value": email, "type": "work", "primary": true}]),
        );
    }
    put("active", active.into());
    let simple = texts(
        user,
        &[
            ("title", "title"),
            ("nickName", "nickName"),
            ("userType", "userType"),
            ("preferredLanguage", "preferredLanguage"),
            ("locale", "locale"),
            ("timezone", "timezone"),
        ],
    );
    for (name, value) in simple {
        put(&name, value);
    }
    let mut enterprise = texts(
        user,
        &[
            ("employeeNumber", "employeeNumber"),
            ("costCenter", "costCenter"),
            ("organization", "organization"),
            ("division", "division"),
            ("department", "department"),
        ],
    );
    let manager = texts(user, &[("value", "managerId"), ("displayName", "manager")]);
    if !manager.is_empty() {
        enterprise.insert("manager".into(), manager.into());
    }
    if !enterprise.is_empty() {
        schemas.push(ENTERPRISE_SCHEMA);
        put(ENTERPRISE_SCHEMA, enterprise.into());
    }
    put("schemas", json!(schemas));
    resource
}

/// Texts of the profile under the names of SCIM.
fn texts(user: &User, names: &[(&str, &str)]) -> Map<String, Value> {
    names
        .iter()
        .filter_map(|(to, from)| Some(((*to).to_owned(), user.text(from)?.into())))
        .collect()
}

fn protocol(message: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorKind::Protocol, RetryAdvice::Never, "read", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OktaConfig;

    fn settings() -> PullSettings {
        let config: OktaConfig =
            serde_json::from_str(r#"{"org_url": "https://x.okta.com", "api_token": "t"}"#).unwrap();
        config.pull().unwrap().unwrap()
    }

    fn read(text: &str) -> Option<UserRecord> {
        user(&serde_json::from_str(text).unwrap(), &settings()).unwrap()
    }

    #[test]
    fn a_user_becomes_what_oktas_scim_client_would_send() {
        let record = read(
            r#"{"id": "00u1", "status": "LOCKED_OUT", "profile": {"login": "isaac@contoso.example",
                "email": "isaac.b@contoso.example", "firstName": "Isaac", "lastName": "Brock", "mobilePhone": null,
                "department": "Board", "managerId": "00u2", "title": ""}}"#,
        )
        .unwrap();
        assert_eq!(record.external_id.as_deref(), Some("00u1"));
        assert_eq!(record.display_name.as_deref(), Some("Isaac Brock"));
        assert!(record.active && !record.guest);
        let resource = Value::Object(record.resource);
        assert_eq!(
            resource["name"],
            json!({"givenName": "Isaac", "familyName": "Brock"})
        );
        assert_eq!(
            resource["emails"],
            json!([{"value": "isaac.b@contoso.example", "type": "work", "primary": true}])
        );
        assert_eq!(
            resource[ENTERPRISE_SCHEMA],
            json!({"department": "Board", "manager": {"value": "00u2"}})
        );
        assert_eq!(resource["schemas"], json!([USER_SCHEMA, ENTERPRISE_SCHEMA]));
        assert!(resource.get("title").is_none(), "an empty text is no title");
    }

    #[test]
    fn what_cannot_be_decided_is_no_record() {
        assert_eq!(
            read(r#"{"id": "00u1", "status": "ACTIVATING", "profile": {"login": "a"}}"#),
            None
        );
        assert_eq!(read(r#"{"id": "00u1", "status": "ACTIVE"}"#), None);
        let nameless: Group = serde_json::from_str(r#"{"id": "00g1"}"#).unwrap();
        assert_eq!(group(&nameless).unwrap_err().kind(), ErrorKind::Protocol);
    }
}
