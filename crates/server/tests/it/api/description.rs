//! The description names every endpoint, and everything that it refers to is there.

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use serde_json::Value;
use usher_server::api::ROLES;

use super::schema::description;
use super::send;
use crate::world::World;

fn operations() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (path, item) in description()["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            let path = path.trim_start_matches("/api/v1").to_owned();
            found.insert((method.to_uppercase(), path));
        }
    }
    found
}

#[test]
fn every_endpoint_has_roles_and_every_role_an_endpoint() {
    let table: BTreeSet<_> = ROLES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(table.len(), ROLES.len(), "an endpoint is listed twice");
    assert_eq!(operations(), table);
}

#[test]
fn every_reference_resolves_and_no_operation_shares_its_name() {
    let schemas = description()["components"]["schemas"]
        .as_object()
        .expect("schemas");
    let mut references = Vec::new();
    collect(description(), &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let name = reference.trim_start_matches("#/components/schemas/");
        assert!(schemas.contains_key(name), "{reference}");
    }
    let mut names = BTreeSet::new();
    for (path, item) in description()["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name), "{method} {path}: {name} is taken");
            assert!(operation["summary"].is_string(), "{method} {path} says nothing");
            for (status, response) in operation["responses"].as_object().expect("responses") {
                assert!(response["description"].is_string(), "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn the_checked_in_description_is_this_one() {
    let checked_in = include_str!("../../../../../docs/openapi.json");
    assert!(
        checked_in == usher_server::api::openapi(),
        "docs/openapi.json is stale: write it with `usher openapi`"
    );
}

#[tokio::test]
async fn the_description_is_served_to_everybody() {
    let world = World::new().await;
    let request = Request::get("/api/v1/openapi.json")
        .body(Body::empty())
        .expect("a request");
    let answer = send(&world, request).await.expect(200);
    assert_eq!(&answer.body, description());
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            references.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
