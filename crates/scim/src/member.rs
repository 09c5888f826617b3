//! Members of a group as requests name them.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::Attributes;
use crate::error::ScimError;
use crate::filter::{Filter, matches_element};
use crate::schema::{Attribute, GROUP};

/// The longest id that a member may have, in bytes.
pub const MAX_MEMBER_ID: usize = 512;

/// One member of a group, as a client named it. The id may be unknown to the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberRef {
    /// The member's id, compared exactly.
    pub value: String,
    /// What the client said it is.
    pub kind: Option<MemberKind>,
    /// The name that the client gave.
    pub display: Option<String>,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberKind {
    /// A user.
    User,
    /// A nested group.
    Group,
}

impl MemberKind {
    /// The keyword on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The kind that a client's `type` names, whatever its letter case; `None` for vendor values.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Group]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

impl MemberRef {
    /// A member of unknown kind.
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            kind: None,
            display: None,
        }
    }

    /// Whether the member satisfies a filter over `value`, `type` and `display`, such as the one in
    /// [`crate::MemberDelta::RemoveWhere`].
    pub fn matches(&self, filter: &Filter) -> bool {
        matches_element(filter, &self.to_json(""), definition())
    }

    /// The member as an element of `members`. `base` is the URL that the SCIM endpoints live under, without a slash
    /// at its end; with an empty one, or for a member of unknown kind, there is no `$ref`.
    pub fn to_json(&self, base: &str) -> Value {
        let mut member = json!({ "value": self.value });
        if let Some(map) = member.as_object_mut() {
            if let Some(kind) = self.kind {
                map.insert("type".into(), kind.as_str().into());
                if !base.is_empty() {
                    map.insert(
                        "$ref".into(),
                        format!("{base}/{}s/{}", kind.as_str(), self.value).into(),
                    );
                }
            }
            if let Some(display) = &self.display {
                map.insert("display".into(), display.as_str().into());
            }
        }
        member
    }

    fn from_element(element: Value) -> Result<Self, ScimError> {
        match element {
            Value::Object(parts) => Self::from_parts(parts),
            Value::String(id) => {
                check_id(&id)?;
                Ok(Self::new(id))
            }
            other => Err(malformed(&format!(
                "an element is {}",
                crate::value::type_name(&other)
            ))),
        }
    }

    fn from_parts(parts: Attributes) -> Result<Self, ScimError> {
        let mut id = None;
        let mut kind = None;
        let mut display = None;
        for (key, part) in parts {
            if key.eq_ignore_ascii_case("value") {
                match part {
                    Value::String(text) => id = Some(text),
                    Value::Null => {}
                    other => {
                        let found = crate::value::type_name(&other);
                        return Err(malformed(&format!("a value is {found}, ids are strings")));
                    }
                }
            } else if key.eq_ignore_ascii_case("type") {
                kind = part.as_str().and_then(MemberKind::parse);
            } else if key.eq_ignore_ascii_case("display")
                && let Value::String(text) = part
                && !text.is_empty()
            {
                display = Some(text);
            }
        }
        let value = id.ok_or_else(|| malformed("an element has no value"))?;
        check_id(&value)?;
        Ok(Self { value, kind, display })
    }
}

/// Reads the members in a request: an array of `{"value": id}`, one such object, or plain ids. `null` is nobody.
/// Sub-attributes that nobody defined are ignored. Somebody named twice counts once, the first time.
///
/// # Errors
/// `invalidValue` for any other shape: a request on members that is not understood must not seem to succeed.
pub(crate) fn parse(value: Value) -> Result<Vec<MemberRef>, ScimError> {
    let mut members = match value {
        Value::Null => Vec::new(),
        Value::Array(elements) => elements
            .into_iter()
            .map(MemberRef::from_element)
            .collect::<Result<Vec<_>, _>>()?,
        single => vec![MemberRef::from_element(single)?],
    };
    remove_duplicates(&mut members);
    Ok(members)
}

