//! POST and PUT bodies, answers, and projection.

use serde_json::{Value, json};
use usher_scim::resource::{Meta, canonicalise, represent};
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{Projection, ResourceType, ScimType};

use crate::support::{ENTERPRISE, object, refusal, user};

#[test]
fn bodies_that_are_no_such_resource_are_refused() {
    use ScimType::{InvalidSyntax, InvalidValue};
    let cases: [(&'static ResourceType, Value, ScimType); 17] = [
        (&USER_TYPE, json!([]), InvalidSyntax),
        (&USER_TYPE, json!("user"), InvalidSyntax),
        (&USER_TYPE, json!({"schemas": 5, "userName": "a"}), InvalidSyntax),
        (
            &USER_TYPE,
            json!({"schemas": [5], "userName": "a"}),
            InvalidSyntax,
        ),
        (
            &USER_TYPE,
            json!({"schemas": [GROUP_TYPE.schema.id], "userName": "a"}),
            InvalidSyntax,
        ),
        (&USER_TYPE, json!({}), InvalidValue),
        (&USER_TYPE, json!({"userName": "  "}), InvalidValue),
        (&USER_TYPE, json!({"userName": ["a", "b"]}), InvalidValue),
        (&USER_TYPE, json!({"userName": {"value": "a"}}), InvalidValue),
        (&USER_TYPE, json!({"userName": "a", "name": "Ann"}), InvalidValue),
        (&USER_TYPE, json!({"userName": "a", "emails": [[]]}), InvalidValue),
        (
            &USER_TYPE,
            json!({"userName": "a", "emails": [{"value": 5}]}),
            InvalidValue,
        ),
        (
            &USER_TYPE,
            json!({"userName": "a", (ENTERPRISE): "x"}),
            InvalidValue,
        ),
        (
            &USER_TYPE,
            json!({"userName": "a", "userName.x": "y"}),
            InvalidValue,
        ),
        (&GROUP_TYPE, json!({"members": []}), InvalidValue),
        (
            &GROUP_TYPE,
            json!({"displayName": "g", "members": {"u1": true}}),
            InvalidValue,
        ),
        (
            &GROUP_TYPE,
            json!({"displayName": "g", "members": [{"display": "x"}]}),
            InvalidValue,
        ),
    ];
    for (resource_type, body, expected) in cases {
        assert_eq!(
            refusal(canonicalise(body.clone(), resource_type, 10), &body),
            expected,
            "{body}"
        );
    }
    let body = json!({"displayName": "g", "members": ["a", "b", "c"]});
    assert_eq!(
        canonicalise(body, &GROUP_TYPE, 2).expect_err("too many").status,
        413
    );
}

#[test]
fn an_error_names_the_attribute_and_not_the_value() {
    let error =
        canonicalise(json!({"userName": "a", "active": "s3cret"}), &USER_TYPE, 0).expect_err("no boolean");
    assert!(
        error.detail.contains("'active'") && !error.detail.contains("s3cret"),
        "{}",
        error.detail
    );
}

#[test]
fn what_nobody_defined_is_kept() {
    let attributes = user(json!({
        "userName": "ann", "shoeSize": 43, "tags": ["a", null, ""], "note": null, "odd key": 1,
        "custom.colour": "red", "urn:example:2.0:User": {"badge": "7", "empty": {}}, "urn:example:2.0:User:floor": "3"
    }));
    assert_eq!(
        Value::Object(attributes),
        json!({
            "userName": "ann", "shoeSize": 43, "tags": ["a"], "odd key": 1, "custom": {"colour": "red"},
            "urn:example:2.0:User": {"badge": "7", "floor": "3"}
        })
    );
}

#[test]
fn flattened_keys_are_unfolded() {
    let attributes = user(json!({
        "userName": "ann", "name.givenName": "Ann", "name": {"familyName": "Lee"},
        "urn:ietf:params:scim:schemas:core:2.0:User:title": "Dr", "emails[type eq \"work\"].value": "a@b.example",
        format!("{ENTERPRISE}:department"): "IT", format!("{ENTERPRISE}:manager.value"): "u2"
    }));
    assert_eq!(
        Value::Object(attributes),
        json!({
            "userName": "ann", "name": {"givenName": "Ann", "familyName": "Lee"}, "title": "Dr",
            "emails": [{"type": "work", "value": "a@b.example"}],
            (ENTERPRISE): {"department": "IT", "manager": {"value": "u2"}}
        })
    );
}

#[test]
fn canonical_attributes_stay_as_they_are() {
    let body = json!({
        "userName": "ann", "active": false, "emails": [{"value": "a@b.example", "primary": true}, {"value": "c@d.example"}],
        (ENTERPRISE): {"manager": {"value": "u2"}}, "urn:example:x": {"a": [1, {"b": 2}]}
    });
    let once = user(body);
    assert_eq!(user(Value::Object(once.clone())), once);
}

fn answer() -> usher_scim::Attributes {
    let attributes = user(json!({
        "userName": "ann", "name": {"givenName": "Ann", "familyName": "Lee"}, "externalId": "e1",
        "emails": [{"value": "w@x.example", "type": "work"}, {"value": "h@x.example", "type": "home"}],
        (ENTERPRISE): {"department": "IT", "manager": {"value": "u2"}}, "urn:example:2.0:User": {"badge": "7"}
    }));
    let time = "2026-01-31T08:00:00.25Z".parse().expect("a time");
    let meta = Meta {
        id: "u1",
        created: time,
        last_modified: time,
        version: "W/\"3\"",
    };
    represent(attributes, &USER_TYPE, &meta, "https://scim.example/v2")
}

#[test]
fn an_answer_says_what_the_server_knows() {
    let answer = answer();
    assert_eq!(
        answer["schemas"],
        json!([USER_TYPE.schema.id, ENTERPRISE, "urn:example:2.0:User"])
    );
    assert_eq!(answer["id"], "u1");
    assert_eq!(
        answer["meta"],
        json!({
            "resourceType": "User", "created": "2026-01-31T08:00:00.25Z", "lastModified": "2026-01-31T08:00:00.25Z",
            "location": "https://scim.example/v2/Users/u1", "version": "W/\"3\""
        })
    );
}

#[test]
fn a_projection_shows_what_is_asked_for() {
    let keys = |attributes: Option<&str>, excluded: Option<&str>| {
        let mut answer = answer();
        Projection::parse(attributes, excluded)
            .expect("a projection")
            .apply(&mut answer, &USER_TYPE);
        answer
    };
    let only = keys(Some("USERNAME, name.FamilyName,emails.value"), None);
    assert_eq!(
        Value::Object(only),
        json!({
            "schemas": answer()["schemas"], "id": "u1", "userName": "ann", "name": {"familyName": "Lee"},
            "emails": [{"value": "w@x.example"}, {"value": "h@x.example"}]
        })
    );
    for (asked, expected) in [
        (
            ENTERPRISE.to_owned(),
            json!({"department": "IT", "manager": {"value": "u2"}}),
        ),
        (format!("{ENTERPRISE}:department"), json!({"department": "IT"})),
        ("manager".to_owned(), json!({"manager": {"value": "u2"}})),
        (
            format!("{ENTERPRISE}:manager.value"),
            json!({"manager": {"value": "u2"}}),
        ),
    ] {
        let shown = keys(Some(&asked), None);
        assert_eq!(shown[ENTERPRISE], expected, "{asked}");
        assert_eq!(shown.len(), 3, "{asked}");
    }
    assert_eq!(
        keys(Some("urn:example:2.0:User"), None)["urn:example:2.0:User"],
        json!({"badge": "7"})
    );
    let without = keys(
        None,
        Some(&format!(
            "id,emails,name.givenName,{ENTERPRISE}:manager,urn:example:2.0:User"
        )),
    );
    assert_eq!(without["id"], "u1", "what is always returned stays");
    assert_eq!(without["name"], json!({"familyName": "Lee"}));
    assert_eq!(without[ENTERPRISE], json!({"department": "IT"}));
    assert!(!without.contains_key("emails") && !without.contains_key("urn:example:2.0:User"));
    assert_eq!(
        keys(Some("userName"), Some("userName")).len(),
        3,
        "'attributes' counts if both are given"
    );
}

#[test]
fn a_projection_tells_what_need_not_be_read() {
    for (attributes, excluded, wants) in [
        (None, None, true),
        (Some("displayName"), None, false),
        (Some("members.value"), None, true),
        (None, Some("members"), false),
        (None, Some("members.display"), true),
        (
            None,
            Some("urn:ietf:params:scim:schemas:core:2.0:Group:MEMBERS"),
            false,
        ),
        (Some(" , "), None, true),
    ] {
        let projection = Projection::parse(attributes, excluded).expect("a projection");
        assert_eq!(projection.wants_members(), wants, "{attributes:?} {excluded:?}");
    }
    let mut secret = object(json!({"id": "u", "password": "x"}));
    Projection::parse(Some("password"), None)
        .expect("a projection")
        .apply(&mut secret, &USER_TYPE);
    assert!(!secret.contains_key("password"));
    let body = json!("a b");
    assert_eq!(
        refusal(Projection::parse(Some("a b"), None), &body),
        ScimType::InvalidValue
    );
}
