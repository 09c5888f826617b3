//! PATCH requests that cannot be understood.

use serde_json::{Value, json};

use super::{Case, ops};

pub(super) fn patches() -> Vec<Case> {
    let syntax = Some("invalidSyntax");
    let value = Some("invalidValue");
    let path = Some("invalidPath");
    let target = Some("noTarget");
    let mutability = Some("mutability");
    let user = "/Users/{user}";
    let group = "/Groups/{group}";
    vec![
        ("PATCH", user, json!({}), 400, syntax),
        ("PATCH", user, json!([]), 400, syntax),
        ("PATCH", user, json!({ "Operations": {} }), 400, syntax),
        ("PATCH", user, json!({ "Operations": "add" }), 400, syntax),
        ("PATCH", user, ops(json!(["add"])), 400, syntax),
        ("PATCH", user, ops(json!([{}])), 400, syntax),
        ("PATCH", user, ops(json!([{ "op": 5 }])), 400, syntax),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "move", "path": "title" }])),
            400,
            syntax,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": 5, "value": "x" }])),
            400,
            syntax,
        ),
        ("PATCH", user, ops(json!([{ "op": "remove" }])), 400, target),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "remove", "path": "" }])),
            400,
            target,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "value": "x" }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "add", "value": [] }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "emails[", "value": "x" }])),
            400,
            Some("invalidFilter"),
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "a..b", "value": "x" }])),
            400,
            path,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "1title", "value": "x" }])),
            400,
            path,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "name.givenName.x", "value": "x" }])),
            400,
            path,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "emails[type eq]", "value": "x" }])),
            400,
            Some("invalidFilter"),
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "emails[type zz \"work\"].value", "value": "x" }])),
            400,
            Some("invalidFilter"),
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "emails[type co \"zzz\"].value", "value": "x" }])),
            400,
            target,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "id", "value": "x" }])),
            400,
            mutability,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "meta.created", "value": "x" }])),
            400,
            mutability,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "add", "path": "groups", "value": [{ "value": "x" }] }])),
            400,
            mutability,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "userName", "value": "" }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "userName", "value": null }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "value": { "userName": "" } }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "active", "value": "perhaps" }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "active", "value": {} }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "name", "value": "Ada" }])),
            400,
            value,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "replace", "path": "userName", "value": "BOB" }])),
            409,
            Some("uniqueness"),
        ),
        (
            "PATCH",
            user,
            ops(Value::Array(vec![
                json!({ "op": "add", "path": "title", "value": "x" });
                21
            ])),
            413,
            None,
        ),
        (
            "PATCH",
            user,
            ops(json!([{ "op": "add", "path": "title", "value": "x" }, { "op": "nonsense" }])),
            400,
            syntax,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "members", "value": [] }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "members", "value": [{}] }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "members", "value": 5 }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(
                json!([{ "op": "replace", "path": "members", "value": "everybody" , "x": 1 }, { "op": "x" }]),
            ),
            400,
            syntax,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "add", "path": "members", "value": [[]] }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "add", "path": "members", "value": [{ "id": "x" }] }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "members[value zz \"x\"]" }])),
            400,
            Some("invalidFilter"),
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "remove", "path": "displayName" }])),
            400,
            mutability,
        ),
        (
            "PATCH",
            group,
            ops(json!([{ "op": "replace", "path": "displayName", "value": "" }])),
            400,
            value,
        ),
        (
            "PATCH",
            group,
            ops(
                json!([{ "op": "add", "path": "members", "value": (0..51).map(|n| json!({ "value": n.to_string() })).collect::<Vec<_>>() }]),
            ),
            413,
            None,
        ),
    ]
}
