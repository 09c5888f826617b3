//! Schemas and resource types as the JSON of `/Schemas` and `/ResourceTypes` (RFC 7643 §6 and §7).

use serde_json::{Value, json};

use super::{Attribute, Kind, ResourceType, Schema};
use crate::urn;

impl Schema {
    /// The schema as a resource. `base` is the URL that the SCIM endpoints live under, without a slash at its end.
    pub fn to_json(&self, base: &str) -> Value {
        json!({
            "schemas": [urn::SCHEMA],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::definition).collect::<Vec<_>>(),
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.id) },
        })
    }
}

impl ResourceType {
    /// The resource type as a resource. `base` is the URL that the SCIM endpoints live under, without a slash at its
    /// end.
    pub fn to_json(&self, base: &str) -> Value {
        let extensions: Vec<Value> = self
            .extensions
            .iter()
            .map(|extension| json!({ "schema": extension.schema.id, "required": extension.required }))
            .collect();
        json!({
            "schemas": [urn::RESOURCE_TYPE],
            "id": self.name,
            "name": self.name,
            "endpoint": self.endpoint,
            "description": self.description,
            "schema": self.schema.id,
            "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name) },
        })
    }
}

impl Attribute {
    fn definition(&self) -> Value {
        let mut definition = json!({
            "name": self.name,
            "type": self.kind.as_str(),
            "multiValued": self.multi_valued,
            "description": self.description,
            "required": self.required,
        });
        let Some(map) = definition.as_object_mut() else {
            return definition;
        };
        if self.kind == Kind::Complex {
            let parts = self
                .sub_attributes
                .iter()
                .map(Attribute::definition)
                .collect::<Vec<_>>();
            map.insert("subAttributes".into(), Value::Array(parts));
        }
        if !self.canonical_values.is_empty() {
            map.insert("canonicalValues".into(), json!(self.canonical_values));
        }
        if self.kind == Kind::Reference {
            map.insert("referenceTypes".into(), json!(self.reference_types));
        }
        map.insert("caseExact".into(), self.case_exact.into());
        map.insert("mutability".into(), self.mutability.as_str().into());
        map.insert("returned".into(), self.returned.as_str().into());
        map.insert("uniqueness".into(), self.uniqueness.as_str().into());
        definition
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ENTERPRISE_USER, GROUP, USER, USER_TYPE};

    #[test]
    fn errata_are_built_in() {
        let group = GROUP.to_json("https://scim.example/v2");
        assert_eq!(group["attributes"][0]["required"], true, "erratum 5368");
        let groups = USER
            .attribute("groups")
            .and_then(|groups| groups.sub("$ref"))
            .expect("groups.$ref");
        assert_eq!(groups.reference_types, ["Group"], "erratum 8471");
        let manager = ENTERPRISE_USER
            .attribute("MANAGER")
            .and_then(|m| m.sub("Value"))
            .expect("manager.value");
        assert!(manager.case_exact, "erratum 8472");
    }

    #[test]
    fn a_resource_type_names_its_extensions() {
        let user = USER_TYPE.to_json("https://scim.example/v2");
        assert_eq!(user["schemaExtensions"][0]["required"], false);
        assert_eq!(
            user["meta"]["location"],
            "https://scim.example/v2/ResourceTypes/User"
        );
    }
}
