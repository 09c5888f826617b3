//! The API. Every answer in these tests is held against the API's own description.

mod cli;
mod description;
mod finding;
mod holds;
mod idempotency;
mod orders;
mod overview;
mod problems;
mod reading;
mod restores;
mod roles;
mod schema;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use usher_core::Role;
use usher_engine::{Actor, Cause};
use usher_server::access::{Purpose, TokenRequest, issue_token};

use crate::world::World;

/// Somebody with a token of some role.
pub(crate) struct Api<'w> {
    pub(crate) world: &'w World,
    token: String,
}

/// An answer of the API, held against its description.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl<'w> Api<'w> {
    pub(crate) async fn admin(world: &'w World) -> Self {
        Self::with_role(world, Role::Admin, None).await
    }

    pub(crate) async fn with_role(world: &'w World, role: Role, subject: Option<&str>) -> Self {
        let request = TokenRequest {
            purpose: Purpose::Role(role),
            label: format!("{role}"),
            subject: subject.map(str::to_owned),
            expires_in: None,
        };
        let cause = Cause::new(Actor::Usher("test".into()));
        let issued = issue_token(&world.engine, cause, request).await.expect("a token");
        Self {
            world,
            token: issued.token,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body), &[]).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, Some(body), &[]).await
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Body::from(bytes)).expect("a request");
        let answer = send(self.world, request).await;
        schema::check(method, path, &answer);
        answer
    }

    /// The feed up to now, as far as this caller may see it.
    pub(crate) async fn events(&self) -> Vec<Value> {
        self.world.published().await;
        self.get("/events?limit=1000").await.expect(200).items().clone()
    }

    /// The only active membership of somebody in a room.
    pub(crate) async fn membership(&self, room: &str, email: &str) -> Value {
        let members = self.get(&format!("/rooms/{room}/members")).await.expect(200);
        let found = members.items().iter().find(|one| one["person"]["email"] == email);
        found
            .cloned()
            .unwrap_or_else(|| panic!("{email} is not in {room}"))
    }

    /// A live room whose only group is this one, with the mapping confirmed; the room's name is the group's.
    pub(crate) async fn room(&self, name: &str) {
        let order = json!({
            "room_name": name, "administrator": "admin@contoso.com", "group": name, "expected": 100,
            "source": "idp", "customer": "Contoso AG", "requester": "rita@contoso.com", "submit": true,
        });
        let order = self.post("/orders", &order).await.expect(201).id();
        let path = |step: &str| format!("/orders/{order}/{step}");
        let bootstrap = json!({ "bootstrap": { "name": "Set-up", "email": "setup@vendor.example" } });
        self.post(&path("accept"), &bootstrap).await.expect(200);
        let ready = json!({ "portal_id": name, "url": format!("https://portal.example/{name}") });
        self.post(&path("room-ready"), &ready).await.expect(200);
        let plan = self.get(&path("plan")).await.expect(200);
        self.post(&path("confirm"), &json!({ "digest": plan.body["digest"] }))
            .await
            .expect(200);
    }
}

/// Sends a request as it is.
pub(crate) async fn send(world: &World, request: Request<Body>) -> Answer {
    let response: Response<Body> = world
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("the router never fails");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body in memory").to_bytes();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    /// Checks status and code of a problem, and that it says what to do next.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        assert_eq!(self.body["code"], code, "{:#}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    pub(crate) fn items(&self) -> &Vec<Value> {
        self.body["items"].as_array().expect("items")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }
}
