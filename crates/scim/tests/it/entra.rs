//! Requests as Microsoft documents them for Entra ID, with and without `aadOptscim062020`
//! (learn.microsoft.com/entra/identity/app-provisioning: use-scim-to-provision-users-and-groups and
//! application-provisioning-config-problem-scim-compatibility), and as third parties saw them.

use serde_json::{Value, json};
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{MemberDelta, resource};

use crate::support::{ENTERPRISE, deltas, ids, members, object, patch_user, patched, user};

#[test]
fn the_documented_user_is_read() {
    let attributes = user(json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
        ],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Test_User_00aa",
        "active": true,
        "emails": [{"primary": true, "type": "work", "value": "Test_User_11bb@testuser.com"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
        "roles": []
    }));
    assert_eq!(
        Value::Object(attributes),
        json!({
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "Test_User_00aa",
            "active": true,
            "emails": [{"primary": true, "type": "work", "value": "Test_User_11bb@testuser.com"}],
            "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
        })
    );
}

#[test]
fn explicit_nulls_and_a_misspelt_urn_do_no_harm() {
    let attributes = user(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
        "userName": "UserName123", "addresses": null, "phoneNumbers": null, "preferredLanguage": null, "title": null,
        "department": null, "manager": null, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User": null
    }));
    assert_eq!(Value::Object(attributes), json!({"userName": "UserName123"}));
}

#[test]
fn the_private_group_schema_is_taken_and_dropped() {
    let body = json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
        ],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "displayName": "displayName",
        "meta": {"resourceType": "Group"}
    });
    let group = resource::canonicalise(body, &GROUP_TYPE, 10).expect("a group");
    assert_eq!(group.members, None, "the body does not say who is in it");
    assert_eq!(
        GROUP_TYPE.schema_urns(&group.attributes),
        ["urn:ietf:params:scim:schemas:core:2.0:Group"]
    );
}

fn ann() -> Value {
    json!({
        "userName": "ann@contoso.com", "displayName": "Ann", "active": true,
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [
            {"type": "work", "value": "ann@contoso.com", "primary": true},
            {"type": "home", "value": "ann@home.example"}
        ]
    })
}

#[test]
fn one_operation_for_each_attribute() {
    let after = patched(
        ann(),
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
            {"op": "Replace", "path": "displayName", "value": "Pvlo"},
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@test.example"},
            {"op": "Replace", "path": "name.givenName", "value": "Gtfd"},
            {"op": "Replace", "path": "externalId", "value": "Eqpj"},
            {"op": "Add", "path": "nickName", "value": "Babs"},
            {"op": "Replace", "path": format!("{ENTERPRISE}:employeeNumber"), "value": "Eqpj"}
        ]}),
    );
    assert_eq!(
        after,
        json!({
            "userName": "ann@contoso.com", "displayName": "Pvlo", "active": true,
            "name": {"givenName": "Gtfd", "familyName": "Lee"},
            "emails": [
                {"type": "work", "value": "a@test.example", "primary": true},
                {"type": "home", "value": "ann@home.example"}
            ],
            "externalId": "Eqpj", "nickName": "Babs", (ENTERPRISE): {"employeeNumber": "Eqpj"}
        })
    );
}

#[test]
fn flattened_keys_without_a_path() {
    for op in ["replace", "add"] {
        let after = patched(
            ann(),
            json!({"Operations": [
                {"op": op, "path": "emails[type eq \"work\"].value", "value": "b@test.example"},
                {"op": op, "value": {
                    "displayName": "Bjfe", "name.givenName": "Kkom", "name.familyName": "Unua",
                    format!("{ENTERPRISE}:employeeNumber"): "Aklq",
                    format!("{ENTERPRISE}:manager.value"): "u2",
                    "urn:example:2.0:User:tag": "x"
                }}
            ]}),
        );
        assert_eq!(
            after["name"],
            json!({"givenName": "Kkom", "familyName": "Unua"}),
            "{op}"
        );
        assert_eq!(after["emails"][0]["value"], "b@test.example");
        assert_eq!(
            after[ENTERPRISE],
            json!({"employeeNumber": "Aklq", "manager": {"value": "u2"}})
        );
        assert_eq!(after["urn:example:2.0:User"], json!({"tag": "x"}));
    }
}

#[test]
fn an_address_that_is_not_there_is_made_once() {
    for op in ["Add", "Replace", "add", "replace"] {
        let after = patched(
            json!({"userName": "ann", "addresses": [{"type": "home", "locality": "Bern"}]}),
            json!({"Operations": [
                {"op": op, "path": "emails[type eq \"work\"].value", "value": "ann@contoso.com"},
                {"op": op, "path": "addresses[type eq \"work\"].formatted", "value": "1 Main St"},
                {"op": op, "path": "addresses[type eq \"work\"].locality", "value": "Zurich"},
                {"op": op, "path": "addresses[type eq \"work\"].region", "value": "ZH"},
                {"op": op, "path": "emails[type eq \"other\"].Value", "value": "ann@other.example"},
                {"op": op, "path": "roles[primary eq \"True\"].value", "value": "auditor"}
            ]}),
        );
        assert_eq!(
            after,
            json!({
                "userName": "ann",
                "addresses": [
                    {"type": "home", "locality": "Bern"},
                    {"type": "work", "formatted": "1 Main St", "locality": "Zurich", "region": "ZH"}
                ],
                "emails": [
                    {"type": "work", "value": "ann@contoso.com"}, {"type": "other", "value": "ann@other.example"}
                ],
                "roles": [{"primary": true, "value": "auditor"}]
            }),
            "{op}"
        );
    }
}

