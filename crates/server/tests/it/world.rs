//! A deployment of its own, and requests to it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tower::ServiceExt;
use usher_core::{ManualClock, Role, SourceName};
use usher_engine::{Actor, Cause, Engine};
use usher_server::access::{self, IssuedToken, Purpose, TokenRequest};
use usher_server::config::{Config, Period, Rules};
use usher_server::{AppState, Sources, Usher, router};
use usher_storage::{Storage, StorageConfig, StorageError, query};
use usher_testpg::Place;

/// Long enough for whatever is under way, on a busy machine.
const PUBLISHED: Duration = Duration::from_secs(60);

/// How often a condition that cannot announce itself is looked at again.
const GLANCE: Duration = Duration::from_millis(5);

/// A deployment of its own, gone with the test.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) router: Router,
    pub(crate) state: AppState,
    pub(crate) token: String,
    _place: Place,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl World {
    /// With sources `idp` and `other`, everybody in scope.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// With more configuration.
    pub(crate) async fn with(more: &str) -> Self {
        Self::with_program(&Usher::new(), more).await
    }

    /// In which people of `contoso.com` alone are in scope.
    pub(crate) async fn of_contoso() -> Self {
        Self::build(&Usher::new(), "contoso.com", "").await
    }

    /// With more adapters and more configuration.
    pub(crate) async fn with_program(program: &Usher, more: &str) -> Self {
        Self::build(program, "*", more).await
    }

    async fn build(program: &Usher, domain: &str, more: &str) -> Self {
        let place = Place::with_schema(fill).await.expect("a place for the data");
        let text = format!(
            "[organisation]\ndomains = [\"{domain}\"]\n[storage]\nurl = \"{}\"\n\
             [[source]]\nname = \"idp\"\nkind = \"scim\"\nmode = \"push\"\n[source.settings]\ntrusts_external_id = true\n\
             [[source]]\nname = \"other\"\nkind = \"scim\"\nmode = \"push\"\n{more}",
            place.url()
        );
        let config: Config = toml::from_str(&text).expect("a valid configuration");
        let rules = config.check(program.registry()).expect("a valid configuration");
        let clock = Arc::new(ManualClock::new("2026-02-01T09:00:00Z".parse().expect("a time")));
        let engine = usher_server::open(&config, Arc::<ManualClock>::clone(&clock))
            .await
            .expect("a database");
        usher_server::apply(&engine, &rules, Sources::Exactly)
            .await
            .expect("rules");
        let state = start(&engine, Arc::new(config), &rules).await;
        let token = issue(&engine, Purpose::Source(source("idp")), None).await.token;
        Self {
            engine,
            clock,
            router: router(state.clone()),
            state,
            token,
            _place: place,
        }
    }

    /// The same deployment, as a new process sees it.
    pub(crate) async fn restarted(self, program: &Usher) -> Self {
        let config = Arc::clone(&self.state.config);
        let rules = config.check(program.registry()).expect("a valid configuration");
        let state = start(&self.engine, config, &rules).await;
        Self {
            router: router(state.clone()),
            state,
            ..self
        }
    }

    pub(crate) async fn source_token(&self, name: &str, expires_in: Option<Period>) -> IssuedToken {
        issue(&self.engine, Purpose::Source(source(name)), expires_in).await
    }

    pub(crate) async fn role_token(&self, role: Role) -> IssuedToken {
        issue(&self.engine, Purpose::Role(role), None).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router never fails");
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .expect("a body in memory")
            .to_bytes()
            .to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Waits until everything that was committed is in the feed. It is not at once where a unit is under way, or was cut off in
    /// the middle: the database hears a moment later that nobody goes on with it.
    pub(crate) async fn published(&self) {
        eventually("the feed", PUBLISHED, async || {
            let storage = self.engine.storage();
            query::event::publish(storage).await.expect("a database");
            let ends = storage.read(|tx| {
                Box::pin(async move { Ok((query::event::last(tx).await?, query::event::newest(tx).await?)) })
            });
            let ends: Result<(i64, i64), StorageError> = ends.await;
            let (last, newest) = ends.expect("a database");
            (last >= newest).then_some(())
        })
        .await;
    }

    /// A request to source `idp` with its token.
    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(Method::from_bytes(method.as_bytes()).expect("a method"))
            .uri(format!("/scim/idp/v2{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/scim+json")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).expect("a request"))
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(
            self.request("DELETE", path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.json("PUT", path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, operations: &Value) -> Answer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
        });
        self.json("PATCH", path, &body).await
    }

    async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(
            self.request(method, path)
                .body(Body::from(body.to_string()))
                .expect("a request"),
        )
        .await
    }

    /// A user with this name; its id.
    ///
    /// The clock moves on, so that ids rise in the order of creation.
    pub(crate) async fn user(&self, name: &str) -> String {
        self.clock.advance(Duration::from_millis(1));
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "externalId": format!("x-{name}"),
            "displayName": name, "emails": [{ "value": format!("{name}@contoso.com"), "type": "work", "primary": true }],
        });
        self.post("/Users", &body).await.expect(201).id()
    }

    /// A group with these members; its id.
    pub(crate) async fn group(&self, name: &str, members: &[&str]) -> String {
        self.clock.advance(Duration::from_millis(1));
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members,
        });
        self.post("/Groups", &body).await.expect(201).id()
    }

    /// The ids of a group's members, sorted.
    pub(crate) async fn members(&self, group: &str) -> Vec<String> {
        let group = self.get(&format!("/Groups/{group}")).await.expect(200).json();
        let mut members: Vec<String> = group["members"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|member| member["value"].as_str().expect("a value").to_owned())
            .collect();
        members.sort_unstable();
        members
    }

    /// Everything that SCIM shows, to compare before and after.
    pub(crate) async fn everything(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for path in ["/Users?count=1000", "/Groups?count=1000"] {
            all.push(self.get(path).await.expect(200).json());
        }
        all
    }
}

