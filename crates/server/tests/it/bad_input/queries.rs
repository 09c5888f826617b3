//! Queries that cannot be understood, in URLs and in bodies.

use serde_json::{Value, json};

use super::Case;

pub(super) fn queries() -> Vec<Case> {
    let filter = Some("invalidFilter");
    let value = Some("invalidValue");
    let get = |path: &'static str, status: u16, scim_type: Option<&'static str>| {
        ("GET", path, Value::Null, status, scim_type)
    };
    vec![
        get("/Users?filter=userName", 400, filter),
        get("/Users?filter=userName%20eq", 400, filter),
        get("/Users?filter=userName%20is%20%22x%22", 400, filter),
        get("/Users?filter=%22x%22%20eq%20userName", 400, filter),
        get("/Users?filter=userName%20eq%20%22x", 400, filter),
        get("/Users?filter=(userName%20eq%20%22x%22", 400, filter),
        get("/Users?filter=userName%20eq%20%22x%22%20and", 400, filter),
        get(
            "/Users?filter=userName%20eq%20%22x%22%20xor%20title%20pr",
            400,
            filter,
        ),
        get("/Users?filter=emails%5Btype%20eq%20%22work%22", 400, filter),
        get("/Users?filter=active%20gt%20true", 400, filter),
        get("/Users?filter=active%20eq%20%22maybe%22", 400, filter),
        get("/Users?filter=password%20eq%20%22x%22", 400, filter),
        get("/Users?filter=meta.created%20gt%20%22soon%22", 400, filter),
        get("/Users?filter='%20OR%201=1%20--", 400, filter),
        get("/Users?filter=%00", 400, filter),
        get("/Users?filter=userName%20eq%20%22a%5Cu0000b%22", 400, value),
        get("/Users?filter=%ff%fe", 400, value),
        get("/Users?filter=%2", 400, value),
        get("/Users?startIndex=one", 400, value),
        get("/Users?count=many", 400, value),
        get("/Users?count=1.5", 400, value),
        get("/Users?startIndex=99999999999999999999999", 400, value),
        get("/Users?sortBy=a..b", 400, value),
        get("/Users?sortBy=userName&sortOrder=sideways", 400, value),
        get("/Users?attributes=1x", 400, value),
        get("/Users/{user}?attributes=%5B%5D", 400, value),
        get("/Users/{user}?excludedAttributes=a.b.c", 400, value),
        get("/Users?cursor=forged", 400, Some("invalidCursor")),
        get("/Users?cursor=%20", 400, Some("invalidCursor")),
        get(
            "/Users?cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            400,
            Some("invalidCursor"),
        ),
        get("/Users?cursor&count=x", 400, Some("invalidCount")),
        get("/Users?cursor&startIndex=2", 400, value),
        ("POST", "/Users/.search", json!("[]"), 400, Some("invalidSyntax")),
        (
            "POST",
            "/Users/.search",
            json!({ "filter": 5 }),
            400,
            Some("invalidSyntax"),
        ),
        (
            "POST",
            "/.search",
            json!({ "count": {} }),
            400,
            Some("invalidSyntax"),
        ),
        (
            "POST",
            "/.search",
            json!({ "attributes": [5] }),
            400,
            Some("invalidSyntax"),
        ),
        (
            "POST",
            "/Groups/.search",
            json!({ "filter": "displayName is \"x\"" }),
            400,
            filter,
        ),
    ]
}
