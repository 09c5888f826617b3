//! Bulk requests against a server that only counts.

use serde_json::{Value, json};
use usher_scim::bulk::{BulkCall, BulkLimits, BulkMethod, BulkOutcome, BulkRequest};
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{ScimError, ScimType};

use crate::support::refusal;

fn parse(body: &Value) -> Result<BulkRequest, ScimError> {
    BulkRequest::parse(
        body.clone(),
        &[&USER_TYPE, &GROUP_TYPE],
        &BulkLimits { operations: 10 },
    )
}

/// Performs a request. `fails` decides which calls do not work. Returns the calls in one line each, and the answer.
fn run(body: &Value, fails: impl Fn(&BulkCall) -> bool) -> (Vec<String>, Value) {
    let mut run = parse(body).expect("a bulk request").start();
    let mut calls = Vec::new();
    while let Some(call) = run.next_call() {
        calls.push(format!(
            "{} {}{} {}",
            call.method.as_str(),
            call.resource_type.endpoint,
            call.id.as_ref().map(|id| format!("/{id}")).unwrap_or_default(),
            call.data.as_ref().map(Value::to_string).unwrap_or_default()
        ));
        if fails(&call) {
            run.record(BulkOutcome::failure(ScimError::uniqueness("taken"), None));
            continue;
        }
        let id = call.id.clone().unwrap_or_else(|| format!("id{}", calls.len()));
        let location = format!("https://scim.example/v2{}/{id}", call.resource_type.endpoint);
        let status = if call.method == BulkMethod::Post { 201 } else { 200 };
        run.record(
            BulkOutcome::success(status)
                .with_id(id)
                .with_location(location)
                .with_version("W/\"1\""),
        );
    }
    (calls, run.finish())
}

fn statuses(answer: &Value) -> Vec<&str> {
    answer["Operations"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| entry["status"].as_str())
        .collect()
}

#[test]
fn what_is_referred_to_is_made_first() {
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "G", "members": [{"value": "bulkId:u"}]}},
        {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [{"op": "remove", "path": "members[value eq \"bulkId:u\"]"}]}},
        {"method": "post", "path": "/Users", "bulkId": "u", "data": {"userName": "u"}},
        {"method": "DELETE", "path": "/Users/old", "version": "W/\"9\""}
    ]});
    let (calls, answer) = run(&body, |_| false);
    assert_eq!(
        calls,
        [
            "POST /Users {\"userName\":\"u\"}",
            "POST /Groups {\"displayName\":\"G\",\"members\":[{\"value\":\"id1\"}]}",
            "PATCH /Groups/id2 {\"Operations\":[{\"op\":\"remove\",\"path\":\"members[value eq \\\"id1\\\"]\"}]}",
            "DELETE /Users/old ",
        ]
    );
    assert_eq!(statuses(&answer), ["201", "200", "201", "200"]);
    assert_eq!(
        answer["Operations"][0]["bulkId"], "g",
        "the answer keeps the order of the request"
    );
    assert_eq!(
        answer["Operations"][0]["location"],
        "https://scim.example/v2/Groups/id2"
    );
}

#[test]
fn groups_may_be_members_of_each_other() {
    let body = json!({"Operations": [
        {"method": "POST", "path": "/Groups", "bulkId": "a", "data": {"displayName": "A", "members": [{"value": "bulkId:b"}]}},
        {"method": "POST", "path": "/Groups", "bulkId": "b", "data": {"displayName": "B", "members": [{"value": "bulkId:a"}, {"value": "u1"}]}}
    ]});
    let (calls, answer) = run(&body, |_| false);
    assert_eq!(
        calls,
        [
            "POST /Groups {\"displayName\":\"B\",\"members\":[{\"value\":\"u1\"}]}",
            "POST /Groups {\"displayName\":\"A\",\"members\":[{\"value\":\"id1\"}]}",
            "PATCH /Groups/id1 {\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\
             \"Operations\":[{\"op\":\"add\",\"path\":\"members\",\"value\":[{\"value\":\"id2\"}]}]}",
        ]
    );
    assert_eq!(statuses(&answer), ["201", "201"]);
}

#[test]
fn what_cannot_be_resolved_is_a_conflict() {
    let body = json!({"Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": "u"}},
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "G", "members": [{"value": "bulkId:u"}]}},
        {"method": "DELETE", "path": "/Users/bulkId:nobody"}
    ]});
    let (calls, answer) = run(&body, |call| call.resource_type.name == "User");
    assert_eq!(calls.len(), 1, "only the user was tried");
    assert_eq!(statuses(&answer), ["409", "409", "409"]);
    assert_eq!(answer["Operations"][0]["response"]["scimType"], "uniqueness");
    assert!(answer["Operations"][0].get("location").is_none());
}

