//! Requests as Okta documents them (developer.okta.com/docs/api/openapi/okta-scim and the SCIM guides) and as third
//! parties saw them.

use serde_json::{Value, json};
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{MemberDelta, MemberRef, resource};

use crate::support::{deltas, group, ids, members, object, parse, patched, user};

#[test]
fn the_documented_user_is_read_without_its_password() {
    let attributes = user(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "test.user@okta.local",
        "name": {"givenName": "Test", "middleName": "", "familyName": "User"},
        "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work"}],
        "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [], "password": "1mz050nq", "active": true
    }));
    assert_eq!(
        Value::Object(attributes),
        json!({
            "userName": "test.user@okta.local",
            "name": {"givenName": "Test", "familyName": "User"},
            "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work"}],
            "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7", "active": true
        })
    );
}

#[test]
fn a_put_echoes_what_the_server_wrote() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "u1",
        "meta": {"resourceType": "User", "location": "https://elsewhere.example/u1"},
        "userName": "ann", "groups": [{"value": "g1", "display": "Board"}], "title": "", "active": false
    });
    assert_eq!(
        Value::Object(user(body)),
        json!({"userName": "ann", "active": false})
    );
}

#[test]
fn deactivation_has_no_path() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": {"active": false}}]
    });
    assert_eq!(
        patched(json!({"userName": "ann", "active": true}), body)["active"],
        false
    );
}

#[test]
fn a_password_changes_nothing_and_is_not_kept() {
    for operation in [
        json!({"op": "replace", "value": {"password": "tOps3cret"}}),
        json!({"op": "replace", "path": "password", "value": "tOps3cret"}),
        json!({"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User:password": "tOps3cret"}}),
        json!({"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User": {"PassWord": "tOps3cret"}}}),
    ] {
        let patch = parse(&json!({"Operations": [operation]}), &USER_TYPE).expect("accepted");
        let mut ann = object(json!({"userName": "ann"}));
        assert!(!patch.apply(&mut ann).expect("accepted").changed, "{operation}");
        assert!(!format!("{patch:?}{ann:?}").contains("tOps3cret"), "{operation}");
    }
}

#[test]
fn a_rename_holds_an_id_and_touches_no_member() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": {"id": "abf4dd94", "displayName": "Test SCIMv2"}}]
    });
    let patch = parse(&body, &GROUP_TYPE).expect("a rename");
    let mut board = group(json!({"displayName": "Board"}));
    let outcome = patch.apply(&mut board).expect("a rename");
    assert!(outcome.changed && outcome.members.is_empty());
    assert_eq!(
        Value::Object(board.clone()),
        json!({"displayName": "Test SCIMv2"})
    );
    assert!(
        !patch.apply(&mut board).expect("again").changed,
        "it is sent before every change of members"
    );
}

#[test]
fn one_request_removes_and_adds() {
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        {"op": "remove", "path": "members[value eq \"89bb1940-b905-4575-9e7f-6f887cfb368e\"]"},
        {"op": "add", "path": "members", "value": [{"value": "23a35c27", "display": "test.user@okta.local"}]}
    ]});
    let joined = MemberRef {
        display: Some("test.user@okta.local".into()),
        ..MemberRef::new("23a35c27")
    };
    assert_eq!(
        deltas(body),
        [
            MemberDelta::Remove(ids(&["89bb1940-b905-4575-9e7f-6f887cfb368e"])),
            MemberDelta::Add(vec![joined])
        ]
    );
}

#[test]
fn push_now_replaces_all_members() {
    for (value, expected) in [
        (json!([{"value": "u1"}, {"value": "u2"}]), vec!["u1", "u2"]),
        (json!([]), vec![]),
    ] {
        for operation in [
            json!({"op": "replace", "path": "members", "value": value}),
            json!({"op": "replace", "value": {"members": value, "id": "g1", "displayName": "Board"}}),
        ] {
            let body = json!({"Operations": [operation]});
            assert_eq!(
                deltas(body),
                [MemberDelta::ReplaceAll(members(&expected))],
                "{operation}"
            );
        }
    }
}

#[test]
fn a_put_of_a_group_says_who_is_in_it() {
    for (listed, expected) in [
        (json!([]), Some(members(&[]))),
        (
            json!([{"value": "u1", "display": null}, {"value": "u1"}]),
            Some(members(&["u1"])),
        ),
        (Value::Null, Some(members(&[]))),
    ] {
        let body = json!({"schemas": [], "id": "g1", "displayName": "Board", "members": listed});
        assert_eq!(
            resource::canonicalise(body, &GROUP_TYPE, 10)
                .expect("a group")
                .members,
            expected,
            "{listed}"
        );
    }
}

#[test]
fn an_extension_from_an_older_app_is_kept_as_it_came() {
    let board = group(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", "urn:okta:custom:group:1.0"],
        "displayName": "Board", "urn:okta:custom:group:1.0": {"description": "The board"}
    }));
    assert_eq!(board["urn:okta:custom:group:1.0"]["description"], "The board");
    assert_eq!(
        GROUP_TYPE.schema_urns(&board),
        [
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            "urn:okta:custom:group:1.0"
        ]
    );
}
