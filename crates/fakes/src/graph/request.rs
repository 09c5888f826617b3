//! What a request asks for and what is answered, without HTTP, so that a batch can hold several.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::Fault;

/// A request after authentication.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) post: bool,
    /// The parts of the path after the version.
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    /// Whether `ConsistencyLevel: eventual` was sent.
    pub(super) eventual: bool,
    /// Whether `Prefer: return=minimal` was sent.
    pub(super) minimal: bool,
    pub(super) body: Value,
    pub(super) fault: Option<Fault>,
}

impl Request {
    /// Splits a path and a query that is still encoded.
    pub(super) fn new(path: &str, query: &str) -> Self {
        let decode = |text: &str| -> Vec<(String, String)> { form(text.as_bytes()).unwrap_or_default() };
        let segments = path.split('/').filter(|part| !part.is_empty());
        Self {
            post: false,
            segments: segments.map(unescape).map(same_case).collect(),
            query: decode(query),
            eventual: false,
            minimal: false,
            body: Value::Null,
            fault: None,
        }
    }

    /// A query parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The properties of `$select`.
    pub(super) fn select(&self) -> Vec<String> {
        let names = self.get("$select").unwrap_or_default().split(',');
        names
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(String::from)
            .collect()
    }

    /// Whether `$count=true` was asked for.
    pub(super) fn counts(&self) -> bool {
        self.get("$count") == Some("true")
    }
}

/// Ids are compared without regard to case.
fn same_case(segment: String) -> String {
    if is_guid(&segment) {
        segment.to_ascii_lowercase()
    } else {
        segment
    }
}

/// Whether a text is an object id.
pub(super) fn is_guid(text: &str) -> bool {
    let fits = |(at, letter): (usize, char)| match at {
        8 | 13 | 18 | 23 => letter == '-',
        _ => letter.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.chars().enumerate().all(fits)
}

/// The fields of a form or query.
pub(super) fn form(text: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(text).ok()?;
    let fields = text.split('&').filter(|field| !field.is_empty());
    let pairs = fields.map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (
            unescape(&name.replace('+', " ")),
            unescape(&value.replace('+', " ")),
        )
    });
    Some(pairs.collect())
}

/// Undoes percent-encoding; what is not encoded correctly stays as it is.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) location: Option<String>,
    pub(super) body: Value,
}

impl Reply {
    pub(super) const fn ok(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            location: None,
            body,
        }
    }

    /// An error as <https://learn.microsoft.com/graph/errors> shows it.
    pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        let body = json!({ "error": {
            "code": code,
            "message": message,
            "innerError": {
                "date": "2026-01-01T00:00:00",
                "request-id": "5f2c2c5e-8c0a-4d55-9b2b-0a4f0f1f7c11",
                "client-request-id": "5f2c2c5e-8c0a-4d55-9b2b-0a4f0f1f7c11",
            },
        }});
        Self {
            status,
            location: None,
            body,
        }
    }

    pub(super) fn not_found(id: &str) -> Self {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::error(StatusCode::NOT_FOUND, "Request_ResourceNotFound", &message)
    }

    pub(super) fn bad(code: &str, message: &str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn denied() -> Self {
        let message = "Insufficient privileges to complete the operation.";
        Self::error(StatusCode::FORBIDDEN, "Authorization_RequestDenied", message)
    }
}

/// Whether an object passes a `$filter` of clauses joined by `or`: `eq`, `in` and `startswith`. `None` for anything else.
pub(super) fn passes(filter: &str, object: &Map<String, Value>) -> Option<bool> {
    let mut any = false;
    for clause in filter.split(" or ") {
        any |= clause_passes(clause.trim(), object)?;
    }
    Some(any)
}

fn clause_passes(clause: &str, object: &Map<String, Value>) -> Option<bool> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_lowercase);
    if let Some(inner) = clause
        .strip_prefix("startswith(")
        .and_then(|rest| rest.strip_suffix(')'))
    {
        let (name, value) = inner.split_once(',')?;
        let prefix = literal(value)?.to_lowercase();
        return Some(text(name.trim()).is_some_and(|have| have.starts_with(&prefix)));
    }
    if let Some((name, value)) = clause.split_once(" eq ") {
        let wanted = literal(value)?.to_lowercase();
        return Some(text(name.trim()).is_some_and(|have| have == wanted));
    }
    let (name, list) = clause.split_once(" in ")?;
    let list = list.trim().strip_prefix('(')?.strip_suffix(')')?;
    let have = text(name.trim());
    let mut found = false;
    for value in list.split(',') {
        found |= have == Some(literal(value)?.to_lowercase());
    }
    Some(found)
}

/// A string in single quotes; a quote inside it is doubled.
pub(super) fn literal(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_query_are_decoded() {
        let request = Request::new(
            "/servicePrincipals(appId='a%2Db')/appRoleAssignedTo",
            "$filter=displayName+eq%20'O''Neil'&$count=true",
        );
        assert_eq!(request.segments[0], "servicePrincipals(appId='a-b')");
        assert_eq!(request.get("$filter"), Some("displayName eq 'O''Neil'"));
        assert!(request.counts());
    }

    #[test]
    fn filters_take_the_forms_that_are_documented() {
        let object = json!({"id": "a1", "displayName": "O'Neil", "userType": "Guest"});
        let object = object.as_object().unwrap();
        let check = |filter: &str, expected| assert_eq!(passes(filter, object), expected, "{filter}");
        check("displayName eq 'o''neil'", Some(true));
        check("startswith(displayName,'o''')", Some(true));
        check("id eq 'b' or id eq 'a1'", Some(true));
        check("userType in ('Member', 'Guest')", Some(true));
        check("userType eq 'Member'", Some(false));
        check("displayName gt 'a'", None);
    }
}