#[test]
fn a_circle_with_a_failed_member_is_reported() {
    let body = json!({"Operations": [
        {"method": "POST", "path": "/Groups", "bulkId": "a", "data": {"displayName": "A", "members": [{"value": "bulkId:b"}]}},
        {"method": "POST", "path": "/Groups", "bulkId": "b", "data": {"displayName": "B", "members": [{"value": "bulkId:a"}]}}
    ]});
    let is_a = |call: &BulkCall| call.data.as_ref().is_some_and(|data| data["displayName"] == "A");
    let (_, answer) = run(&body, is_a);
    assert_eq!(
        statuses(&answer),
        ["409", "409"],
        "B was made, but its member never came"
    );
}

#[test]
fn errors_stop_the_request_where_it_says_so() {
    let post = |id: &str| json!({"method": "POST", "path": "/Users", "bulkId": id, "data": {"userName": id}});
    let body = json!({"failOnErrors": 2, "Operations": [post("a"), post("b"), post("c"), post("d")]});
    let (calls, answer) = run(&body, |_| true);
    assert_eq!(calls.len(), 2);
    assert_eq!(
        statuses(&answer),
        ["409", "409"],
        "what was not tried is not in the answer"
    );
}

#[test]
fn a_long_chain_of_references_is_followed() {
    let limits = BulkLimits { operations: 5000 };
    let operations: Vec<Value> = (0..5000)
        .map(|n| {
            json!({"method": "POST", "path": "/Groups", "bulkId": format!("g{n}"),
            "data": {"displayName": "G", "members": [{"value": format!("bulkId:g{}", n + 1)}]}})
        })
        .collect();
    let request =
        BulkRequest::parse(json!({"Operations": operations}), &[&GROUP_TYPE], &limits).expect("a request");
    let mut run = request.start();
    assert!(
        run.next_call().is_none(),
        "the last refers to nobody, so all of them do"
    );
    assert_eq!(run.finish()["Operations"][0]["status"], "409");
}

#[test]
fn malformed_requests_are_refused_as_a_whole() {
    use ScimType::{InvalidSyntax, InvalidValue};
    let with = |operation: Value| json!({"Operations": [operation]});
    let cases = [
        (json!([]), InvalidSyntax),
        (json!({}), InvalidSyntax),
        (json!({"Operations": [], "failOnErrors": 0}), InvalidValue),
        (json!({"Operations": [], "failOnErrors": "one"}), InvalidValue),
        (with(json!(5)), InvalidSyntax),
        (with(json!({"path": "/Users"})), InvalidSyntax),
        (with(json!({"method": "GET", "path": "/Users/u"})), InvalidSyntax),
        (with(json!({"method": "DELETE"})), InvalidSyntax),
        (with(json!({"method": "DELETE", "path": "/Users"})), InvalidValue),
        (
            with(json!({"method": "DELETE", "path": "/Rooms/r"})),
            InvalidValue,
        ),
        (
            with(json!({"method": "DELETE", "path": "/Usersx/r"})),
            InvalidValue,
        ),
        (
            with(json!({"method": "DELETE", "path": "/Users/r/x"})),
            InvalidValue,
        ),
        (
            with(json!({"method": "POST", "path": "/Users", "data": {}})),
            InvalidValue,
        ),
        (
            with(json!({"method": "POST", "path": "/Users", "bulkId": "a"})),
            InvalidValue,
        ),
        (
            with(json!({"method": "POST", "path": "/Users/u", "bulkId": "a", "data": {}})),
            InvalidValue,
        ),
        (with(json!({"method": "PUT", "path": "/Users/u"})), InvalidValue),
        (
            with(json!({"method": "PUT", "path": "/Users/u", "data": {}, "bulkId": 5})),
            InvalidSyntax,
        ),
        (
            json!({"Operations": [
                {"method": "POST", "path": "/Users", "bulkId": "a", "data": {}},
                {"method": "POST", "path": "/Users", "bulkId": "a", "data": {}}
            ]}),
            InvalidValue,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(refusal(parse(&body), &body), expected, "{body}");
    }
    let many = json!({"Operations": vec![json!({}); 11]});
    assert_eq!(parse(&many).err().map(|error| error.status), Some(413));
}
