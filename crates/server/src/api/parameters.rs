//! Query parameters that an endpoint does not have are refused: a misspelt `cursor` would answer the first page for
//! ever, and a misspelt filter everything.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use super::{ApiError, openapi};

type Known = HashMap<(String, String), BTreeSet<String>>;

/// The query parameters of each method and path, as the description names them.
static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(openapi()).expect("the description is JSON");
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .into_iter()
                .flatten()
                .map(move |(method, operation)| {
                    let parameters = operation["parameters"].as_array().into_iter().flatten();
                    let names = parameters
                        .filter(|parameter| parameter["in"] == "query")
                        .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
                        .collect();
                    ((method.to_uppercase(), path.clone()), names)
                })
        })
        .collect()
});

/// Lets a request pass whose query parameters its endpoint has.
///
/// # Errors
/// [`ApiError::malformed`] with the parameters that there are.
pub(super) async fn refuse_unknown(request: Request, next: Next) -> Result<Response, ApiError> {
    if let Some(query) = request.uri().query().filter(|query| !query.is_empty()) {
        let method = if request.method() == http::Method::HEAD {
            "GET"
        } else {
            request.method().as_str()
        };
        let path = request
            .extensions()
            .get::<MatchedPath>()
            .map_or("", MatchedPath::as_str);
        if let Some(known) = KNOWN.get(&(method.to_owned(), path.to_owned())) {
            let names = query.split('&').filter(|part| !part.is_empty());
            let mut names = names.map(|part| part.split_once('=').map_or(part, |(name, _)| name));
            if names.any(|name| !known.contains(name)) {
                return Err(ApiError::malformed("query", advice(known)));
            }
        }
    }
    Ok(next.run(request).await)
}

fn advice(known: &BTreeSet<String>) -> String {
    if known.is_empty() {
        return "this endpoint takes no query parameters".to_owned();
    }
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    format!(
        "use only the query parameters that this endpoint has: {}",
        names.join(", ")
    )
}
