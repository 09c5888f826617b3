//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7643 §5 to §7, RFC 9865 §4).

use serde_json::{Value, json};

use crate::error::ScimError;
use crate::list::discovery_list;
use crate::schema::{ResourceType, Schema};
use crate::urn;

/// What a server offers. The answer announces what stands here and nothing else, so it has to be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// A page for people about the service.
    pub documentation_uri: Option<String>,
    /// Whether PATCH is served.
    pub patch: bool,
    /// Bulk requests, if they are served.
    pub bulk: Option<BulkFeature>,
    /// The most resources that a filtered query returns, if filters are served.
    pub filter_max_results: Option<usize>,
    /// Whether passwords can be changed.
    pub change_password: bool,
    /// Whether lists are sorted on demand.
    pub sort: bool,
    /// Whether resources have entity tags.
    pub etag: bool,
    /// How lists are paged.
    pub pagination: Pagination,
    /// How clients authenticate; the first is the primary way.
    pub authentication: Vec<AuthenticationScheme>,
}

/// Limits of bulk requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkFeature {
    /// Operations in one request.
    pub max_operations: usize,
    /// Bytes of one request.
    pub max_payload_size: usize,
}

/// The `pagination` of RFC 9865.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pagination {
    /// Whether cursors are served.
    pub cursor: bool,
    /// Whether start indexes are served; then they are the default way.
    pub index: bool,
    /// Resources on a page if the client does not say.
    pub default_page_size: usize,
    /// Resources on a page at most.
    pub max_page_size: usize,
    /// Seconds for which a cursor is valid.
    pub cursor_timeout: u64,
}

/// A way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticationScheme {
    /// One of `oauth`, `oauth2`, `oauthbearertoken`, `httpbasic`, `httpdigest`.
    pub kind: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What it is, for people.
    pub description: &'static str,
    /// The page of its specification.
    pub spec_uri: Option<&'static str>,
}

impl AuthenticationScheme {
    /// A bearer token in the `Authorization` header.
    pub const BEARER_TOKEN: Self = Self {
        kind: "oauthbearertoken",
        name: "Bearer token",
        description: "A token in the Authorization header",
        spec_uri: Some("https://www.rfc-editor.org/info/rfc6750"),
    };
}

/// The body of `/ServiceProviderConfig`. `base` is the URL that the SCIM endpoints live under, without a slash at its
/// end.
///
/// Limits of bulk are announced even where bulk is not served: authentik sizes its PATCH requests by `maxOperations`
/// and stops at zero (goauthentik/authentik#23950).
pub fn service_provider_config(features: &Features, base: &str) -> Value {
    let bulk = features.bulk.unwrap_or(BulkFeature {
        max_operations: 1000,
        max_payload_size: 1_048_576,
    });
    let schemes: Vec<Value> = features
        .authentication
        .iter()
        .enumerate()
        .map(|(index, scheme)| {
            let mut json = json!({
                "type": scheme.kind,
                "name": scheme.name,
                "description": scheme.description,
                "primary": index == 0,
            });
            if let Some(uri) = scheme.spec_uri {
                json["specUri"] = uri.into();
            }
            json
        })
        .collect();
    let paging = &features.pagination;
    let mut config = json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": { "supported": features.patch },
        "bulk": {
            "supported": features.bulk.is_some(),
            "maxOperations": bulk.max_operations,
            "maxPayloadSize": bulk.max_payload_size,
        },
        "filter": {
            "supported": features.filter_max_results.is_some(),
            "maxResults": features.filter_max_results.unwrap_or(0),
        },
        "changePassword": { "supported": features.change_password },
        "sort": { "supported": features.sort },
        "etag": { "supported": features.etag },
        "pagination": {
            "cursor": paging.cursor,
            "index": paging.index,
            "defaultPaginationMethod": if paging.index { "index" } else { "cursor" },
            "defaultPageSize": paging.default_page_size,
            "maxPageSize": paging.max_page_size,
        },
        "authenticationSchemes": schemes,
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    });
    if paging.cursor {
        config["pagination"]["cursorTimeout"] = paging.cursor_timeout.into();
    }
    if let Some(uri) = &features.documentation_uri {
        config["documentationUri"] = uri.as_str().into();
    }
    config
}

