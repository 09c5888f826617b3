//! Users as clients see them, put together from the text that is stored.
//!
//! Nothing is parsed into values and written again, which would be most of the work of a lookup. What [`render`] makes
//! of the same row is the same, byte for byte.

use std::io::Write as _;

use memchr::memchr2;
use usher_scim::Projection;
use usher_scim::schema::{GROUP_TYPE, Returned, USER_TYPE};
use usher_scim::urn::is_urn;
use usher_storage::query::shown::ShownUser;
use uuid::fmt::Hyphenated;

use super::answer::About;
use super::call::tag_number;
use super::{Failure, render};

/// What an answer carries beside the body.
pub(super) fn about(user: &ShownUser, base: &str) -> About {
    render::about(&USER_TYPE, user.id.to_string(), user.version, base)
}

/// The bytes of a user, by the projection.
pub(super) fn bytes(
    user: &ShownUser,
    about: &About,
    base: &str,
    projection: &Projection,
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(room(user, base));
    append(&mut out, user, about, base, projection)?;
    Ok(out)
}

/// The same behind what is there.
pub(super) fn append(
    out: &mut Vec<u8>,
    user: &ShownUser,
    about: &About,
    base: &str,
    projection: &Projection,
) -> Result<(), Failure> {
    let before = out.len();
    if *projection == Projection::Default && splice(out, user, about, base).is_some() {
        return Ok(());
    }
    out.truncate(before);
    let attributes = render::stored(&user.resource)?;
    let mut resource = render::shown_user(user, about, attributes, base);
    projection.apply(&mut resource, &USER_TYPE);
    out.extend_from_slice(&render::to_bytes(&resource));
    Ok(())
}

/// How many bytes a user hardly exceeds.
pub(super) fn room(user: &ShownUser, base: &str) -> usize {
    512 + user.resource.len() + 2 * base.len() + user.groups.len() * (192 + base.len())
}

/// The stored text between what the server adds. `None`, and something unfinished, for a text that needs a closer look.
fn splice(mut out: &mut Vec<u8>, user: &ShownUser, about: &About, base: &str) -> Option<()> {
    let attributes = user.resource.strip_prefix('{')?.strip_suffix('}')?;
    if !is_plain(base) {
        return None;
    }
    out.extend_from_slice(b"{\"schemas\":[\"");
    out.extend_from_slice(USER_TYPE.schema.id.as_bytes());
    out.push(b'"');
    let mut keys = Keys(attributes.as_bytes());
    while let Some(key) = keys.next()? {
        if !is_shown(key) {
            return None;
        }
        if is_urn(key) {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(key.as_bytes());
            out.push(b'"');
        }
    }
    out.extend_from_slice(b"],\"id\":\"");
    out.extend_from_slice(about.id.as_bytes());
    out.push(b'"');
    if !attributes.is_empty() {
        out.push(b',');
        out.extend_from_slice(attributes.as_bytes());
    }
    write!(
        out,
        ",\"meta\":{{\"resourceType\":\"User\",\"created\":\"{}\",\"lastModified\":\"{}\",\"location\":\"{}\",\"version\":\"W/\\\"{}\\\"\"}}",
        render::instant(user.created),
        render::instant(user.modified),
        about.location,
        tag_number(user.version),
    )
    .ok()?;
    for (place, (group, name)) in user.groups.iter().enumerate() {
        let start = if place == 0 { ",\"groups\":[" } else { "," };
        let mut id = [0; Hyphenated::LENGTH];
        let id = group.as_uuid().hyphenated().encode_lower(&mut id).as_bytes();
        for part in [
            start.as_bytes(),
            b"{\"$ref\":\"",
            base.as_bytes(),
            GROUP_TYPE.endpoint.as_bytes(),
            b"/",
            id,
            b"\",\"value\":\"",
            id,
            b"\",\"display\":",
        ] {
            out.extend_from_slice(part);
        }
        serde_json::to_writer(&mut out, name).ok()?;
        out.extend_from_slice(b",\"type\":\"direct\"}");
    }
    out.extend_from_slice(if user.groups.is_empty() { b"}" } else { b"]}" });
    Some(())
}

/// Whether an answer shows a stored attribute by default.
fn is_shown(key: &str) -> bool {
    let hidden = |returned| matches!(returned, Returned::Never | Returned::Request);
    // Nothing else in the schema of users is hidden; the test below sees to that.
    !key.eq_ignore_ascii_case("password")
        || !USER_TYPE.core_attribute(key).is_some_and(|a| hidden(a.returned))
}

/// Whether a text is the same inside a JSON string.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| !matches!(byte, b'"' | b'\\' | ..0x20))
}