fn remove_duplicates(members: &mut Vec<MemberRef>) {
    if members.len() > 1 {
        let mut seen = HashSet::with_capacity(members.len());
        let first: Vec<bool> = members
            .iter()
            .map(|member| seen.insert(member.value.as_str()))
            .collect();
        let mut first = first.into_iter();
        members.retain(|_| first.next().unwrap_or(true));
    }
}

/// Refuses what cannot be an id, such as JSON inside a string.
pub(crate) fn check_id(id: &str) -> Result<(), ScimError> {
    if id.is_empty() || id.len() > MAX_MEMBER_ID {
        return Err(malformed(&format!(
            "an id is empty or longer than {MAX_MEMBER_ID} bytes"
        )));
    }
    if id.starts_with(['{', '[']) || id.chars().any(char::is_control) {
        return Err(malformed("an id holds JSON or control characters"));
    }
    Ok(())
}

/// Refuses a filter over what is not known of members. It would select nobody, which a client could not tell from
/// success.
pub(crate) fn check_filter(filter: &Filter) -> Result<(), ScimError> {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(check_filter),
        Filter::Not(part) => check_filter(part),
        Filter::Present(path) | Filter::Compare { path, .. } | Filter::ValuePath { path, .. } => {
            let known = ["value", "type", "display"]
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&path.name));
            let plain =
                path.uri.is_none() && path.sub.is_none() && !matches!(filter, Filter::ValuePath { .. });
            if known && plain {
                return Ok(());
            }
            Err(ScimError::invalid_filter(
                "members are selected by 'value', 'type' and 'display'",
            ))
        }
    }
}

fn malformed(what: &str) -> ScimError {
    ScimError::invalid_value(format!(
        "members is an array of objects such as {{\"value\": \"<id>\"}}; here {what}"
    ))
}

fn definition() -> Option<&'static Attribute> {
    GROUP.attribute("members")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;

    #[test]
    fn known_shapes_name_members() {
        let expected = vec![MemberRef::new("a"), MemberRef::new("b")];
        for value in [
            json!([{"value": "a"}, {"value": "b"}]),
            json!([{"$ref": null, "value": "a"}, {"Value": "b", "shoeSize": 43, "display": ""}]),
            json!(["a", "b", "a"]),
            json!([{"value": "a"}, {"value": "b", "type": "direct"}, {"value": "a", "display": "twice"}]),
        ] {
            assert_eq!(parse(value.clone()).expect("known"), expected, "{value}");
        }
        assert_eq!(
            parse(json!({"value": "a"})).expect("one object"),
            [MemberRef::new("a")]
        );
        assert_eq!(parse(Value::Null).expect("null"), []);
    }

    #[test]
    fn kind_and_name_are_kept() {
        let members = parse(json!([{"value": "g", "type": "group", "display": "Board"}])).expect("a group");
        assert_eq!(members[0].kind, Some(MemberKind::Group));
        assert_eq!(
            members[0].to_json("https://x.example/v2"),
            json!({"value": "g", "type": "Group", "$ref": "https://x.example/v2/Groups/g", "display": "Board"})
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for value in [
            json!(5),
            json!(true),
            json!(""),
            json!([null]),
            json!([[]]),
            json!([{"id": "a"}]),
            json!([{"value": null}]),
            json!([{"value": ""}]),
            json!([{"value": 7}]),
            json!({"members": []}),
            json!("{\"value\": \"a\"}"),
            json!(["x".repeat(MAX_MEMBER_ID + 1)]),
        ] {
            let error = parse(value.clone()).expect_err("malformed");
            assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{value}");
        }
    }

    #[test]
    fn members_are_matched_by_filters() {
        let member = MemberRef {
            kind: Some(MemberKind::Group),
            ..MemberRef::new("a")
        };
        assert!(member.matches(&"type eq \"group\"".parse().expect("a filter")));
        assert!(!member.matches(&"value eq \"A\"".parse().expect("a filter")));
    }
}