#[test]
fn booleans_come_as_text() {
    for (op, value, active) in [
        ("Replace", json!("False"), false),
        ("Replace", json!("True"), true),
        ("replace", json!(false), false),
        ("Add", json!("false"), false),
        ("Add", json!("TRUE"), true),
    ] {
        let after = patched(
            ann(),
            json!({"Operations": [{"op": op, "path": "active", "value": value}]}),
        );
        assert_eq!(after["active"], active, "{op}");
    }
}

#[test]
fn a_single_value_comes_in_an_array() {
    let after = patched(
        ann(),
        json!({"Operations": [
            {"op": "Replace", "path": "displayName", "value": [{"$ref": null, "value": "Ann Lee"}]},
            {"op": "Replace", "path": "active", "value": [{"$ref": null, "value": "False"}]}
        ]}),
    );
    assert_eq!(
        (&after["displayName"], &after["active"]),
        (&json!("Ann Lee"), &json!(false))
    );
}

#[test]
fn a_role_with_json_in_its_text_is_kept_as_text() {
    let role = "{\"id\":\"1\",\"value\":\"25\",\"displayName\":\"Role1234\"}";
    let after = patched(
        ann(),
        json!({"Operations": [{"op": "Add", "path": "roles", "value": [{"value": role}]}]}),
    );
    assert_eq!(after["roles"], json!([{"value": role}]));
}

#[test]
fn a_manager_comes_in_every_shape() {
    let manager = format!("{ENTERPRISE}:manager");
    for (path, value) in [
        (manager.as_str(), json!("u2")),
        (manager.as_str(), json!({"value": "u2"})),
        (manager.as_str(), json!([{"$ref": null, "value": "u2"}])),
        ("manager", json!([{"value": "u2"}])),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.manager",
            json!("u2"),
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
            json!("u2"),
        ),
        (ENTERPRISE, json!({"manager": "u2"})),
    ] {
        for op in ["Add", "replace"] {
            let body = json!({"Operations": [{"op": op, "path": path, "value": value}]});
            assert_eq!(
                patched(ann(), body)[ENTERPRISE]["manager"],
                json!({"value": "u2"}),
                "{op} {path} {value}"
            );
        }
    }
    let posted = user(json!({"userName": "ann", (ENTERPRISE): {"manager": "u2"}}));
    assert_eq!(posted[ENTERPRISE]["manager"], json!({"value": "u2"}));
}

#[test]
fn an_empty_manager_is_none() {
    let before = json!({
        "userName": "ann",
        (ENTERPRISE): {"manager": {"value": "u1", "$ref": "https://x.example/Users/u1"}, "department": "IT"}
    });
    for value in [json!(""), json!(null), json!({"value": ""}), json!([]), json!({})] {
        let is_unspecific = value == json!({});
        let body = json!({"Operations": [{"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": value}]});
        let after = patched(before.clone(), body);
        assert_eq!(
            after[ENTERPRISE].get("manager").is_some(),
            is_unspecific,
            "{value}"
        );
        assert_eq!(after[ENTERPRISE]["department"], "IT");
    }
    let body =
        json!({"Operations": [{"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": "u2"}]});
    assert_eq!(
        patched(before, body)[ENTERPRISE]["manager"],
        json!({"value": "u2"}),
        "the old reference goes"
    );
}

#[test]
fn values_are_cleared_by_empty_text_and_by_null() {
    for value in [json!(""), json!(null)] {
        for op in ["add", "replace"] {
            let body = json!({"Operations": [{"op": op, "path": "displayName", "value": value}]});
            assert!(patched(ann(), body).get("displayName").is_none(), "{op} {value}");
        }
    }
}

#[test]
fn members_are_added() {
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        {"op": "Add", "path": "members", "value": [{"$ref": null, "value": "u1"}]}
    ]});
    assert_eq!(deltas(body), [MemberDelta::Add(members(&["u1"]))]);
}

#[test]
fn members_are_removed_in_both_forms() {
    for body in [
        json!({"Operations": [{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u1"}]}]}),
        json!({"Operations": [{"op": "remove", "path": "members[value eq \"u1\"]"}]}),
    ] {
        assert_eq!(deltas(body), [MemberDelta::Remove(ids(&["u1"]))]);
    }
}

#[test]
fn a_thousand_operations_make_one_list() {
    let operations: Vec<Value> = (0..1000)
        .map(|n| json!({"op": "Add", "path": "members", "value": [{"value": format!("u{n}")}]}))
        .collect();
    let deltas = deltas(json!({"Operations": operations}));
    assert!(matches!(deltas.as_slice(), [MemberDelta::Add(members)] if members.len() == 1000));
}

#[test]
fn a_patch_without_operations_asks_for_nothing() {
    let mut ann = object(ann());
    assert!(!patch_user(&mut ann, &json!({"Operations": []})).expect("nothing to refuse"));
}

#[test]
fn reference_probes_need_no_evaluation() {
    for (text, resource_type) in [
        (
            "id eq 2819c223 and manager eq 26118915-6090-4610-87e4-49d8ca9f808d",
            &USER_TYPE,
        ),
        (
            "id eq 2819c223 and members eq 26118915-6090-4610-87e4-49d8ca9f808d",
            &GROUP_TYPE,
        ),
    ] {
        let filter: usher_scim::Filter = text.parse().expect(text);
        assert_eq!(filter.lookup(resource_type).expect(text).residual, None, "{text}");
    }
}
