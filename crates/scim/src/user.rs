//! Facts about a user, read in place from canonical attributes.

use serde_json::Value;

use crate::Attributes;
use crate::urn;
use crate::value::is_primary;

/// What the user signs in with. Every canonical user has one.
pub fn user_name(user: &Attributes) -> Option<&str> {
    text(user, "userName")
}

/// The client's own identifier.
pub fn external_id(resource: &Attributes) -> Option<&str> {
    text(resource, "externalId")
}

/// Whether the user may use the service. A user that does not say is active.
pub fn is_active(user: &Attributes) -> bool {
    user.get("active").and_then(Value::as_bool).unwrap_or(true)
}

/// The name to show: `displayName`, else `name.formatted`, else given and family name, else nothing.
pub fn display_name(user: &Attributes) -> Option<String> {
    if let Some(name) = text(user, "displayName") {
        return Some(name.into());
    }
    let name = user.get("name")?.as_object()?;
    if let Some(formatted) = text(name, "formatted") {
        return Some(formatted.into());
    }
    let parts: Vec<&str> = [text(name, "givenName"), text(name, "familyName")]
        .into_iter()
        .flatten()
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The address to write to: the primary one, else one of type `work`, else the first.
pub fn email(user: &Attributes) -> Option<&str> {
    let emails = user.get("emails")?.as_array()?;
    let is_work = |email: &&Value| {
        email
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
    };
    let chosen = emails
        .iter()
        .find(|email| is_primary(email))
        .or_else(|| emails.iter().find(is_work))
        .or_else(|| emails.first())?;
    chosen.get("value")?.as_str()
}

/// All addresses, in the order in which the client gave them.
pub fn emails(user: &Attributes) -> impl Iterator<Item = &str> {
    user.get("emails")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|email| email.get("value")?.as_str())
}

/// The id of the user's manager.
pub fn manager(user: &Attributes) -> Option<&str> {
    user.get(urn::ENTERPRISE_USER)?
        .get("manager")?
        .get("value")?
        .as_str()
}

/// How the organisation relates to the user, such as `Guest`.
pub fn user_type(user: &Attributes) -> Option<&str> {
    text(user, "userType")
}

fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(value: Value) -> Attributes {
        match value {
            Value::Object(attributes) => attributes,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn the_address_is_the_primary_one_then_work_then_the_first() {
        let cases = [
            (
                json!([{"value": "a"}, {"value": "b", "type": "Work"}, {"value": "c", "primary": true}]),
                Some("c"),
            ),
            (json!([{"value": "a"}, {"value": "b", "type": "Work"}]), Some("b")),
            (json!([{"value": "a"}, {"value": "b"}]), Some("a")),
            (json!([]), None),
        ];
        for (emails, expected) in cases {
            assert_eq!(email(&user(json!({"emails": emails}))), expected);
        }
    }

    #[test]
    fn a_user_is_active_unless_it_says_otherwise() {
        assert!(is_active(&user(json!({}))));
        assert!(!is_active(&user(json!({"active": false}))));
    }

    #[test]
    fn a_name_is_found_in_its_parts() {
        let ann = user(json!({"name": {"familyName": "Lee", "givenName": "Ann"}}));
        assert_eq!(display_name(&ann).as_deref(), Some("Ann Lee"));
        assert_eq!(display_name(&user(json!({"userName": "ann"}))), None);
    }

    #[test]
    fn the_manager_is_in_the_extension() {
        let ann = user(json!({(urn::ENTERPRISE_USER): {"manager": {"value": "u2"}}}));
        assert_eq!(manager(&ann), Some("u2"));
    }
}
