//! PATCH by the book (RFC 7644 §3.5.2), and what is refused.

use serde_json::{Value, json};
use usher_scim::patch::PatchLimits;
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{PatchRequest, ScimType};

use crate::support::{ENTERPRISE, object, parse, patch_user, patched, refusal};

fn before() -> Value {
    json!({
        "userName": "ann", "displayName": "Ann", "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [
            {"value": "w@x.example", "type": "work", "primary": true}, {"value": "h@x.example", "type": "home"}
        ],
        "custom": ["a"], (ENTERPRISE): {"department": "IT", "manager": {"value": "u1"}}
    })
}

fn check(operation: Value, part: &str, expected: Value) {
    let after = patched(before(), json!({"Operations": [operation]}));
    assert_eq!(
        after.pointer(part).cloned().unwrap_or(Value::Null),
        expected,
        "{operation}"
    );
}

#[test]
fn add() {
    check(
        json!({"op": "add", "value": {"title": "Dr"}}),
        "/title",
        json!("Dr"),
    );
    check(
        json!({"op": "add", "path": "displayName", "value": "A"}),
        "/displayName",
        json!("A"),
    );
    check(
        json!({"op": "add", "path": "name", "value": {"middleName": "M"}}),
        "/name",
        json!({"givenName": "Ann", "familyName": "Lee", "middleName": "M"}),
    );
    check(
        json!({"op": "add", "path": "emails", "value": [{"value": "o@x.example"}, {"value": "h@x.example", "type": "home"}]}),
        "/emails",
        json!([
            {"value": "w@x.example", "type": "work", "primary": true}, {"value": "h@x.example", "type": "home"},
            {"value": "o@x.example"}
        ]),
    );
    check(
        json!({"op": "add", "path": "emails[type eq \"home\"]", "value": {"display": "Home"}}),
        "/emails/1",
        json!({"value": "h@x.example", "type": "home", "display": "Home"}),
    );
    check(
        json!({"op": "add", "path": "custom", "value": ["a", "b"]}),
        "/custom",
        json!(["a", "b"]),
    );
    check(
        json!({"op": "add", "path": "emails", "value": []}),
        "/emails/1/type",
        json!("home"),
    );
    check(
        json!({"op": "add", "path": ENTERPRISE, "value": {"division": "D"}}),
        "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/division",
        json!("D"),
    );
    check(
        json!({"op": "add", "path": "urn:example:x:1.0", "value": {"a": 1, "b": null}}),
        "/urn:example:x:1.0",
        json!({"a": 1}),
    );
}

#[test]
fn remove() {
    check(
        json!({"op": "remove", "path": "displayName"}),
        "/displayName",
        Value::Null,
    );
    check(
        json!({"op": "remove", "path": "displayName", "value": "other"}),
        "/displayName",
        Value::Null,
    );
    check(json!({"op": "remove", "path": "emails"}), "/emails", Value::Null);
    check(
        json!({"op": "remove", "path": "emails[type eq \"home\"]"}),
        "/emails",
        json!([{"value": "w@x.example", "type": "work", "primary": true}]),
    );
    check(
        json!({"op": "remove", "path": "emails[value pr]"}),
        "/emails",
        Value::Null,
    );
    check(
        json!({"op": "remove", "path": "emails[type eq \"work\"].primary"}),
        "/emails/0",
        json!({"value": "w@x.example", "type": "work"}),
    );
    check(
        json!({"op": "remove", "path": "emails", "value": [{"value": "W@x.example"}]}),
        "/emails",
        json!([{"value": "h@x.example", "type": "home"}]),
    );
    check(
        json!({"op": "remove", "path": "name.givenName"}),
        "/name",
        json!({"familyName": "Lee"}),
    );
    check(
        json!({"op": "remove", "path": "emails[type eq \"fax\"]"}),
        "/emails/1/type",
        json!("home"),
    );
    check(
        json!({"op": "remove", "path": format!("{ENTERPRISE}:manager.value")}),
        &format!("/{ENTERPRISE}"),
        json!({"department": "IT"}),
    );
    check(
        json!({"op": "remove", "path": ENTERPRISE}),
        &format!("/{ENTERPRISE}"),
        Value::Null,
    );
    check(
        json!({"op": "remove", "path": "nosuch"}),
        "/displayName",
        json!("Ann"),
    );
}

