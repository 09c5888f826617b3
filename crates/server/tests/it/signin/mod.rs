//! Signing in to the console as a browser does: cookies, forms, redirects.

mod large_room;
mod password;
mod provider;
mod roles;
mod sessions;
mod uploads;

use std::collections::BTreeMap;

use axum::body::Body;
use http::{Request, header};
use usher_engine::{Actor, Cause};
use usher_fakes::oidc::{CLIENT, OidcProvider, SECRET};
use usher_server::set_password;

use crate::world::{Answer, World};

const SESSION: &str = "__Host-usher";
const ATTEMPT: &str = "__Host-usher-sign-in";
/// 2026-02-01T09:00:00Z, where the world's clock stands.
const START: i64 = 1_769_936_400;

/// A browser with its cookies, at the world's console.
pub(super) struct Browser<'w> {
    world: &'w World,
    pub(super) cookies: BTreeMap<String, String>,
    pub(super) address: Option<&'static str>,
}

impl<'w> Browser<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self {
            world,
            cookies: BTreeMap::new(),
            address: None,
        }
    }

    /// Another one with the same cookies.
    pub(super) fn copy(&self) -> Self {
        Self {
            cookies: self.cookies.clone(),
            ..*self
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), String::new()).await
    }

    /// Posts a form from a page of the console.
    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header("sec-fetch-site", "same-origin");
        self.send(request, form(fields)).await
    }

    /// Sends a request with the cookies, and keeps those that come back.
    pub(super) async fn send(&mut self, request: http::request::Builder, body: String) -> Answer {
        let jar: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = request.header(header::HOST, "usher.example");
        if request
            .headers_ref()
            .is_none_or(|headers| !headers.contains_key(header::CONTENT_TYPE))
        {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if !jar.is_empty() {
            request = request.header(header::COOKIE, jar.join("; "));
        }
        if let Some(address) = self.address {
            request = request.header("x-forwarded-for", address);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let answer = self.world.send(request).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            let (pair, attributes) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Whether the console knows who this is.
    pub(super) async fn is_in(&mut self) -> bool {
        let answer = self.get("/orders").await;
        match answer.status.as_u16() {
            200 => true,
            303 => {
                assert_eq!(answer.header(header::LOCATION), "/sign-in?next=%2Forders");
                false
            }
            other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }

    /// Begins a sign-in; where the provider would be visited.
    pub(super) async fn begin(&mut self, next: &str) -> String {
        let path = format!("/sign-in/idp?{}", form(&[("next", next)]));
        let answer = self.get(&path).await.expect(303);
        answer.header(header::LOCATION).to_owned()
    }

    /// Visits the provider; where it sends the browser back to, without the host.
    pub(super) async fn visit(&self, url: &str) -> String {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .build()
            .expect("a client");
        let answer = client.get(url).send().await.expect("an answer");
        let back = answer.headers()[header::LOCATION].to_str().expect("text");
        back.strip_prefix("https://usher.example")
            .expect("the redirect URI")
            .to_owned()
    }

    /// Signs in by the provider.
    pub(super) async fn sign_in(&mut self) -> Answer {
        let url = self.begin("/").await;
        let back = self.visit(&url).await;
        self.get(&back).await
    }

    /// Signs in as the local administrator.
    pub(super) async fn sign_in_with(&mut self, password: &str) -> Answer {
        let fields = [("name", "admin"), ("password", password), ("next", "/")];
        self.post("/sign-in", &fields).await
    }

    /// The value that forms of this session carry.
    pub(super) async fn csrf(&mut self) -> String {
        let page = self.get("/orders").await.expect(200);
        let page = String::from_utf8(page.body).expect("text");
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split_once('"').expect("its value").0.to_owned()
    }
}

/// Fields as a form sends them.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| {
        text.bytes()
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect::<String>()
    };
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// A world whose people sign in with a fake provider, by these rules.
pub(super) async fn with_provider(more: &str) -> (World, OidcProvider) {
    let provider = OidcProvider::start(START).await.expect("a free port");
    let text = format!(
        "[[sign_in.provider]]\nname = \"idp\"\nlabel = \"Contoso\"\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\n\
         client_secret = \"{SECRET}\"\nroles_claim = \"roles\"\n{more}\n\
         [[sign_in.provider.role]]\nvalue = \"admins\"\nrole = \"admin\"\n\
         [[sign_in.provider.role]]\nvalue = \"it\"\nrole = \"it\"\n\
         [[sign_in.provider.role]]\nvalue = \"support\"\nrole = \"support\"\n\
         [[sign_in.provider.role]]\nvalue = \"requesters\"\nrole = \"requester\"\n\
         [[sign_in.provider.role]]\nvalue = \"readers\"\nrole = \"viewer\"\n",
        provider.issuer()
    );
    let world = World::with(&text).await;
    provider.says(person("admins"));
    (world, provider)
}

pub(super) fn person(role: &str) -> serde_json::Value {
    serde_json::json!({ "name": "Ada Lovelace", "email": "ada@contoso.com", "roles": [role] })
}

/// Makes the local administrator; the password.
pub(super) async fn administrator(world: &World) -> String {
    let cause = Cause::new(Actor::Operator("test".into()));
    let password = set_password(&world.engine, cause, "admin", true).await;
    let password = password.expect("a database").expect("a password");
    password.expose().to_owned()
}
