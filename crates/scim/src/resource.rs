//! Whole resources: what a POST or PUT body means, and what an answer looks like.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Attributes;
use crate::error::ScimError;
use crate::filter::is_present;
use crate::member::{self, MemberRef};
use crate::patch::assignment;
use crate::schema::ResourceType;
use crate::target::{self, Target};
use crate::urn;
use crate::value::type_name;

/// A resource as a client means it, without what the server writes itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Canonical {
    /// Its attributes in canonical names and types. Never `id`, `meta`, `schemas`, `groups`, `password` or members.
    pub attributes: Attributes,
    /// Its members, if the body has them; `[]` and null are nobody. `None` if the body does not say.
    pub members: Option<Vec<MemberRef>>,
}

/// Reads the body of a POST or PUT.
///
/// Names get their canonical letter case, texts that mean booleans become booleans, null and empty values are left
/// out, one object stands for an array of one and the other way round, flattened keys are unfolded, what the server
/// writes itself is passed over, and attributes and extensions that no schema describes are kept as they came.
///
/// # Errors
/// `invalidSyntax` for a body that is no resource of this type, `invalidValue` for a value of the wrong type or a
/// required attribute without one, and 413 for more than `max_members` members.
pub fn canonicalise(
    body: Value,
    resource_type: &'static ResourceType,
    max_members: usize,
) -> Result<Canonical, ScimError> {
    let Value::Object(mut body) = body else {
        return Err(ScimError::invalid_syntax(format!(
            "a {} is an object, {} came",
            resource_type.name,
            type_name(&body)
        )));
    };
    check_schemas(&mut body, resource_type)?;
    let mut attributes = Attributes::with_capacity(body.len());
    let mut members = None;
    target::expand(resource_type, body, &mut |target, value| match target {
        Target::Members {
            filter: None,
            sub: None,
        } => {
            let named = member::parse(value)?;
            if named.len() > max_members {
                return Err(ScimError::payload_too_large(format!(
                    "{} members came, at most {max_members} are taken at once; send the others by PATCH",
                    named.len()
                )));
            }
            members = Some(named);
            Ok(())
        }
        Target::Members { .. } => Err(ScimError::invalid_value(
            "members is an array of objects such as {\"value\": \"<id>\"}",
        )),
        Target::Place(place) => assignment(false, place, value)?.apply(&mut attributes),
        Target::Resource | Target::Extension(_) | Target::ReadOnly(_) | Target::Discarded(_) => Ok(()),
    })?;
    check_required(&attributes, resource_type)?;
    Ok(Canonical { attributes, members })
}

/// What the server adds to the attributes of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta<'a> {
    /// The id that the server gave it.
    pub id: &'a str,
    /// When it was created.
    pub created: Timestamp,
    /// When its attributes or members last changed.
    pub last_modified: Timestamp,
    /// The entity tag, as in the `ETag` header.
    pub version: &'a str,
}

/// The resource as a client sees it: `schemas`, `id`, the attributes, then `meta`. Members and groups, if they are
/// wanted, are inserted by the caller. `base` is the URL that the SCIM endpoints live under, without a slash at its end.
pub fn represent(
    attributes: Attributes,
    resource_type: &ResourceType,
    meta: &Meta<'_>,
    base: &str,
) -> Attributes {
    let mut resource = Attributes::with_capacity(attributes.len() + 4);
    resource.insert("schemas".into(), json!(resource_type.schema_urns(&attributes)));
    resource.insert("id".into(), meta.id.into());
    resource.extend(attributes);
    resource.insert(
        "meta".into(),
        json!({
            "resourceType": resource_type.name,
            "created": meta.created.to_string(),
            "lastModified": meta.last_modified.to_string(),
            "location": location(resource_type, meta.id, base),
            "version": meta.version,
        }),
    );
    resource
}

/// The URL of a resource, as in `meta.location` and the `Location` header.
pub fn location(resource_type: &ResourceType, id: &str, base: &str) -> String {
    format!("{base}{}/{id}", resource_type.endpoint)
}

/// Refuses a body that says it is a resource of another type. A missing list is fine, and so are URNs that nobody
/// knows: Entra ID adds a private one to every group, OneLogin sends those of SCIM 1.1.
fn check_schemas(body: &mut Attributes, resource_type: &ResourceType) -> Result<(), ScimError> {
    let Some(key) = body
        .keys()
        .find(|key| key.eq_ignore_ascii_case("schemas"))
        .cloned()
    else {
        return Ok(());
    };
    let urns = match body.shift_remove(&key) {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(urns)) => urns,
        Some(one @ Value::String(_)) => vec![one],
        Some(other) => return Err(schemas_type(&other)),
    };
    for urn in &urns {
        let Value::String(urn) = urn else {
            return Err(schemas_type(urn));
        };
        let known = resource_type.schema.is_named(urn) || resource_type.extension(urn).is_some();
        if !known
            && [urn::USER, urn::GROUP]
                .iter()
                .any(|other| other.eq_ignore_ascii_case(urn))
        {
            return Err(ScimError::invalid_syntax(format!(
                "'schemas' names another resource type; this endpoint takes '{}'",
                resource_type.schema.id
            )));
        }
    }
    Ok(())
}

fn schemas_type(found: &Value) -> ScimError {
    ScimError::invalid_syntax(format!(
        "'schemas' is an array of URNs, {} came",
        type_name(found)
    ))
}

fn check_required(attributes: &Attributes, resource_type: &ResourceType) -> Result<(), ScimError> {
    for attribute in resource_type
        .schema
        .attributes
        .iter()
        .filter(|attribute| attribute.required)
    {
        let present = match attributes.get(attribute.name) {
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(value) => is_present(value),
            None => resource_type.is_member_attribute(attribute.name),
        };
        if !present {
            return Err(ScimError::invalid_value(format!(
                "'{}' is required for a {} and cannot be empty",
                attribute.name, resource_type.name
            )));
        }
    }
    match resource_type
        .extensions
        .iter()
        .find(|e| e.required && !attributes.contains_key(e.schema.id))
    {
        Some(missing) => Err(ScimError::invalid_value(format!(
            "the extension '{}' is required",
            missing.schema.id
        ))),
        None => Ok(()),
    }
}
