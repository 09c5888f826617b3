//! Schema and message URNs, and how a name with a URN in front is taken apart.

use crate::schema::{
    ENTERPRISE_USER as ENTERPRISE_USER_SCHEMA, GROUP as GROUP_SCHEMA, Schema, USER as USER_SCHEMA,
};

/// The core schema of users.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core schema of groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension of users.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schema of schemas.
pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// The schema of resource types.
pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// The schema of the service provider's configuration.
pub const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// A list of resources.
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// A query in a body.
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// A PATCH body.
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// A bulk request.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The answer to a bulk request.
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// The schemas whose URNs are recognised in front of an attribute name.
static KNOWN: &[&Schema] = &[&USER_SCHEMA, &GROUP_SCHEMA, &ENTERPRISE_USER_SCHEMA];

/// Whether a key of a resource is an extension's URN and no attribute name. Microsoft uses URLs for some.
pub fn is_urn(key: &str) -> bool {
    key.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:")) && key.len() > 4 || key.contains("://")
}

/// A name taken apart at the end of its URN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split<'a> {
    /// No URN in front.
    Plain(&'a str),
    /// A URN that names a known schema, or that is too short to be taken apart.
    Schema(&'a str),
    /// A URN and the attribute behind it. `known` tells whether the URN was recognised; otherwise the name was cut at
    /// its last colon, which may be inside the URN.
    Attribute {
        urn: &'a str,
        rest: &'a str,
        known: bool,
    },
}

/// Takes `text` apart. Known URNs are matched first, the longest wins, whatever the letter case; a colon or a dot may
/// separate the URN from the attribute, since clients send `…:2.0:User.department` too (thomaspoignant/scim-patch#152).
pub(crate) fn split(text: &str) -> Split<'_> {
    if !is_urn(text) {
        return Split::Plain(text);
    }
    let longest = KNOWN
        .iter()
        .flat_map(|schema| std::iter::once(&schema.id).chain(schema.aliases))
        .filter(|urn| is_prefix(text, urn))
        .map(|urn| urn.len())
        .max();
    match longest {
        Some(length) if length == text.len() => Split::Schema(text),
        Some(length) => Split::Attribute {
            urn: &text[..length],
            rest: &text[length + 1..],
            known: true,
        },
        None => match text.rsplit_once(':') {
            Some((urn, rest)) if is_urn(urn) => Split::Attribute {
                urn,
                rest,
                known: false,
            },
            _ => Split::Schema(text),
        },
    }
}

/// The canonical spelling of a known URN. Older spellings are left to the resource type, since one of them may mean
/// users or groups.
pub(crate) fn canonical(urn: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|schema| schema.id.eq_ignore_ascii_case(urn))
        .map(|schema| schema.id)
}

/// Whether `urn` is any spelling of a known schema.
pub(crate) fn is_known(urn: &str) -> bool {
    KNOWN.iter().any(|schema| schema.is_named(urn))
}

fn is_prefix(text: &str, urn: &str) -> bool {
    match text.as_bytes().split_at_checked(urn.len()) {
        Some((head, tail)) => {
            // Behind a version a dot would be part of the version.
            let dot = urn.ends_with(|last: char| last.is_ascii_alphabetic());
            head.eq_ignore_ascii_case(urn.as_bytes())
                && match tail.first() {
                    None | Some(b':') => true,
                    Some(b'.') => dot,
                    Some(_) => false,
                }
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_known_urn_wins() {
        let cases = [
            ("userName", Split::Plain("userName")),
            (USER, Split::Schema(USER)),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
                Split::Attribute {
                    urn: ENTERPRISE_USER,
                    rest: "manager.value",
                    known: true,
                },
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department",
                Split::Attribute {
                    urn: ENTERPRISE_USER,
                    rest: "department",
                    known: true,
                },
            ),
            (
                "urn:example:2.0:User:tag",
                Split::Attribute {
                    urn: "urn:example:2.0:User",
                    rest: "tag",
                    known: false,
                },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_urn_is_an_attribute_and_what_has_none_is_a_schema() {
        let cases = [
            ("colour:dark", Split::Plain("colour:dark")),
            ("urn:x", Split::Schema("urn:x")),
            ("name://x", Split::Schema("name://x")),
            (
                "urn:scim:schemas:extension:enterprise:2.0.User",
                Split::Attribute {
                    urn: "urn:scim:schemas:extension:enterprise",
                    rest: "2.0.User",
                    known: false,
                },
            ),
            (
                "urn:scim:schemas:core:2.0:User:userName",
                Split::Attribute {
                    urn: "urn:scim:schemas:core:2.0:User",
                    rest: "userName",
                    known: true,
                },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn letter_case_of_a_urn_does_not_count() {
        let text = "URN:IETF:PARAMS:SCIM:SCHEMAS:EXTENSION:ENTERPRISE:2.0:USER:Department";
        let Split::Attribute { urn, rest, known } = split(text) else {
            panic!("{text} has an attribute")
        };
        assert_eq!(
            (canonical(urn), rest, known),
            (Some(ENTERPRISE_USER), "Department", true)
        );
    }
}
