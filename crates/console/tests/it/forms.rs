//! What forms send becomes calls of the API, and what the API refuses is told on the page.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::json;
use usher_core::Role;

use crate::canned::{CSRF, Canned, get, post, send};

const DRAFT: &str = "018f3a00-0000-7000-8000-000000000001";
const SUBMITTED: &str = "018f3a00-0000-7000-8000-000000000002";
const READY: &str = "018f3a00-0000-7000-8000-000000000004";
const HOLD: &str = "018f3a00-0000-7000-8000-000000000501";
const RESTORE: &str = "018f3a00-0000-7000-8000-000000000701";

#[tokio::test]
async fn an_order_is_made_of_what_was_typed_and_once() {
    let order = canned_order(DRAFT);
    let canned = Arc::new(Canned::new().with("POST /orders", 201, order));
    let fields = [
        ("room_name", " Risk Committee "),
        ("administrator", "anna@contoso.com"),
        ("group", "GRP-Risk"),
        ("expected", "12"),
        ("features", "Voting\r\nSigning"),
        ("all_content", "yes"),
        ("model", "open"),
        ("requester", "rita@contoso.com"),
    ];
    let shown = post(&canned, Role::It, "/orders", &fields).await;
    assert_eq!(shown.status, 303, "{}", shown.text);
    assert_eq!(
        shown.headers["location"],
        format!("/orders/{DRAFT}?done=order-made")
    );
    let calls = canned.calls();
    let (call, body) = calls.last().expect("a call");
    assert_eq!(call, "POST /orders");
    assert_eq!(
        *body,
        json!({
            "room_name": "Risk Committee", "administrator": "anna@contoso.com", "group": "GRP-Risk", "model": "open",
            "requester": "rita@contoso.com", "all_content": true, "features": ["Voting", "Signing"], "expected": 12,
        })
    );
    assert_eq!(canned.last_key().as_deref(), Some("0123456789abcdef0123"));
}

#[tokio::test]
async fn what_was_typed_stays_when_the_order_is_refused() {
    let problem = json!({
        "title": "Something is not as it should be", "status": 422, "code": "invalid", "field": "group",
        "detail": "'<b>' is no object id", "next": "copy the GUID from the group's page",
    });
    let canned = Arc::new(Canned::new().with("POST /orders", 422, problem));
    let shown = post(
        &canned,
        Role::Requester,
        "/orders",
        &[("room_name", "Mine & yours"), ("group", "<b>")],
    )
    .await;
    assert_eq!(shown.status, 422);
    for part in [
        "Copy the GUID from the group&#39;s page.",
        "value=\"Mine &#38; yours\"",
        "href=\"#field-group\"",
        "aria-invalid=\"true\"",
    ] {
        assert!(shown.text.contains(part), "{part} is not in {}", shown.text);
    }
    assert!(!shown.text.contains("<b>"));
    let (_, body) = canned
        .calls()
        .into_iter()
        .find(|(call, _)| call == "POST /orders")
        .expect("a call");
    assert!(
        body.get("requester").is_none(),
        "a requester orders for themselves: {body}"
    );
}

#[tokio::test]
async fn a_logo_that_is_refused_leaves_the_order_and_says_why() {
    let problem = json!({
        "title": "Something is not as it should be", "status": 422, "code": "invalid", "field": "logo",
        "detail": "is no PNG, JPEG or SVG",
    });
    let canned = Canned::new().with("POST /orders", 201, canned_order(DRAFT)).with(
        &format!("PUT /orders/{DRAFT}/logo"),
        422,
        problem,
    );
    let canned = Arc::new(canned);
    let part = |name: &str, more: &str, value: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n")
    };
    let body = [
        part("csrf", "", CSRF),
        part("room_name", "", "Risk Committee"),
        part("logo", "; filename=\"../../etc/passwd\"", "GIF89a"),
        "--edge--\r\n".to_owned(),
    ];
    let request = Request::post("/orders")
        .header("content-type", "multipart/form-data; boundary=edge")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(body.concat()))
        .expect("a request");
    let shown = send(&canned, Some(Role::It), request).await;
    assert_eq!(shown.status, 422, "{}", shown.text);
    assert!(shown.text.contains("Is no PNG, JPEG or SVG.") && shown.text.contains("Send the order"));
}

#[tokio::test]
async fn checking_makes_no_order() {
    let canned = Arc::new(Canned::new());
    let fields = [
        ("room_name", "Board"),
        ("group", "x"),
        ("expected", "3"),
        ("check", "yes"),
    ];
    let shown = post(&canned, Role::It, "/orders", &fields).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(shown.text.contains("The name is free.") && shown.text.contains("To mend"));
    let calls = canned.calls();
    let (_, body) = calls
        .iter()
        .find(|(call, _)| call == "POST /order-check")
        .expect("a check");
    assert_eq!(
        *body,
        json!({ "room_name": "Board", "group": "x", "expected": 3 })
    );
    assert!(calls.iter().all(|(call, _)| call != "POST /orders"));
}

