//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`.

use usher_scim::ScimError;
use usher_scim::discovery::{
    AuthenticationScheme, BulkFeature, Features, Pagination, resource_type, resource_types, schema, schemas,
    service_provider_config,
};
use usher_scim::list::decode_query;
use usher_scim::schema::{GROUP_TYPE, ResourceType, USER_TYPE};

use super::{Answer, Failure, Target};
use crate::AppState;

const TYPES: [&ResourceType; 2] = [&USER_TYPE, &GROUP_TYPE];

pub(super) fn answer(
    state: &AppState,
    source: &str,
    target: &Target,
    query: Option<&str>,
) -> Result<Answer, Failure> {
    refuse_filter(query)?;
    let name: usher_core::SourceName = source
        .parse()
        .map_err(|_| ScimError::not_found("this is no source's name; check the SCIM URL"))?;
    let base = format!("{}/scim/{name}/v2", state.public_url);
    let body = match target {
        Target::ResourceTypes(None) => resource_types(&TYPES, &base),
        Target::ResourceTypes(Some(name)) => resource_type(&TYPES, name, &base)?,
        Target::Schemas(None) => schemas(&TYPES, &base),
        Target::Schemas(Some(urn)) => schema(&TYPES, urn, &base)?,
        _ => service_provider_config(&features(state), &base),
    };
    Ok(Answer::ok(body.to_string().into_bytes()))
}

/// RFC 7644 §4: these lists are complete, and a filter on them is forbidden.
fn refuse_filter(query: Option<&str>) -> Result<(), ScimError> {
    let pairs = query.map_or_else(|| Ok(Vec::new()), decode_query)?;
    if pairs
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("filter") && !value.is_empty())
    {
        return Err(ScimError::forbidden(
            "this endpoint takes no filter; read the whole list",
        ));
    }
    Ok(())
}

fn features(state: &AppState) -> Features {
    let config = &state.config;
    Features {
        documentation_uri: None,
        patch: true,
        bulk: Some(BulkFeature {
            max_operations: config.scim.max_operations,
            max_payload_size: config.server.max_body_bytes,
        }),
        filter_max_results: Some(config.scim.max_page_size),
        change_password: false,
        sort: true,
        etag: true,
        pagination: Pagination {
            cursor: true,
            index: true,
            default_page_size: config.scim.page_size,
            max_page_size: config.scim.max_page_size,
            cursor_timeout: config.scim.cursor_timeout.duration().as_secs(),
        },
        authentication: vec![AuthenticationScheme::BEARER_TOKEN],
    }
}