#[test]
fn replace() {
    check(
        json!({"op": "replace", "value": {"title": "Dr", "displayName": "A"}}),
        "/displayName",
        json!("A"),
    );
    check(
        json!({"op": "replace", "path": "title", "value": "Dr"}),
        "/title",
        json!("Dr"),
    );
    check(
        json!({"op": "replace", "path": "emails", "value": [{"value": "o@x.example"}]}),
        "/emails",
        json!([{"value": "o@x.example"}]),
    );
    check(
        json!({"op": "replace", "path": "emails", "value": []}),
        "/emails",
        Value::Null,
    );
    check(
        json!({"op": "replace", "path": "emails", "value": null}),
        "/emails",
        Value::Null,
    );
    check(
        json!({"op": "replace", "path": "name", "value": {"givenName": "Anna"}}),
        "/name",
        json!({"givenName": "Anna", "familyName": "Lee"}),
    );
    check(
        json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "n@x.example"}}),
        "/emails/1",
        json!({"value": "n@x.example", "type": "home"}),
    );
    check(
        json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": "n@x.example"}),
        "/emails/1",
        json!({"value": "n@x.example", "type": "home"}),
    );
    check(
        json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": ""}),
        "/emails",
        json!([{"value": "w@x.example", "type": "work", "primary": true}]),
    );
    check(
        json!({"op": "replace", "value": {(ENTERPRISE): null}}),
        &format!("/{ENTERPRISE}"),
        Value::Null,
    );
}

#[test]
fn one_value_is_primary() {
    for operation in [
        json!({"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}),
        json!({"op": "add", "path": "emails[type eq \"home\"]", "value": {"primary": "True"}}),
        json!({"op": "add", "path": "emails", "value": [{"value": "h@x.example", "type": "home", "primary": true}]}),
    ] {
        let after = patched(before(), json!({"Operations": [operation]}));
        let flags: Vec<&Value> = after["emails"]
            .as_array()
            .expect("emails")
            .iter()
            .map(|e| &e["primary"])
            .collect();
        assert_eq!(flags, [&json!(false), &json!(true)], "{operation}");
    }
}

#[test]
fn what_is_refused() {
    use ScimType::{InvalidFilter, InvalidPath, InvalidSyntax, InvalidValue, Mutability, NoTarget};
    let cases = [
        (
            json!({"op": "replace", "path": "userName", "value": "  "}),
            InvalidValue,
        ),
        (json!({"op": "remove"}), NoTarget),
        (json!({"op": "remove", "value": {"title": "x"}}), NoTarget),
        (json!({"op": "remove", "path": "userName"}), Mutability),
        (json!({"op": "remove", "path": "id"}), Mutability),
        (json!({"op": "remove", "path": "schemas"}), Mutability),
        (json!({"op": "replace", "path": "id", "value": "x"}), Mutability),
        (
            json!({"op": "replace", "path": "meta.created", "value": "x"}),
            Mutability,
        ),
        (
            json!({"op": "add", "path": "groups", "value": [{"value": "g"}]}),
            Mutability,
        ),
        (
            json!({"op": "add", "path": format!("{ENTERPRISE}:manager.displayName"), "value": "x"}),
            Mutability,
        ),
        (
            json!({"op": "replace", "path": "userName", "value": ""}),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "userName", "value": null}),
            InvalidValue,
        ),
        (json!({"op": "replace", "value": {"userName": []}}), InvalidValue),
        (
            json!({"op": "replace", "path": "userName", "value": 5}),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "active", "value": "maybe"}),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "active", "value": 1}),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "name", "value": "Ann"}),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "title", "value": ["a", "b"]}),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "emails", "value": [5, {"primary": "no"}]}),
            InvalidValue,
        ),
        (json!({"op": "replace", "path": "title"}), InvalidValue),
        (json!({"op": "add"}), InvalidValue),
        (json!({"op": "add", "value": "x"}), InvalidValue),
        (json!({"op": "add", "value": [{}, {}]}), InvalidValue),
        (
            json!({"op": "add", "path": ENTERPRISE, "value": "x"}),
            InvalidValue,
        ),
        (
            json!({"op": "move", "path": "title", "value": "x"}),
            InvalidSyntax,
        ),
        (json!({"path": "title", "value": "x"}), InvalidSyntax),
        (json!({"op": 1, "path": "title"}), InvalidSyntax),
        (json!({"op": "add", "path": 7, "value": "x"}), InvalidSyntax),
        (json!("add"), InvalidSyntax),
        (json!({"op": "add", "path": "a b", "value": "x"}), InvalidPath),
        (
            json!({"op": "add", "path": "userName.first", "value": "x"}),
            InvalidPath,
        ),
        (
            json!({"op": "add", "path": "title[value eq \"x\"]", "value": "x"}),
            InvalidPath,
        ),
        (
            json!({"op": "add", "path": "name[givenName eq \"x\"].familyName", "value": "x"}),
            InvalidPath,
        ),
        (
            json!({"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:displayName", "value": "x"}),
            InvalidPath,
        ),
        (
            json!({"op": "add", "path": "emails[type eq]", "value": "x"}),
            InvalidFilter,
        ),
        (
            json!({"op": "replace", "path": "emails[type co \"fax\"].value", "value": "x"}),
            NoTarget,
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"fax\"].primary", "value": true}),
            NoTarget,
        ),
    ];
    for (operation, expected) in cases {
        let body = json!({"Operations": [{"op": "replace", "path": "title", "value": "Dr"}, operation]});
        let mut ann = object(before());
        let result = patch_user(&mut ann, &body);
        if let Err(error) = &result {
            assert!(error.detail.starts_with("operation 2: "), "{}", error.detail);
        }
        assert_eq!(refusal(result, &body), expected, "{body}");
        assert_eq!(Value::Object(ann), before(), "{body} left something behind");
    }
}

