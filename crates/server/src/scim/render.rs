//! Rows as SCIM resources.

use jiff::Timestamp;
use serde_json::{Value, json};
use usher_core::SourceGroupId;
use usher_scim::etag::etag;
use usher_scim::resource::{Meta, location, represent};
use usher_scim::schema::{GROUP_TYPE, ResourceType, USER_TYPE};
use usher_scim::{Attributes, Projection, ScimError};
use usher_storage::query::group::GroupRow;
use usher_storage::query::shown::ShownUser;
use usher_storage::query::user::UserRow;

use super::Failure;
use super::answer::About;
use super::call::tag_number;

/// What a resource's answer carries beside its body.
pub(super) fn about_user(row: &UserRow, base: &str) -> About {
    about(&USER_TYPE, row.id.to_string(), row.version, base)
}

/// The same for a group.
pub(super) fn about_group(row: &GroupRow, base: &str) -> About {
    about(&GROUP_TYPE, row.id.to_string(), row.version, base)
}

pub(super) fn about(resource_type: &ResourceType, id: String, version: i64, base: &str) -> About {
    About {
        location: location(resource_type, &id, base),
        etag: etag(tag_number(version)),
        id,
    }
}

/// The attributes that a row keeps.
pub(super) fn stored(resource: &str) -> Result<Attributes, Failure> {
    serde_json::from_str(resource).map_err(|error| {
        tracing::error!(%error, "a stored resource cannot be read");
        Failure::from(ScimError::internal())
    })
}

/// A user as clients see it, before the projection. `attributes` are those that the row keeps.
pub(super) fn user(
    row: &UserRow,
    attributes: Attributes,
    groups: Option<&[(SourceGroupId, String)]>,
    base: &str,
) -> Attributes {
    let about = about_user(row, base);
    whole_user(&about, (row.created, row.modified), attributes, groups, base)
}

/// The same, for a user that was read to be shown.
pub(super) fn shown_user(user: &ShownUser, about: &About, attributes: Attributes, base: &str) -> Attributes {
    whole_user(
        about,
        (user.created, user.modified),
        attributes,
        Some(&user.groups),
        base,
    )
}

fn whole_user(
    about: &About,
    (created, modified): (usher_core::Timestamp, usher_core::Timestamp),
    attributes: Attributes,
    groups: Option<&[(SourceGroupId, String)]>,
    base: &str,
) -> Attributes {
    let mut resource = represent(attributes, &USER_TYPE, &meta(about, created, modified), base);
    let groups: Vec<Value> = groups
        .unwrap_or_default()
        .iter()
        .map(|(id, name)| {
            let id = id.to_string();
            json!({ "$ref": location(&GROUP_TYPE, &id, base), "value": id, "display": name, "type": "direct" })
        })
        .collect();
    if !groups.is_empty() {
        resource.insert("groups".into(), Value::Array(groups));
    }
    resource
}

/// A group as clients see it, without its members and before the projection.
pub(super) fn group(row: &GroupRow, base: &str) -> Result<Attributes, Failure> {
    let about = about_group(row, base);
    Ok(represent(
        stored(&row.resource)?,
        &GROUP_TYPE,
        &meta(&about, row.created, row.modified),
        base,
    ))
}

fn meta<'a>(about: &'a About, created: usher_core::Timestamp, modified: usher_core::Timestamp) -> Meta<'a> {
    Meta {
        id: &about.id,
        created: instant(created),
        last_modified: instant(modified),
        version: &about.etag,
    }
}

pub(super) fn instant(timestamp: usher_core::Timestamp) -> Timestamp {
    Timestamp::from_microsecond(timestamp.as_micros()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The bytes of a user, by the projection.
pub(super) fn user_bytes(
    row: &UserRow,
    attributes: Attributes,
    groups: Option<&[(SourceGroupId, String)]>,
    base: &str,
    projection: &Projection,
) -> Vec<u8> {
    let mut resource = user(row, attributes, groups, base);
    projection.apply(&mut resource, &USER_TYPE);
    to_bytes(&resource)
}

/// The bytes of a group without its members, by the projection.
pub(super) fn group_bytes(row: &GroupRow, base: &str, projection: &Projection) -> Result<Vec<u8>, Failure> {
    let mut resource = group(row, base)?;
    projection.apply(&mut resource, &GROUP_TYPE);
    Ok(to_bytes(&resource))
}

pub(super) fn to_bytes(resource: &Attributes) -> Vec<u8> {
    serde_json::to_vec(resource).expect("JSON can be written")
}
