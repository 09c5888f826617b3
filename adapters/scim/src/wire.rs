//! What a service provider sends (RFC 7643 §3 and §4, RFC 7644 §3.4.2). Names are compared in any letter case.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use usher_core::Timestamp;
use usher_scim::Attributes;

/// Something in a list that has an id.
pub(crate) trait Resource: for<'de> Deserialize<'de> + Send {
    /// The id, if it has one.
    fn id(&self) -> Option<&str>;
}

/// A user as it was sent.
#[derive(Debug)]
pub(crate) struct UserResource(pub(crate) Attributes);

/// A group as it was sent, its members apart.
#[derive(Debug, Default)]
pub(crate) struct GroupResource {
    /// All but the members.
    pub(crate) attributes: Attributes,
    /// The members; `None` when the attribute is absent or null, which can mean "nobody" and "not shown".
    pub(crate) members: Option<Vec<Member>>,
}

/// A member of a group.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// The member's id.
    pub(crate) value: Option<String>,
    /// What it is, where the provider says so.
    pub(crate) kind: Option<Kind>,
}

/// What a member of a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    User,
    Group,
}

impl Kind {
    /// The path of the endpoint.
    pub(crate) const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct ListPage<T> {
    pub(crate) total_results: Option<u64>,
    pub(crate) resources: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

impl Resource for UserResource {
    fn id(&self) -> Option<&str> {
        text(&self.0, "id")
    }
}

impl UserResource {
    /// When it last changed, where the provider says so.
    pub(crate) fn last_modified(&self) -> Option<Timestamp> {
        text(object(&self.0, "meta")?, "lastModified")?.parse().ok()
    }

    /// The groups that the user shows itself in, with whether it is a member itself (RFC 7643 §4.1.2); `None` when the
    /// attribute is absent.
    pub(crate) fn groups(&self) -> Option<Vec<(&str, bool)>> {
        let groups = get(&self.0, "groups")?.as_array()?;
        Some(
            groups
                .iter()
                .filter_map(|group| {
                    let group = group.as_object()?;
                    let kind = text(group, "type");
                    let direct = kind.is_none_or(|kind| !kind.eq_ignore_ascii_case("indirect"));
                    Some((text(group, "value")?, direct))
                })
                .collect(),
        )
    }

    /// Whether the user shows itself in this group: as a member itself, or also by a group inside it.
    pub(crate) fn is_in(&self, group: &str, nested: bool) -> bool {
        self.groups().is_some_and(|groups| {
            groups
                .iter()
                .any(|(id, direct)| *id == group && (nested || *direct))
        })
    }
}

impl Resource for GroupResource {
    fn id(&self) -> Option<&str> {
        text(&self.attributes, "id")
    }
}

impl GroupResource {
    /// When it last changed, where the provider says so.
    pub(crate) fn last_modified(&self) -> Option<Timestamp> {
        text(object(&self.attributes, "meta")?, "lastModified")?
            .parse()
            .ok()
    }

    /// What differs after every change: version and time, where the provider gives any of them.
    pub(crate) fn mark(&self) -> Option<String> {
        let meta = object(&self.attributes, "meta")?;
        let parts = [text(meta, "version"), text(meta, "lastModified")];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

/// The value of a name in any letter case.
pub(crate) fn get<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a Value> {
    attributes.get(name).or_else(|| {
        let mut others = attributes.iter();
        others
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// The text of a name in any letter case; an empty one is absent.
pub(crate) fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    get(attributes, name)?.as_str().filter(|text| !text.is_empty())
}

/// The object of a name in any letter case.
pub(crate) fn object<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a Attributes> {
    get(attributes, name)?.as_object()
}

impl<'de> Deserialize<'de> for UserResource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for GroupResource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = GroupResource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a group")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<GroupResource, A::Error> {
                let mut group = GroupResource::default();
                while let Some(name) = fields.next_key::<String>()? {
                    if name.eq_ignore_ascii_case("members") {
                        group.members = fields.next_value()?;
                    } else {
                        group.attributes.insert(name, fields.next_value()?);
                    }
                }
                Ok(group)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member")
            }

            fn visit_str<E>(self, value: &str) -> Result<Member, E> {
                Ok(Member {
                    value: Some(value.to_owned()).filter(|value| !value.is_empty()),
                    kind: None,
                })
            }

            fn visit_unit<E>(self) -> Result<Member, E> {
                Ok(Member::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Member, A::Error> {
                let (mut value, mut kind, mut reference) = (None, None, None);
                while let Some(name) = fields.next_key::<String>()? {
                    match name.to_ascii_lowercase().as_str() {
                        "value" => value = fields.next_value::<Option<String>>()?,
                        "type" => kind = fields.next_value::<Option<String>>()?,
                        "$ref" => reference = fields.next_value::<Option<String>>()?,
                        _ => {
                            fields.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Member {
                    value: value.filter(|value| !value.is_empty()),
                    kind: kind_of(kind.as_deref(), reference.as_deref()),
                })
            }
        }
        deserializer.deserialize_any(Fields)
    }
}

/// What a member is by its `type`, or by the endpoint in its `$ref`; the `$ref` is never called.
fn kind_of(kind: Option<&str>, reference: Option<&str>) -> Option<Kind> {
    match kind {
        Some(kind) if kind.eq_ignore_ascii_case("group") => return Some(Kind::Group),
        Some(kind) if kind.eq_ignore_ascii_case("user") => return Some(Kind::User),
        _ => {}
    }
    let reference = reference?.to_ascii_lowercase();
    if reference.contains("/groups/") || reference.starts_with("groups/") {
        Some(Kind::Group)
    } else if reference.contains("/users/") || reference.starts_with("users/") {
        Some(Kind::User)
    } else {
        None
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ListPage<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = ListPage<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list response")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<ListPage<T>, A::Error> {
                let (mut total, mut resources, mut next) = (None, None, None);
                while let Some(name) = fields.next_key::<String>()? {
                    match name.to_ascii_lowercase().as_str() {
                        "totalresults" => total = fields.next_value::<Option<u64>>()?,
                        "resources" => resources = fields.next_value::<Option<Vec<T>>>()?,
                        "nextcursor" => next = fields.next_value::<Option<String>>()?,
                        _ => {
                            fields.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                if total.is_none() && resources.is_none() {
                    return Err(serde::de::Error::custom("a list has totalResults or Resources"));
                }
                Ok(ListPage {
                    total_results: total,
                    resources: resources.unwrap_or_default(),
                    next_cursor: next.filter(|cursor| !cursor.is_empty()),
                })
            }
        }
        deserializer.deserialize_map(Fields(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(json: &str) -> GroupResource {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn members_are_read_apart_from_the_group_in_every_form() {
        let read = group(
            r#"{"ID": "g1", "displayName": "Board", "Members": [
                {"value": "u1", "type": "user", "display": {"odd": 1}}, {"value": "g2", "$ref": "https://x/v2/Groups/g2"},
                {"value": "u3"}, "u4", {"value": null}]}"#,
        );
        assert_eq!(read.id(), Some("g1"));
        let members = read.members.as_deref().unwrap_or_default();
        let kinds: Vec<_> = members
            .iter()
            .map(|member| (member.value.as_deref(), member.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                (Some("u1"), Some(Kind::User)),
                (Some("g2"), Some(Kind::Group)),
                (Some("u3"), None),
                (Some("u4"), None),
                (None, None)
            ]
        );
        assert!(!read.attributes.contains_key("Members"));
    }

    #[test]
    fn no_members_and_an_empty_list_of_members_are_told_apart() {
        assert_eq!(group(r#"{"id": "g"}"#).members, None);
        assert_eq!(group(r#"{"id": "g", "members": null}"#).members, None);
        assert_eq!(group(r#"{"id": "g", "members": []}"#).members, Some(Vec::new()));
    }

    #[test]
    fn a_list_needs_a_total_or_resources() {
        let list: ListPage<UserResource> =
            serde_json::from_str(r#"{"totalResults": 7, "itemsPerPage": 1, "Resources": [{"id": "u"}]}"#)
                .unwrap();
        assert_eq!((list.total_results, list.resources.len()), (Some(7), 1));
        assert!(serde_json::from_str::<ListPage<UserResource>>(r#"{"message": "hello"}"#).is_err());
    }

    #[test]
    fn the_groups_of_a_user_tell_direct_from_indirect() {
        let user: UserResource = serde_json::from_str(
            r#"{"id": "u", "groups": [{"value": "a"}, {"value": "b", "type": "indirect"}]}"#,
        )
        .unwrap();
        assert!(user.is_in("a", false) && user.is_in("b", true));
        assert!(!user.is_in("b", false) && !user.is_in("c", true));
    }
}