#[test]
fn a_body_that_is_no_patch_is_refused() {
    for body in [
        json!([]),
        json!({}),
        json!({"Operations": {}}),
        json!({"Operations": "add"}),
        json!(null),
    ] {
        assert_eq!(refusal(parse(&body, &USER_TYPE), &body), ScimType::InvalidSyntax);
    }
}

#[test]
fn a_shape_on_members_that_is_not_understood_is_never_a_success() {
    use ScimType::{InvalidFilter, InvalidPath, InvalidValue, Mutability};
    let cases = [
        (
            json!({"op": "remove", "path": "members[$ref eq \"https://x.example/Users/u1\"]"}),
            InvalidFilter,
        ),
        (
            json!({"op": "remove", "path": "members[id eq \"u1\"]"}),
            InvalidFilter,
        ),
        (
            json!({"op": "remove", "path": "members[not (user.value eq \"u1\")]"}),
            InvalidFilter,
        ),
        (
            json!({"op": "remove", "path": "members", "value": []}),
            InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "members", "value": null}),
            InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "members", "value": [{}]}),
            InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "members", "value": "{\"value\":\"u1\"}"}),
            InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "members[value eq]"}),
            InvalidFilter,
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"u1\""}),
            InvalidPath,
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"u1\"].display"}),
            Mutability,
        ),
        (json!({"op": "remove", "path": "members.value"}), Mutability),
        (json!({"op": "add", "path": "members"}), InvalidValue),
        (
            json!({"op": "add", "path": "members", "value": [{"id": "u1"}]}),
            InvalidValue,
        ),
        (
            json!({"op": "add", "path": "members", "value": [[{"value": "u1"}]]}),
            InvalidValue,
        ),
        (
            json!({"op": "add", "path": "members", "value": true}),
            InvalidValue,
        ),
        (json!({"op": "add", "path": "members", "value": ""}), InvalidValue),
        (
            json!({"op": "replace", "path": "members", "value": {}}),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "members", "value": {"members": []}}),
            InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "members[value eq \"u1\"]", "value": {"value": "u2"}}),
            Mutability,
        ),
        (
            json!({"op": "replace", "path": "members[value eq \"u1\"].value", "value": "u2"}),
            Mutability,
        ),
        (
            json!({"op": "replace", "path": "members[type eq \"User\"]", "value": {"value": "u2"}}),
            Mutability,
        ),
        (
            json!({"op": "replace", "value": {"members": "everyone", "displayName": ""}}),
            InvalidValue,
        ),
        (json!({"op": "add", "value": {"members.value": "u1"}}), Mutability),
    ];
    for (operation, expected) in cases {
        let body = json!({"Operations": [operation]});
        assert_eq!(refusal(parse(&body, &GROUP_TYPE), &body), expected, "{body}");
    }
}

#[test]
fn limits_hold() {
    let limits = PatchLimits {
        operations: 2,
        members: 3,
        ..PatchLimits::default()
    };
    let operation = json!({"op": "add", "path": "members", "value": [{"value": "a"}, {"value": "b"}]});
    let over = |body: Value| {
        PatchRequest::parse(body, &GROUP_TYPE, &limits)
            .expect_err("over a limit")
            .status
    };
    assert_eq!(over(json!({"Operations": [operation, operation]})), 413);
    assert_eq!(over(json!({"Operations": [{}, {}, {}]})), 413);
    assert!(PatchRequest::parse(json!({"Operations": [operation]}), &GROUP_TYPE, &limits).is_ok());
}