#[tokio::test]
async fn a_plan_that_changed_is_shown_anew_with_its_digest() {
    let problem = json!({
        "title": "The plan has changed", "status": 409, "code": "plan_changed", "digest": "another",
        "detail": "what would happen has changed since this plan was shown",
    });
    let canned = Arc::new(Canned::new().with(&format!("POST /orders/{READY}/confirm"), 409, problem));
    let path = format!("/orders/{READY}/confirm");
    let shown = post(&canned, Role::Support, &path, &[("digest", "stale")]).await;
    assert_eq!(shown.status, 409);
    assert!(
        shown
            .text
            .contains("What would happen has changed since this plan was shown.")
    );
    assert!(
        shown.text.contains("name=\"digest\" value=\"d1gest\""),
        "{}",
        shown.text
    );
    assert_eq!(canned.calls()[0].1, json!({ "digest": "stale" }));
}

#[tokio::test]
async fn a_set_up_user_who_was_refused_is_still_in_the_form() {
    let canned = Arc::new(Canned::new());
    let path = format!("/orders/{SUBMITTED}/accept");
    let fields = [
        ("name", "Sam Setup"),
        ("email", "sam@vendor.example"),
        ("rejoin", "auto"),
        ("rejoin_days", "soon"),
    ];
    let shown = post(&canned, Role::Support, &path, &fields).await;
    assert_eq!(shown.status, 422);
    assert!(
        shown.text.contains("value=\"Sam Setup\"") && shown.text.contains("value=\"sam@vendor.example\"")
    );
    let no_accept = canned.calls().iter().all(|(call, _)| !call.ends_with("/accept"));
    assert!(no_accept, "days that are no number reached the API");
}

#[tokio::test]
async fn a_hold_is_decided_by_its_digest() {
    let canned = Arc::new(Canned::new().with(&format!("POST /holds/{HOLD}/approve"), 200, json!({})));
    let path = format!("/holds/{HOLD}/approve");
    let shown = post(
        &canned,
        Role::It,
        &path,
        &[("digest", "h0ld"), ("reason", "reorganised")],
    )
    .await;
    assert_eq!(
        shown.headers["location"],
        format!("/holds/{HOLD}?done=hold-approved")
    );
    assert_eq!(
        canned.calls()[0].1,
        json!({ "digest": "h0ld", "reason": "reorganised" })
    );
    let shown = get(&canned, Role::It, &format!("/holds/{HOLD}?done=hold-approved")).await;
    assert!(shown.text.contains("Approved: what was held happens now."));
}

#[tokio::test]
async fn a_hold_shows_its_people_in_pages_and_counts_all() {
    let canned = Arc::new(Canned::new());
    let shown = get(&canned, Role::It, &format!("/holds/{HOLD}?cursor=behind-anna")).await;
    assert_eq!(
        canned.calls()[0].0,
        format!("GET /holds/{HOLD}?limit=200&cursor=behind-anna")
    );
    assert!(shown.text.contains("Decide about these 42 people"));
    assert!(
        shown
            .text
            .contains(&format!("href=\"/holds/{HOLD}?cursor=behind-ben\""))
    );
    assert!(shown.text.contains("First page"));
}

#[tokio::test]
async fn a_restore_drops_what_is_not_ticked() {
    let canned = Arc::new(Canned::new().with(&format!("POST /restores/{RESTORE}/apply"), 200, json!({})));
    let candidate = "018f3a00-0000-7000-8000-000000000612";
    let fields = [
        ("candidate", candidate),
        ("digest", "r3store"),
        ("item[]", "one"),
        ("item[]", "two"),
        ("keep[]", "two"),
        ("confirm_level", "yes"),
        ("level", ""),
    ];
    let shown = post(
        &canned,
        Role::Support,
        &format!("/restores/{RESTORE}/apply"),
        &fields,
    )
    .await;
    assert_eq!(shown.status, 303, "{}", shown.text);
    assert_eq!(
        canned.calls()[0].1,
        json!({ "candidate": candidate, "digest": "r3store", "drop": ["one"], "confirm_level": true })
    );
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_told_and_not_blamed_on_the_reader() {
    let canned = Arc::new(Canned::new().with("GET /orders", 500, json!("no problem document")));
    let shown = get(&canned, Role::It, "/orders").await;
    assert_eq!(shown.status, 502);
    assert!(
        shown.text.contains("did not answer as expected"),
        "{}",
        shown.text
    );
    let shown = get(&canned, Role::It, "/orders/018f3a00-0000-7000-8000-999999999999").await;
    assert_eq!(shown.status, 404);
}

fn canned_order(id: &str) -> serde_json::Value {
    let text = include_str!("canned.json");
    let all: serde_json::Value = serde_json::from_str(text).expect("JSON");
    all[format!("GET /orders/{id}")].clone()
}