impl Answer {
    /// Fails the test, showing the answer, unless the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&self.body)),
        }
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// Checks that this is a SCIM error with a status, a keyword and a detail that helps.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, scim_type: Option<&str>) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header(header::CONTENT_TYPE), "application/scim+json");
        let error = self.json();
        assert_eq!(
            error["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
            "{error}"
        );
        assert_eq!(error["status"], status.to_string(), "{error}");
        assert_eq!(
            error.get("scimType").and_then(Value::as_str),
            scim_type,
            "{error}"
        );
        let detail = error["detail"].as_str().expect("a detail");
        assert!(detail.len() >= 20, "the detail does not help: {detail}");
        detail.to_owned()
    }
}

/// Repeats `attempt` until it gives something.
pub(crate) async fn eventually<T>(
    what: &str,
    within: Duration,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = tokio::time::Instant::now() + within;
    let mut glances = tokio::time::interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        glances.tick().await;
        if let Some(value) = attempt().await {
            return value;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited {within:?} for {what}"
        );
    }
}

/// Brings the schema into a database that others are copied from.
async fn fill(url: &str) -> Result<(), StorageError> {
    Storage::open(StorageConfig::new(url)).await?.close().await;
    Ok(())
}

async fn start(engine: &Engine, config: Arc<Config>, rules: &Rules) -> AppState {
    usher_server::state(engine.clone(), config, rules, "https://usher.example")
        .await
        .expect("state")
}

async fn issue(engine: &Engine, purpose: Purpose, expires_in: Option<Period>) -> IssuedToken {
    let request = TokenRequest {
        purpose,
        label: "test".into(),
        subject: None,
        expires_in,
    };
    access::issue_token(engine, Cause::new(Actor::Operator("test".into())), request)
        .await
        .expect("a token")
}

fn source(name: &str) -> SourceName {
    name.parse().expect("a name")
}
