//! Holds answers against the description: what it does not name must not be there, what it requires must.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Answer;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(usher_server::api::openapi()).expect("the description is JSON"));

/// The API's description.
pub(super) fn description() -> &'static Value {
    &DESCRIPTION
}

/// Fails the test unless the answer is what the description says.
#[track_caller]
pub(super) fn check(method: &str, path: &str, answer: &Answer) {
    let asked = format!("{method} {path}");
    if answer.status.as_u16() >= 400 {
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{asked}: {:#}",
            answer.body
        );
        let problem = &description()["components"]["schemas"]["Problem"];
        fits(&answer.body, problem, &asked);
        assert_eq!(answer.body["status"], answer.status.as_u16(), "{asked}");
        let instance = answer.body["instance"].as_str().expect("an instance");
        assert!(
            path.starts_with(instance.trim_start_matches("/api/v1")),
            "{asked}: {instance}"
        );
        assert_eq!(
            answer.body["request_id"],
            answer.header("x-request-id"),
            "{asked}"
        );
        return;
    }
    let operation = operation(method, path);
    let described = &operation["responses"][answer.status.as_str()];
    assert!(
        !described.is_null(),
        "{asked}: {} is not described",
        answer.status
    );
    let schema = &described["content"]["application/json"]["schema"];
    if !schema.is_null() {
        fits(&answer.body, schema, &asked);
    }
}

fn operation(method: &str, path: &str) -> &'static Value {
    let path = path.split('?').next().unwrap_or_default();
    let segments: Vec<_> = format!("/api/v1{path}").split('/').map(str::to_owned).collect();
    let paths = description()["paths"].as_object().expect("paths");
    let mut fitting: Vec<_> = paths
        .iter()
        .filter(|(template, _)| {
            let parts: Vec<_> = template.split('/').collect();
            parts.len() == segments.len()
                && parts
                    .iter()
                    .zip(&segments)
                    .all(|(part, segment)| part.starts_with('{') || part == segment)
        })
        .collect();
    fitting.sort_by_key(|(template, _)| template.matches('{').count());
    let (_, item) = fitting
        .first()
        .unwrap_or_else(|| panic!("{path} is not described"));
    &item[method.to_lowercase()]
}

fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let name = reference.trim_start_matches("#/components/schemas/");
            let found = &description()["components"]["schemas"][name];
            assert!(!found.is_null(), "{reference} does not resolve");
            resolve(found)
        }
        None => schema,
    }
}

fn fits(value: &Value, schema: &Value, place: &str) {
    if let Some(problem) = misfit(value, schema, place) {
        panic!("{problem}");
    }
}

fn misfit(value: &Value, schema: &Value, place: &str) -> Option<String> {
    let schema = resolve(schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let fit = choices
            .iter()
            .any(|choice| misfit(value, choice, place).is_none());
        return (!fit).then(|| format!("{place}: {value} fits none of {choices:?}"));
    }
    let types: Vec<_> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ if schema["allOf"].is_array() => vec!["object"],
        _ => return None,
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&is) {
        return Some(format!("{place}: {value} is not {types:?}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Some(format!("{place}: {value} is none of {words:?}"));
    }
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(n, item)| misfit(item, &schema["items"], &format!("{place}[{n}]"))),
        Value::Object(object) => {
            let mut properties = Map::new();
            let mut required = Vec::new();
            collect(schema, &mut properties, &mut required);
            if properties.is_empty() {
                return None;
            }
            if let Some(missing) = required.iter().find(|name| !object.contains_key(*name)) {
                return Some(format!("{place}: {missing} is missing"));
            }
            object
                .iter()
                .find_map(|(name, value)| match properties.get(name) {
                    Some(schema) => misfit(value, schema, &format!("{place}.{name}")),
                    None => Some(format!("{place}: {name} is not described")),
                })
        }
        _ => None,
    }
}

/// What an object has, parts that are merged into it included.
fn collect(schema: &Value, properties: &mut Map<String, Value>, required: &mut Vec<String>) {
    let schema = resolve(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(part, properties, required);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        properties.insert(name.clone(), property.clone());
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        required.extend(name.as_str().map(str::to_owned));
    }
}
