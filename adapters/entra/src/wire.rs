//! What Microsoft Graph sends, as far as this adapter reads it.
//!
//! <https://learn.microsoft.com/graph/api/resources/user>, <https://learn.microsoft.com/graph/api/resources/group>

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The properties of users that are asked for.
pub(crate) const USER_SELECT: &str = "id,userPrincipalName,mail,displayName,givenName,surname,accountEnabled,userType,externalUserState,employeeId";

/// The properties of members that are asked for: a list may hold some who are in the recycle bin.
pub(crate) const MEMBER_SELECT: &str = "id,userPrincipalName,mail,displayName,givenName,surname,accountEnabled,userType,externalUserState,employeeId,deletedDateTime";

/// The properties of groups that are asked for.
pub(crate) const GROUP_SELECT: &str = "id,displayName,groupTypes,mailEnabled,securityEnabled,visibility";

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    #[serde(rename = "@odata.nextLink")]
    pub(crate) next_link: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    pub(crate) delta_link: Option<String>,
    #[serde(rename = "@odata.count")]
    pub(crate) count: Option<u64>,
    pub(crate) value: Vec<T>,
}

/// Why an object is no longer there.
#[derive(Debug, Deserialize)]
pub(crate) struct Removed {
    pub(crate) reason: String,
}

/// A user, or any member of a group: what is not a user shows by its type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    #[serde(rename = "@odata.type")]
    pub(crate) kind: Option<String>,
    #[serde(rename = "@removed")]
    pub(crate) removed: Option<Removed>,
    pub(crate) id: String,
    pub(crate) user_principal_name: Option<String>,
    pub(crate) mail: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) given_name: Option<String>,
    pub(crate) surname: Option<String>,
    /// `None` where the property is absent, `Some(None)` where it is null.
    #[serde(default, deserialize_with = "present")]
    pub(crate) account_enabled: Option<Option<bool>>,
    pub(crate) user_type: Option<String>,
    pub(crate) external_user_state: Option<String>,
    pub(crate) employee_id: Option<String>,
    pub(crate) deleted_date_time: Option<String>,
}

impl User {
    /// Whether this is a user; without a type it is taken for one.
    pub(crate) fn is_user(&self) -> bool {
        self.kind
            .as_deref()
            .is_none_or(|kind| kind == "#microsoft.graph.user")
    }
}

/// A group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    #[serde(rename = "@removed")]
    pub(crate) removed: Option<Removed>,
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    #[serde(default)]
    pub(crate) group_types: Vec<String>,
    pub(crate) mail_enabled: Option<bool>,
    pub(crate) security_enabled: Option<bool>,
    pub(crate) visibility: Option<String>,
    #[serde(rename = "members@delta", default)]
    pub(crate) members: Vec<MemberChange>,
}

impl Group {
    /// Whether its members are shown only to those with a permission of their own.
    pub(crate) fn hides_members(&self) -> bool {
        self.visibility.as_deref() == Some("HiddenMembership")
    }

    /// Microsoft's word for the kind of group.
    pub(crate) fn kind(&self) -> String {
        let has = |name: &str| self.group_types.iter().any(|kind| kind == name);
        let kind = match (has("Unified"), self.security_enabled, self.mail_enabled) {
            (true, _, _) => "microsoft365",
            (false, Some(true), Some(true)) => "mail-enabled security",
            (false, Some(false), Some(true)) => "distribution",
            _ => "security",
        };
        if has("DynamicMembership") {
            format!("dynamic {kind}")
        } else {
            kind.into()
        }
    }
}

/// A member in a delta.
#[derive(Debug, Deserialize)]
pub(crate) struct MemberChange {
    #[serde(rename = "@odata.type")]
    pub(crate) kind: Option<String>,
    pub(crate) id: String,
    #[serde(rename = "@removed")]
    pub(crate) removed: Option<Value>,
}

impl MemberChange {
    /// Whether the member is a user; without a type it is taken for one.
    pub(crate) fn is_user(&self) -> bool {
        self.kind
            .as_deref()
            .is_none_or(|kind| kind == "#microsoft.graph.user")
    }
}

/// Something with an id.
#[derive(Debug, Deserialize)]
pub(crate) struct Identified {
    pub(crate) id: String,
}

/// Who is assigned to an application.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assignment {
    pub(crate) principal_id: Option<String>,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    pub(crate) error: FailureDetail,
}

/// What an error says.
#[derive(Debug, Deserialize)]
pub(crate) struct FailureDetail {
    pub(crate) code: String,
}

/// Answers to the requests of a batch.
#[derive(Debug, Deserialize)]
pub(crate) struct Batch {
    pub(crate) responses: Vec<BatchAnswer>,
}

/// The answer to one request of a batch.
#[derive(Debug, Deserialize)]
pub(crate) struct BatchAnswer {
    pub(crate) id: String,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: Option<serde_json::Map<String, Value>>,
    #[serde(default)]
    pub(crate) body: Value,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<bool>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_null_are_told_apart() {
        let read = |json: &str| serde_json::from_str::<User>(json).unwrap().account_enabled;
        assert_eq!(read(r#"{"id": "a"}"#), None);
        assert_eq!(read(r#"{"id": "a", "accountEnabled": null}"#), Some(None));
        assert_eq!(read(r#"{"id": "a", "accountEnabled": false}"#), Some(Some(false)));
    }

    #[test]
    fn kinds_of_groups_have_microsofts_names() {
        let check = |json: &str, expected: &str| {
            assert_eq!(
                serde_json::from_str::<Group>(json).unwrap().kind(),
                expected,
                "{json}"
            );
        };
        check(
            r#"{"id": "g", "groupTypes": ["Unified"], "securityEnabled": false}"#,
            "microsoft365",
        );
        check(
            r#"{"id": "g", "groupTypes": ["DynamicMembership"], "securityEnabled": true, "mailEnabled": false}"#,
            "dynamic security",
        );
        check(
            r#"{"id": "g", "securityEnabled": true, "mailEnabled": true}"#,
            "mail-enabled security",
        );
        check(
            r#"{"id": "g", "securityEnabled": false, "mailEnabled": true}"#,
            "distribution",
        );
    }
}
