//! Requests as Microsoft Entra ID sends them: learn.microsoft.com, "Develop a SCIM endpoint for user provisioning".

use std::fmt::Write as _;

use uuid::Uuid;

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The `userName` of the user with this number.
pub(crate) fn user_name(number: usize) -> String {
    format!("person.{number:07}@bench.example")
}

/// The `displayName` of the user with this number.
pub(crate) fn display_name(number: usize) -> String {
    format!("Person {number}")
}

/// The `externalId` of the user with this number.
pub(crate) fn external_user_id(number: usize) -> Uuid {
    external_id(1, number)
}

/// What is kept of [`user`]: all but its schemas and `meta`.
pub(crate) fn stored_user(number: usize) -> String {
    let body = user(number);
    let start = body.find(r#""externalId""#).expect("the body has this");
    let meta = r#""meta":{"resourceType":"User"},"#;
    format!("{{{}", body[start..].replacen(meta, "", 1))
}

/// The body of `POST /Users`.
pub(crate) fn user(number: usize) -> String {
    let name = user_name(number);
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"{}","userName":"{name}","active":true,"displayName":"{}","emails":[{{"primary":true,"type":"work","value":"{name}"}}],"meta":{{"resourceType":"User"}},"name":{{"formatted":"Given{number} Family{number}","familyName":"Family{number}","givenName":"Given{number}"}},"title":"Secretary","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"Board office","employeeNumber":"{number}"}}}}"#,
        external_user_id(number),
        display_name(number)
    )
}

/// The body of `POST /Groups`, without members, as always.
pub(crate) fn group(name: &str, number: usize) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"{}","displayName":"{name}","meta":{{"resourceType":"Group"}}}}"#,
        external_id(2, number)
    )
}

/// One operation that adds or removes all of these.
pub(crate) fn members(op: &str, users: &[Uuid]) -> String {
    format!(
        r#"{{"schemas":["{PATCH_OP}"],"Operations":[{}]}}"#,
        operation(op, users)
    )
}

/// One operation for each of these.
pub(crate) fn members_one_by_one(op: &str, users: &[Uuid]) -> String {
    let operations: Vec<String> = users
        .iter()
        .map(|user| operation(op, std::slice::from_ref(user)))
        .collect();
    format!(
        r#"{{"schemas":["{PATCH_OP}"],"Operations":[{}]}}"#,
        operations.join(",")
    )
}

/// A deactivation or its opposite, with the boolean as text.
pub(crate) fn active(active: bool) -> String {
    let word = if active { "True" } else { "False" };
    format!(
        r#"{{"schemas":["{PATCH_OP}"],"Operations":[{{"op":"Replace","path":"active","value":"{word}"}}]}}"#
    )
}

fn operation(op: &str, users: &[Uuid]) -> String {
    let mut text = format!(r#"{{"op":"{op}","path":"members","value":["#);
    for (place, user) in users.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"$ref":null,"value":"{user}"}}"#).expect("a string takes all text");
    }
    text.push_str("]}");
    text
}

/// An object id as the directory would give it: a GUID, in no order.
fn external_id(kind: u64, number: usize) -> Uuid {
    let mix = |salt: u64| {
        // The finaliser of SplitMix64: spreads consecutive numbers over all bits.
        let mut x = (number as u64).wrapping_add(kind << 56).wrapping_add(salt);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let bits = u128::from(mix(0x9e37)) << 64 | u128::from(mix(0x79b9));
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_json() {
        let users = [Uuid::nil(), external_id(1, 1)];
        for body in [
            user(7),
            stored_user(7),
            group("Board", 7),
            members("Add", &users),
            members_one_by_one("Remove", &users),
            active(false),
        ] {
            let read: Result<serde_json::Value, _> = serde_json::from_str(&body);
            assert!(read.is_ok(), "{body}");
        }
        assert_eq!(members_one_by_one("Add", &users).matches("\"op\"").count(), 2);
    }

    #[test]
    fn what_is_stored_has_neither_schemas_nor_meta() {
        let stored: serde_json::Value = serde_json::from_str(&stored_user(7)).unwrap();
        let keys: Vec<_> = stored.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys[..2], ["externalId", "userName"]);
        assert!(!keys.contains(&"meta") && keys.len() == 9 - 1, "{keys:?}");
    }

    #[test]
    fn external_ids_differ() {
        let ids: std::collections::BTreeSet<_> = (0..1000)
            .flat_map(|number| [external_id(1, number), external_id(2, number)])
            .collect();
        assert_eq!(ids.len(), 2000);
    }
}