/// The keys of an object that was written without blanks, from what is between its braces.
struct Keys<'t>(&'t [u8]);

impl<'t> Keys<'t> {
    /// The next key; nothing for a text that is not of this form, or a key with escapes.
    #[expect(clippy::option_option, reason = "the end and a failure are told apart")]
    fn next(&mut self) -> Option<Option<&'t str>> {
        let Some(rest) = self.0.strip_prefix(b"\"") else {
            return self.0.is_empty().then_some(None);
        };
        let end = string_end(rest)?;
        let key = std::str::from_utf8(&rest[..end]).ok()?;
        if key.contains('\\') {
            return None;
        }
        let value = rest[end + 1..].strip_prefix(b":")?;
        let rest = &value[value_end(value)?..];
        self.0 = match rest.split_first() {
            None => rest,
            // A comma at the end is no JSON.
            Some((b',', more)) if !more.is_empty() => more,
            Some(_) => return None,
        };
        Some(Some(key))
    }
}

/// Where the quote stands that ends a string, whose first quote is not in `text`.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at >= text.len() {
            return None;
        }
    }
}

/// Where a value ends: at a comma or the end of the object around it.
fn value_end(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at += 1 + string_end(&text[at + 1..])?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    (depth == 0 && at > 0).then_some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use usher_core::{SourceGroupId, SourceUserId, Timestamp};
    use usher_scim::Attributes;
    use uuid::Uuid;

    use super::*;

    const BASE: &str = "https://usher.example/scim/idp/v2";

    fn spliced(user: &ShownUser) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        splice(&mut out, user, &about(user, BASE), BASE).map(|()| out)
    }

    fn user(resource: String, groups: Vec<(SourceGroupId, String)>) -> ShownUser {
        ShownUser {
            id: SourceUserId::from_uuid(Uuid::from_u128(7)),
            version: 3,
            created: Timestamp::from_micros(1_769_936_400_000_000),
            modified: Timestamp::from_micros(1_769_936_400_123_450),
            resource,
            groups,
        }
    }

    /// By way of values.
    fn rendered(user: &ShownUser) -> Vec<u8> {
        let about = about(user, BASE);
        let attributes = render::stored(&user.resource).expect("JSON");
        let mut resource = render::shown_user(user, &about, attributes, BASE);
        Projection::Default.apply(&mut resource, &USER_TYPE);
        render::to_bytes(&resource)
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).expect("UTF-8")
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Fractions that come back as they are.
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
            "\\PC{0,12}".prop_map(Value::from),
            "[\"\\\\{}\\[\\],:\n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z]{1,8}".prop_filter("written by the server", |key| !matches!(
                key.as_str(),
                "schemas" | "id" | "meta" | "groups"
            )),
            "\\PC{1,8}",
            "[\"\\\\,:{}]{1,4}",
            Just("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User".to_owned()),
            Just("urn:example:2.0:Thing".to_owned()),
            Just("password".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn what_is_spliced_is_what_is_rendered(
            pairs in prop::collection::vec((key(), value()), 0..8),
            names in prop::collection::vec("\\PC{0,12}", 0..3),
        ) {
            let attributes: Attributes = pairs.into_iter().collect();
            let groups = names.into_iter().enumerate();
            let groups = groups.map(|(n, name)| (SourceGroupId::from_uuid(Uuid::from_u128(n as u128)), name));
            let user = user(serde_json::to_string(&attributes).expect("JSON"), groups.collect());
            if let Some(bytes) = spliced(&user) {
                let expected = rendered(&user);
                prop_assert_eq!(text(&bytes), text(&expected));
            } else {
                prop_assert!(attributes.keys().any(|key| key.contains(['"', '\\']) || key == "password"));
            }
        }
    }

    #[test]
    fn a_text_of_another_form_is_not_spliced() {
        for resource in [
            "",
            "[]",
            "{\"a\": 1}x",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":[}",
            "{a:1}",
        ] {
            let user = user(resource.to_owned(), Vec::new());
            assert_eq!(spliced(&user), None, "{resource}");
        }
    }

    #[test]
    fn a_password_is_all_that_the_schema_hides() {
        let shown = user(json!({ "userName": "ada", "title": "x" }).to_string(), Vec::new());
        assert!(spliced(&shown).is_some());
        let hidden: Vec<&str> = USER_TYPE
            .schema
            .attributes
            .iter()
            .filter(|attribute| matches!(attribute.returned, Returned::Never | Returned::Request))
            .map(|attribute| attribute.name)
            .collect();
        assert_eq!(hidden, ["password"]);
        assert!(!is_shown("PassWord"));
    }
}