/// The body of `/ResourceTypes`.
pub fn resource_types(types: &[&ResourceType], base: &str) -> Value {
    discovery_list(
        types
            .iter()
            .map(|resource_type| resource_type.to_json(base))
            .collect(),
    )
}

/// The body of `/ResourceTypes/{name}`.
///
/// # Errors
/// 404 for a type that is not served.
pub fn resource_type(types: &[&ResourceType], name: &str, base: &str) -> Result<Value, ScimError> {
    types
        .iter()
        .find(|resource_type| resource_type.name.eq_ignore_ascii_case(name))
        .map(|resource_type| resource_type.to_json(base))
        .ok_or_else(|| ScimError::not_found("there is no such resource type; see /ResourceTypes"))
}

/// The body of `/Schemas`.
pub fn schemas(types: &[&ResourceType], base: &str) -> Value {
    discovery_list(served(types).iter().map(|schema| schema.to_json(base)).collect())
}

/// The body of `/Schemas/{urn}`.
///
/// # Errors
/// 404 for a schema that is not served.
pub fn schema(types: &[&ResourceType], urn: &str, base: &str) -> Result<Value, ScimError> {
    served(types)
        .into_iter()
        .find(|schema| schema.id.eq_ignore_ascii_case(urn))
        .map(|schema| schema.to_json(base))
        .ok_or_else(|| ScimError::not_found("there is no such schema; see /Schemas"))
}

fn served(types: &[&ResourceType]) -> Vec<&'static Schema> {
    let mut schemas: Vec<&'static Schema> = Vec::new();
    for schema in types.iter().flat_map(|resource_type| resource_type.schemas()) {
        if !schemas.iter().any(|known| known.id == schema.id) {
            schemas.push(schema);
        }
    }
    schemas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{GROUP_TYPE, USER_TYPE};

    const BASE: &str = "https://usher.example/scim/v2";

    fn features() -> Features {
        Features {
            documentation_uri: None,
            patch: true,
            bulk: None,
            filter_max_results: Some(200),
            change_password: false,
            sort: true,
            etag: true,
            pagination: Pagination {
                cursor: true,
                index: true,
                default_page_size: 100,
                max_page_size: 200,
                cursor_timeout: 3600,
            },
            authentication: vec![AuthenticationScheme::BEARER_TOKEN],
        }
    }

    #[test]
    fn the_configuration_says_what_is_true() {
        let config = service_provider_config(&features(), BASE);
        assert_eq!(config["bulk"]["supported"], false);
        assert_eq!(config["bulk"]["maxOperations"], 1000);
        assert_eq!(config["filter"], json!({"supported": true, "maxResults": 200}));
        assert_eq!(config["pagination"]["defaultPaginationMethod"], "index");
        assert_eq!(config["pagination"]["cursorTimeout"], 3600);
        assert_eq!(config["authenticationSchemes"][0]["primary"], true);
        assert!(config.get("documentationUri").is_none());
    }

    #[test]
    fn every_schema_is_listed_once() {
        let list = schemas(&[&USER_TYPE, &GROUP_TYPE], BASE);
        assert_eq!(list["totalResults"], 3);
        let ids: Vec<&str> = list["Resources"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|s| s["id"].as_str())
            .collect();
        assert_eq!(ids, [urn::USER, urn::ENTERPRISE_USER, urn::GROUP]);
    }

    #[test]
    fn one_is_found_whatever_its_letter_case() {
        let types: [&ResourceType; 2] = [&USER_TYPE, &GROUP_TYPE];
        assert!(resource_type(&types, "user", BASE).is_ok());
        assert_eq!(
            resource_type(&types, "Room", BASE).expect_err("unknown").status,
            404
        );
        assert!(schema(&types, &urn::GROUP.to_lowercase(), BASE).is_ok());
        assert_eq!(
            schema(&types, "urn:example", BASE).expect_err("unknown").status,
            404
        );
    }
}
