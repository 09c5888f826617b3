//! What other clients send: authentik, JumpCloud, OneLogin, Keycloak's extensions, PingOne, and validators.

use serde_json::{Value, json};
use usher_scim::MemberDelta;
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};

use crate::support::{ENTERPRISE, deltas, group, ids, members, parse, patched, user};

#[test]
fn authentik_replaces_what_the_server_writes_itself() {
    let body = json!({"Operations": [{"op": "replace", "value": {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": "g1", "externalId": "a1",
        "displayName": "Board"
    }}]});
    let patch = parse(&body, &GROUP_TYPE).expect("a rename");
    let mut board = group(json!({"displayName": "Old"}));
    assert!(patch.apply(&mut board).expect("a rename").changed);
    assert_eq!(
        Value::Object(board),
        json!({"displayName": "Board", "externalId": "a1"})
    );
    assert!(patch.member_deltas().is_empty());
}

#[test]
fn authentik_and_jumpcloud_remove_members_by_value() {
    let body = json!({"Operations": [
        {"op": "add", "path": "members", "value": [{"value": "u1"}]},
        {"op": "add", "path": "members", "value": [{"value": "u2"}]},
        {"op": "remove", "path": "members", "value": [{"value": "u3"}, {"value": "u4"}]}
    ]});
    assert_eq!(
        deltas(body),
        [
            MemberDelta::Remove(ids(&["u3", "u4"])),
            MemberDelta::Add(members(&["u1", "u2"]))
        ]
    );
}

#[test]
fn onelogin_sends_a_template() {
    let attributes = user(json!({
        "schemas": ["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"],
        "id": null, "userName": "ann", "active": "true", "nickName": "", "meta": {"created": ""},
        "emails": {"value": "ann@contoso.com", "type": "work", "primary": "true"},
        "urn:scim:schemas:extension:enterprise:2.0": {"department": "IT", "manager": {"value": ""}}
    }));
    assert_eq!(
        Value::Object(attributes),
        json!({
            "userName": "ann", "active": true,
            "emails": [{"value": "ann@contoso.com", "type": "work", "primary": true}],
            (ENTERPRISE): {"department": "IT"}
        })
    );
}

#[test]
fn keycloak_sends_every_attribute_empty() {
    let attributes = user(json!({
        "userName": "ann", "active": "true", "emails": [], "phoneNumbers": [], "ims": [], "photos": [], "addresses": [],
        "groups": [], "entitlements": [], "roles": [], "x509Certificates": [], "name": {"familyName": "", "givenName": null}
    }));
    assert_eq!(
        Value::Object(attributes),
        json!({"userName": "ann", "active": true})
    );
}

#[test]
fn pingone_sends_two_primary_addresses() {
    let attributes = user(json!({"userName": "ann", "emails": [
        {"value": "ann@contoso.com", "type": "work", "primary": true},
        {"value": "ann@contoso.com", "type": "home", "primary": true}
    ]}));
    assert_eq!(attributes["emails"][0]["primary"], true);
    assert_eq!(
        attributes["emails"][1]["primary"], false,
        "one value is primary, the first"
    );
}

#[test]
fn validators_spell_names_as_they_like() {
    let attributes = user(json!({
        "SCHEMAS": ["URN:IETF:PARAMS:SCIM:SCHEMAS:CORE:2.0:USER"], "UserName": "ann", "Active": true,
        "NAME": {"GivenName": "Ann"}, "Emails": [{"Value": "a@b.example", "TYPE": "work"}],
        "URN:ietf:params:scim:schemas:extension:Enterprise:2.0:user": {"Department": "IT"}
    }));
    assert_eq!(
        Value::Object(attributes),
        json!({
            "userName": "ann", "active": true, "name": {"givenName": "Ann"},
            "emails": [{"value": "a@b.example", "type": "work"}], (ENTERPRISE): {"department": "IT"}
        })
    );
}

#[test]
fn operations_are_read_whatever_their_letter_case() {
    let body = json!({"operations": [{"OP": "REPLACE", "Path": "DISPLAYNAME", "Value": "Ann"}]});
    assert_eq!(patched(json!({"userName": "ann"}), body)["displayName"], "Ann");
    let attributes = parse(
        &json!({"Operations": [{"op": "add", "path": "", "value": {"title": "Dr"}}]}),
        &USER_TYPE,
    );
    assert!(attributes.is_ok(), "an empty path is no path");
}

#[test]
fn the_last_word_about_a_member_counts() {
    let body = json!({"Operations": [
        {"op": "add", "path": "members", "value": [{"value": "u1"}, {"value": "u2"}]},
        {"op": "remove", "path": "members[value eq \"u1\"]"},
        {"op": "remove", "path": "members[value eq \"u3\" or value eq \"u4\"]"},
        {"op": "add", "path": "members", "value": {"value": "u3"}}
    ]});
    assert_eq!(
        deltas(body),
        [
            MemberDelta::Remove(ids(&["u1", "u4"])),
            MemberDelta::Add(members(&["u2", "u3"]))
        ]
    );
}

#[test]
fn what_comes_before_a_replace_no_longer_matters() {
    let body = json!({"Operations": [
        {"op": "add", "path": "members", "value": [{"value": "u1"}]},
        {"op": "replace", "path": "members", "value": [{"value": "u2"}]},
        {"op": "add", "path": "members", "value": [{"value": "u3"}]},
        {"op": "remove", "path": "members", "value": [{"value": "u2"}]}
    ]});
    assert_eq!(deltas(body), [MemberDelta::ReplaceAll(members(&["u3"]))]);
    let body = json!({"Operations": [
        {"op": "add", "path": "members", "value": [{"value": "u1"}]}, {"op": "remove", "path": "members"}
    ]});
    assert_eq!(deltas(body), [MemberDelta::RemoveAll]);
}

#[test]
fn a_filter_that_is_no_list_of_ids_stays_in_its_place() {
    let body = json!({"Operations": [
        {"op": "add", "path": "members", "value": [{"value": "u1"}]},
        {"op": "remove", "path": "members[type eq \"Group\"]"},
        {"op": "add", "path": "members", "value": [{"value": "g1", "type": "Group"}]}
    ]});
    let deltas = deltas(body);
    assert!(matches!(
        deltas.as_slice(),
        [
            MemberDelta::Add(_),
            MemberDelta::RemoveWhere(_),
            MemberDelta::Add(_)
        ]
    ));
}
