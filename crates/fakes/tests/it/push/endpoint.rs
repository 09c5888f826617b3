//! A SCIM endpoint that believes whatever it is told and understands little of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use usher_fakes::{Faults, Served};

type Resources = Arc<Mutex<BTreeMap<String, Value>>>;

/// A running endpoint.
pub(super) struct Endpoint {
    pub(super) served: Served,
    pub(super) faults: Faults,
}

impl Endpoint {
    pub(super) async fn start() -> Self {
        let faults = Faults::none();
        let router = Router::new().fallback(answer).with_state(Resources::default());
        let served = Served::start(router, faults.clone()).await.expect("a free port");
        Self { served, faults }
    }
}

async fn answer(State(resources): State<Resources>, method: Method, uri: Uri, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut resources = resources.lock().expect("no request panics");
    let path = uri.path().to_owned();
    let known = resources.contains_key(&path);
    match method {
        Method::POST => {
            let id = format!("id-{}", resources.len());
            let mut resource = body;
            resource["id"] = id.clone().into();
            resources.insert(format!("{path}/{id}"), resource.clone());
            json_answer(StatusCode::CREATED, &resource)
        }
        Method::GET if known => json_answer(StatusCode::OK, &resources[&path]),
        Method::GET if path.matches('/').count() == 1 => {
            let query = uri.query().unwrap_or_default();
            let wanted = query
                .split("%22")
                .nth(1)
                .map(|value| value.replace("%40", "@").replace("%20", " "));
            let found: Vec<_> = resources
                .iter()
                .filter(|(known, _)| known.starts_with(&path))
                .map(|(_, resource)| resource)
                .filter(|resource| {
                    let names = [&resource["userName"], &resource["displayName"]];
                    wanted
                        .as_ref()
                        .is_none_or(|wanted| names.iter().any(|name| *name == wanted))
                })
                .collect();
            let list = json!({
                "totalResults": found.len(), "startIndex": 1, "itemsPerPage": found.len(), "Resources": found,
            });
            json_answer(StatusCode::OK, &list)
        }
        Method::PATCH if known => {
            for operation in body["Operations"].as_array().into_iter().flatten() {
                let resource = resources.get_mut(&path).expect("it is known");
                match operation["path"].as_str() {
                    Some("active") => {
                        resource["active"] =
                            (operation["value"] == true || operation["value"] == "True").into();
                    }
                    Some(name) => resource[name] = operation["value"].clone(),
                    None => {
                        for (key, value) in operation["value"].as_object().into_iter().flatten() {
                            resource[key] = value.clone();
                        }
                    }
                }
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Method::PUT if known => {
            resources.insert(path, body.clone());
            json_answer(StatusCode::OK, &body)
        }
        Method::DELETE if known => {
            resources.remove(&path);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => json_answer(
            StatusCode::NOT_FOUND,
            &json!({ "detail": "there is no such resource" }),
        ),
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    let media_type = [(CONTENT_TYPE, "application/scim+json")];
    (status, media_type, body.to_string()).into_response()
}
