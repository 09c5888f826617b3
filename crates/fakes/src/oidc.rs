//! An OpenID Connect provider over real HTTP, which also answers what a provider never should.
//!
//! Codes work once and for their verifier alone (RFC 7636 §4.6), and the client proves itself by its secret.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::{Faults, Served};

/// What the one client is called.
pub const CLIENT: &str = "usher";
/// Its secret.
pub const SECRET: &str = "a secret + of the client";

/// A running provider. It stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct OidcProvider {
    shared: Arc<Shared>,
    served: Served,
}

/// How the next ID token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// With the key that the provider publishes.
    Right,
    /// With another key under the same name.
    OtherKey,
    /// With a new key, which is published with it.
    NewKey,
    /// Not at all: `alg` is `none`.
    None,
    /// With the client's secret, as anybody could who knows it.
    Secret,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<Behaviour>,
    issuer: String,
    seconds: i64,
}

#[derive(Debug)]
struct Behaviour {
    claims: Value,
    signing: Signing,
    denies: bool,
    keys: Vec<Key>,
    codes: HashMap<String, Code>,
    issued: u32,
    user_info: Value,
}

#[derive(Debug, Clone)]
struct Key {
    name: String,
    pkcs8: Vec<u8>,
    point: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Code {
    challenge: String,
    nonce: Option<String>,
    redirect_uri: String,
}

impl Key {
    fn draw(name: &str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .expect("the operating system gives randomness");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())
            .expect("the key was just made");
        Self {
            name: name.to_owned(),
            point: pair.public_key().as_ref().to_vec(),
            pkcs8: pkcs8.as_ref().to_vec(),
        }
    }

    fn public(&self) -> Value {
        let (x, y) = self.point[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.name,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

impl OidcProvider {
    /// Starts a provider whose clock stands at so many seconds after 1970.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(seconds: i64) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let shared = Arc::new(Shared {
            issuer: format!("http://{}", listener.local_addr()?),
            seconds,
            state: Mutex::new(Behaviour {
                claims: json!({}),
                signing: Signing::Right,
                denies: false,
                keys: vec![Key::draw("first")],
                codes: HashMap::new(),
                issued: 0,
                user_info: json!({}),
            }),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(user_info))
            .with_state(Arc::clone(&shared));
        let served = Served::start_on(listener, router, Faults::none())?;
        Ok(Self { shared, served })
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// The requests so far.
    #[must_use]
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// What the next ID tokens say beside or in place of the usual claims; `null` leaves one out.
    pub fn says(&self, claims: Value) {
        self.shared.with(|state| state.claims = claims);
    }

    /// What the UserInfo endpoint says.
    pub fn user_info_says(&self, claims: Value) {
        self.shared.with(|state| state.user_info = claims);
    }

    /// How the next ID tokens are signed.
    pub fn signs(&self, signing: Signing) {
        self.shared.with(|state| {
            if signing == Signing::NewKey {
                state.keys = vec![Key::draw("second")];
            }
            state.signing = signing;
        });
    }

    /// Whether the person there says no.
    pub fn denies(&self, denies: bool) {
        self.shared.with(|state| state.denies = denies);
    }
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Behaviour) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let issuer = &shared.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // As a provider might that wants to be fooled.
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    }))
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let keys: Vec<Value> = shared.with(|state| state.keys.iter().map(Key::public).collect());
    Json(json!({ "keys": keys }))
}

#[derive(Debug, Deserialize)]
struct Asked {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    state: String,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
    scope: String,
}

/// The browser's visit: whoever comes is signed in, and sent back with a code.
async fn authorize(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    let is_right = asked.response_type == "code"
        && asked.client_id == CLIENT
        && asked.code_challenge_method == "S256"
        && asked.scope.split(' ').any(|scope| scope == "openid");
    if !is_right {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let answer = shared.with(|state| {
        if state.denies {
            return ("error", "access_denied".to_owned());
        }
        state.issued += 1;
        let code = format!("code-{}", state.issued);
        let kept = Code {
            challenge: asked.code_challenge,
            nonce: asked.nonce,
            redirect_uri: asked.redirect_uri.clone(),
        };
        state.codes.insert(code.clone(), kept);
        ("code", code)
    });
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair(answer.0, &answer.1)
        .append_pair("state", &asked.state)
        .append_pair("iss", &shared.issuer)
        .finish();
    Redirect::to(&format!("{}?{query}", asked.redirect_uri)).into_response()
}

#[derive(Debug, Deserialize)]
struct Redeemed {
    grant_type: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(redeemed): Form<Redeemed>,
) -> Response {
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    if !knows_secret(&headers) {
        return refuse("invalid_client");
    }
    let code = shared.with(|state| state.codes.remove(&redeemed.code));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(redeemed.code_verifier.as_bytes()));
    let code = code.filter(|code| {
        redeemed.grant_type == "authorization_code"
            && code.challenge == challenge
            && code.redirect_uri == redeemed.redirect_uri
    });
    let Some(code) = code else {
        return refuse("invalid_grant");
    };
    let id_token = shared.with(|state| id_token(&shared, state, &code));
    Json(json!({
        "access_token": "an access token", "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
    }))
    .into_response()
}

/// Client id and secret are encoded as in forms before they are joined (RFC 6749 §2.3.1).
fn knows_secret(headers: &HeaderMap) -> bool {
    let secret: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let right = STANDARD.encode(format!("{CLIENT}:{secret}"));
    headers
        .get(header::AUTHORIZATION)
        .is_some_and(|sent| *sent == format!("Basic {right}"))
}

fn id_token(shared: &Shared, state: &Behaviour, code: &Code) -> String {
    let mut claims = json!({
        "iss": shared.issuer, "aud": CLIENT, "sub": "ada", "iat": shared.seconds, "exp": shared.seconds + 300,
        "nonce": code.nonce,
    });
    for (name, value) in state.claims.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    if let Some(claims) = claims.as_object_mut() {
        claims.retain(|_, value| !value.is_null());
    }
    let published = &state.keys[0];
    let es256 = Header {
        kid: Some(published.name.clone()),
        ..Header::new(Algorithm::ES256)
    };
    let sign = |header: &Header, key: &EncodingKey| {
        jsonwebtoken::encode(header, &claims, key).expect("claims are plain JSON")
    };
    match state.signing {
        Signing::Right | Signing::NewKey => sign(&es256, &EncodingKey::from_ec_der(&published.pkcs8)),
        Signing::OtherKey => sign(&es256, &EncodingKey::from_ec_der(&Key::draw("other").pkcs8)),
        Signing::Secret => sign(
            &Header::new(Algorithm::HS256),
            &EncodingKey::from_secret(SECRET.as_bytes()),
        ),
        Signing::None => {
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
            format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()))
        }
    }
}

async fn user_info(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.with(|state| state.user_info.clone()))
}
