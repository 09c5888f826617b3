//! Bulk requests (RFC 7644 §3.7): parsing, the order that `bulkId` references ask for, and the answer.
//!
//! A [`BulkRun`] performs no operation itself. It hands out one [`BulkCall`] after the other and takes the outcome of
//! each, so that a server may work on them in whatever way it works on single requests:
//!
//! ```
//! use serde_json::json;
//! use usher_scim::bulk::{BulkLimits, BulkOutcome, BulkRequest};
//! use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
//!
//! let request = json!({"Operations": [
//!     {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "Board", "members": [{"value": "bulkId:u"}]}},
//!     {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": "ann"}},
//! ]});
//! let request = BulkRequest::parse(request, &[&USER_TYPE, &GROUP_TYPE], &BulkLimits::default()).expect("a request");
//! let mut run = request.start();
//! let mut seen = Vec::new();
//! while let Some(call) = run.next_call() {
//!     seen.push((call.resource_type.name, call.data.clone()));
//!     run.record(BulkOutcome::success(201).with_id("id1").with_location("https://scim.example/v2/x/id1"));
//! }
//! assert_eq!(seen[0].0, "User", "the group waits for its member");
//! assert_eq!(seen[1].1.as_ref().expect("data")["members"][0]["value"], "id1");
//! assert_eq!(run.finish()["Operations"][0]["status"], "201");
//! ```

mod references;
mod run;

use serde_json::Value;

pub use run::{BulkCall, BulkOutcome, BulkRun};

use crate::Attributes;
use crate::error::ScimError;
use crate::schema::ResourceType;
use crate::value::type_name;

/// Bounds on a bulk request. The server bounds its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkLimits {
    /// Operations in one request.
    pub operations: usize,
}

impl Default for BulkLimits {
    fn default() -> Self {
        Self { operations: 1000 }
    }
}

/// A method that a bulk operation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkMethod {
    /// Create.
    Post,
    /// Replace.
    Put,
    /// Modify.
    Patch,
    /// Delete.
    Delete,
}

impl BulkMethod {
    /// The method on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch, Self::Delete]
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(text))
    }
}

/// A checked bulk request. Data is checked when its operation is performed.
#[derive(Clone)]
pub struct BulkRequest {
    fail_on_errors: Option<usize>,
    operations: Vec<Operation>,
}

#[derive(Clone)]
struct Operation {
    method: BulkMethod,
    resource_type: &'static ResourceType,
    /// The id in the path, which may be `bulkId:…`.
    id: Option<String>,
    bulk_id: Option<String>,
    version: Option<String>,
    data: Option<Value>,
}

impl BulkRequest {
    /// Checks a request body. `types` are the resource types that the server takes in bulk.
    ///
    /// # Errors
    /// `invalidSyntax` or `invalidValue` for the request as a whole: a shape that is no bulk request, a path to no
    /// such resource, a POST without a `bulkId`, a `bulkId` used twice. 413 over a limit.
    pub fn parse(
        body: Value,
        types: &[&'static ResourceType],
        limits: &BulkLimits,
    ) -> Result<Self, ScimError> {
        let Value::Object(mut body) = body else {
            return Err(ScimError::invalid_syntax(format!(
                "a bulk request is an object with 'Operations', {} came",
                type_name(&body)
            )));
        };
        let fail_on_errors = match take(&mut body, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) if number.as_u64().is_some_and(|limit| limit > 0) => {
                number.as_u64().and_then(|limit| usize::try_from(limit).ok())
            }
            Some(_) => {
                return Err(ScimError::invalid_value(
                    "'failOnErrors' is a whole number above zero",
                ));
            }
        };
        let Some(Value::Array(entries)) = take(&mut body, "Operations") else {
            return Err(ScimError::invalid_syntax(
                "a bulk request needs an array of 'Operations'",
            ));
        };
        if entries.len() > limits.operations {
            return Err(ScimError::payload_too_large(format!(
                "{} operations came, at most {} are taken in one bulk request",
                entries.len(),
                limits.operations
            )));
        }
        let mut operations: Vec<Operation> = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            let operation = Operation::parse(entry, types)
                .map_err(|error| error.within(format_args!("operation {}", index + 1)))?;
            operations.push(operation);
        }
        references::check_unique(&operations)?;
        Ok(Self {
            fail_on_errors,
            operations,
        })
    }

    /// Starts performing the request.
    pub fn start(self) -> BulkRun {
        BulkRun::new(self)
    }
}

impl Operation {
    fn parse(entry: Value, types: &[&'static ResourceType]) -> Result<Self, ScimError> {
        let Value::Object(mut entry) = entry else {
            return Err(ScimError::invalid_syntax(format!(
                "an operation is an object with 'method' and 'path', {} came",
                type_name(&entry)
            )));
        };
        let method = text(&mut entry, "method")?
            .and_then(|method| BulkMethod::parse(&method))
            .ok_or_else(|| ScimError::invalid_syntax("'method' is POST, PUT, PATCH or DELETE"))?;
        let path = text(&mut entry, "path")?.ok_or_else(|| {
            ScimError::invalid_syntax("'path' is missing; it is like /Users or /Users/{id}")
        })?;
        let (resource_type, id) = resolve(&path, types)?;
        match (method, &id) {
            (BulkMethod::Post, Some(_)) => {
                return Err(ScimError::invalid_value(
                    "a POST goes to an endpoint, without an id",
                ));
            }
            (BulkMethod::Put | BulkMethod::Patch | BulkMethod::Delete, None) => {
                return Err(ScimError::invalid_value(format!(
                    "a {} needs an id in its path",
                    method.as_str()
                )));
            }
            _ => {}
        }
        let bulk_id = text(&mut entry, "bulkId")?.filter(|bulk_id| !bulk_id.is_empty());
        if method == BulkMethod::Post && bulk_id.is_none() {
            return Err(ScimError::invalid_value("a POST needs a 'bulkId'"));
        }
        let data = take(&mut entry, "data").filter(|data| !data.is_null());
        if data.is_none() && method != BulkMethod::Delete {
            return Err(ScimError::invalid_value(format!(
                "a {} needs 'data'",
                method.as_str()
            )));
        }
        Ok(Self {
            method,
            resource_type,
            id,
            bulk_id,
            version: text(&mut entry, "version")?,
            data,
        })
    }
}

/// The resource type and id of a path such as `/Users/2819c223`.
fn resolve(
    path: &str,
    types: &[&'static ResourceType],
) -> Result<(&'static ResourceType, Option<String>), ScimError> {
    let unknown =
        || ScimError::invalid_value("'path' leads to no resource; it is like /Users or /Users/{id}");
    let path = path.trim_end_matches('/');
    let resource_type = types
        .iter()
        .find(|resource_type| {
            path.strip_prefix(resource_type.endpoint)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .ok_or_else(unknown)?;
    let id = path[resource_type.endpoint.len()..].trim_start_matches('/');
    if id.contains(['/', '?', '#']) {
        return Err(unknown());
    }
    Ok((resource_type, (!id.is_empty()).then(|| id.to_owned())))
}

fn text(object: &mut Attributes, key: &str) -> Result<Option<String>, ScimError> {
    match take(object, key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(ScimError::invalid_syntax(format!(
            "'{key}' is a string, {} came",
            type_name(&other)
        ))),
    }
}

fn take(object: &mut Attributes, key: &str) -> Option<Value> {
    object
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, value)| value.take())
}
