//! Paths, methods and bulk operations that lead nowhere.

use serde_json::{Value, json};

use super::{Case, ops};

const NOBODY: &str = "018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f";

pub(super) fn places() -> Vec<Case> {
    let none = || Value::Null;
    vec![
        ("GET", "/Users/{theirs}", none(), 404, None),
        ("PUT", "/Users/{theirs}", json!({ "userName": "x" }), 404, None),
        ("PATCH", "/Users/{theirs}", ops(json!([])), 404, None),
        ("DELETE", "/Users/{theirs}", none(), 404, None),
        ("GET", "/Groups/{user}", none(), 404, None),
        ("GET", "/Users/{group}", none(), 404, None),
        ("GET", "/Users/not-a-uuid", none(), 404, None),
        ("DELETE", "/Users/1%20OR%201=1", none(), 404, None),
        ("GET", "/Users/%ff", none(), 404, None),
        ("GET", "/Users/../Groups", none(), 404, None),
        (
            "PUT",
            "/Groups/018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f",
            json!({ "displayName": "x" }),
            404,
            None,
        ),
        (
            "DELETE",
            "/Groups/018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f",
            none(),
            404,
            None,
        ),
        ("GET", "", none(), 404, None),
        ("GET", "/Nothing", none(), 404, None),
        ("GET", "/Users/1/2/3", none(), 404, None),
        ("GET", "/ResourceTypes/Device", none(), 404, None),
        ("GET", "/Me", none(), 501, None),
        ("DELETE", "/Users", none(), 405, None),
        ("PUT", "/Groups", json!({ "displayName": "x" }), 405, None),
        ("PATCH", "/ServiceProviderConfig", json!({}), 405, None),
        ("BREW", "/Users", none(), 405, None),
        ("POST", "/Bulk", json!({}), 400, Some("invalidSyntax")),
        (
            "POST",
            "/Bulk",
            json!({ "Operations": [{ "method": "GET", "path": "/Users" }] }),
            400,
            Some("invalidSyntax"),
        ),
        (
            "POST",
            "/Bulk",
            json!({ "Operations": [{ "method": "POST", "path": "/Users", "data": {} }] }),
            400,
            Some("invalidValue"),
        ),
        (
            "POST",
            "/Bulk",
            json!({ "Operations": [{ "method": "POST", "path": "/Devices", "bulkId": "a", "data": {} }] }),
            400,
            Some("invalidValue"),
        ),
        (
            "POST",
            "/Bulk",
            json!({ "failOnErrors": 0, "Operations": [] }),
            400,
            Some("invalidValue"),
        ),
        (
            "POST",
            "/Bulk",
            json!({ "Operations": vec![json!({ "method": "DELETE", "path": format!("/Users/{NOBODY}") }); 21] }),
            413,
            None,
        ),
    ]
}
