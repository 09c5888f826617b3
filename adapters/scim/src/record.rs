//! Resources of the provider as records of Usher.

use serde_json::Value;
use usher_core::{GroupRecord, GuestMark, RemoteGroupId, RemoteUserId, UserRecord};
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{Attributes, resource, user};

use crate::wire::{GroupResource, Resource as _, UserResource, text};

/// What access depends on, and what people are shown by.
const DECIDE: [&str; 6] = [
    "userName",
    "externalId",
    "active",
    "userType",
    "emails",
    "displayName",
];

/// The user; an error says what is wrong with the resource.
pub(crate) fn user(sent: UserResource, guests: &[GuestMark]) -> Result<UserRecord, String> {
    let id = sent.id().ok_or("it has no id")?;
    let id = RemoteUserId::new(id).map_err(|error| error.to_string())?;
    let attributes = canonical(sent.0)?;
    let user_name = user::user_name(&attributes)
        .ok_or("it has no userName")?
        .to_owned();
    let guest = guests.iter().any(|mark| match mark {
        GuestMark::AddressContains(part) => {
            let part = part.to_lowercase();
            std::iter::once(user_name.as_str())
                .chain(user::emails(&attributes))
                .any(|address| address.to_lowercase().contains(&part))
        }
        GuestMark::UserType(kind) => {
            user::user_type(&attributes).is_some_and(|found| found.eq_ignore_ascii_case(kind))
        }
    });
    Ok(UserRecord {
        external_id: Some(user::external_id(&attributes).unwrap_or(id.as_str()).to_owned()),
        email: user::email(&attributes).map(str::to_owned),
        display_name: user::display_name(&attributes),
        active: user::is_active(&attributes),
        user_name,
        guest,
        resource: attributes,
        id,
    })
}

/// The attributes in canonical form. Where one that decides nothing cannot be understood, those alone that decide.
fn canonical(mut sent: Attributes) -> Result<Attributes, String> {
    let read = |sent| resource::canonicalise(Value::Object(sent), &USER_TYPE, 0);
    if let Ok(read) = read(sent.clone()) {
        return Ok(read.attributes);
    }
    sent.retain(|name, _| DECIDE.iter().any(|kept| name.eq_ignore_ascii_case(kept)));
    read(sent)
        .map(|read| read.attributes)
        .map_err(|error| error.detail.into_owned())
}

/// The group. A group without a name, which the standard does not allow, is called by its id.
pub(crate) fn group(id: &RemoteGroupId, sent: &GroupResource) -> GroupRecord {
    let name = text(&sent.attributes, "displayName")
        .unwrap_or(id.as_str())
        .to_owned();
    let external_id = text(&sent.attributes, "externalId").map(str::to_owned);
    let read = resource::canonicalise(Value::Object(sent.attributes.clone()), &GROUP_TYPE, 0);
    let mut resource = read.map(|read| read.attributes).unwrap_or_default();
    resource.insert("displayName".into(), name.as_str().into());
    GroupRecord {
        external_id: Some(external_id.unwrap_or_else(|| id.as_str().to_owned())),
        display_name: name,
        resource,
        id: id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(json: Value) -> UserResource {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_user_is_taken_in_canonical_names_and_without_what_only_the_provider_writes() {
        let ann = sent(
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "u1",
            "UserName": "ann@contoso.com", "active": "False", "emails": [{"value": "a@contoso.com"}],
            "name": {"givenName": "Ann", "familyName": "Lee"}, "groups": [{"value": "g"}], "password": "x",
            "meta": {"version": "1"}}),
        );
        let record = user(ann, &[]).unwrap();
        assert_eq!(
            (record.user_name.as_str(), record.active),
            ("ann@contoso.com", false)
        );
        assert_eq!(record.email.as_deref(), Some("a@contoso.com"));
        assert_eq!(record.display_name.as_deref(), Some("Ann Lee"));
        assert_eq!(record.external_id.as_deref(), Some("u1"));
        for absent in ["id", "meta", "groups", "password", "schemas"] {
            assert!(!record.resource.contains_key(absent), "{absent}");
        }
    }

    #[test]
    fn guests_are_marked_by_address_and_by_type() {
        let marks = [
            GuestMark::AddressContains("#EXT#".into()),
            GuestMark::UserType("guest".into()),
        ];
        let guest = |json| user(sent(json), &marks).unwrap().guest;
        assert!(guest(json!({"id": "u", "userName": "a_b#ext#@contoso.com"})));
        assert!(guest(json!({"id": "u", "userName": "a", "userType": "Guest"})));
        assert!(!guest(
            json!({"id": "u", "userName": "a@contoso.com", "externalId": "7"})
        ));
    }

    #[test]
    fn an_odd_attribute_hides_nobody_unless_access_depends_on_it() {
        let odd = json!({"id": "u", "userName": "ann", "name": 7, "active": false});
        let record = user(sent(odd), &[]).unwrap();
        assert!(!record.active && !record.resource.contains_key("name"));
        assert!(
            user(
                sent(json!({"id": "u", "userName": "ann", "active": "perhaps"})),
                &[]
            )
            .is_err()
        );
    }

    #[test]
    fn a_user_without_a_name_is_refused_with_the_reason() {
        let reason = user(sent(json!({"id": "u"})), &[]).unwrap_err();
        assert!(reason.contains("userName"), "{reason}");
    }
}
