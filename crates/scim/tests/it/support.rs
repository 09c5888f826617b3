//! Short ways to apply requests.

use serde_json::Value;
use usher_scim::patch::PatchLimits;
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{
    Attributes, MemberDelta, MemberRef, PatchRequest, ResourceType, ScimError, ScimType, resource,
};

pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

pub(crate) fn object(value: Value) -> Attributes {
    match value {
        Value::Object(attributes) => attributes,
        other => panic!("{other} is no object"),
    }
}

pub(crate) fn user(body: Value) -> Attributes {
    resource::canonicalise(body, &USER_TYPE, 0)
        .expect("a user")
        .attributes
}

pub(crate) fn group(body: Value) -> Attributes {
    resource::canonicalise(body, &GROUP_TYPE, 1000)
        .expect("a group")
        .attributes
}

pub(crate) fn parse(body: &Value, resource_type: &'static ResourceType) -> Result<PatchRequest, ScimError> {
    PatchRequest::parse(body.clone(), resource_type, &PatchLimits::default())
}

/// Applies a PATCH of a user and tells whether it changed anything.
pub(crate) fn patch_user(user: &mut Attributes, body: &Value) -> Result<bool, ScimError> {
    Ok(parse(body, &USER_TYPE)?.apply(user)?.changed)
}

/// The user after a PATCH.
pub(crate) fn patched(before: Value, body: Value) -> Value {
    let mut attributes = object(before);
    patch_user(&mut attributes, &body).unwrap_or_else(|error| panic!("{body}: {error}"));
    Value::Object(attributes)
}

/// What a PATCH of a group does to its members.
pub(crate) fn deltas(body: Value) -> Vec<MemberDelta> {
    parse(&body, &GROUP_TYPE)
        .unwrap_or_else(|error| panic!("{body}: {error}"))
        .member_deltas()
        .to_vec()
}

pub(crate) fn members(ids: &[&str]) -> Vec<MemberRef> {
    ids.iter().map(|id| MemberRef::new(*id)).collect()
}

pub(crate) fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// The keyword of a refusal.
pub(crate) fn refusal<T>(result: Result<T, ScimError>, what: &Value) -> ScimType {
    match result {
        Ok(_) => panic!("{what} was accepted"),
        Err(error) => error
            .scim_type
            .unwrap_or_else(|| panic!("{what}: {error} has no scimType")),
    }
}
