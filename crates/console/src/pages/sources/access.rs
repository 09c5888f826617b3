//! `/sources/{source}/access`: tokens and signing keys with which an identity provider may push.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use usher_core::Timestamp;
use uuid::Uuid;

use super::source::Source;
use crate::frame::Frame;
use crate::html::{Badge, Page, Tab, Tone, word};
use crate::pages::fields::{Because, optional};
use crate::render::page_after;
use crate::visit::{Site, Visit, query, segment};
use crate::{Failure, Posted};

/// A credential near its end is pointed out so many microseconds before.
const SOON: i64 = 30 * 86_400_000_000;

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/sources/{source}/access", get(show))
        .route("/sources/{source}/tokens", post(create))
        .route("/sources/{source}/tokens/{token}/rotate", post(rotate))
        .route("/sources/{source}/tokens/{token}/revoke", post(revoke))
        .route("/sources/{source}/keys", post(register))
        .route("/sources/{source}/keys/{key}/revoke", post(revoke_key))
}

/// A token, without its secret.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::pages) struct Token {
    pub(in crate::pages) id: Uuid,
    pub(in crate::pages) label: String,
    pub(in crate::pages) source: Option<String>,
    role: Option<String>,
    pub(in crate::pages) subject: Option<String>,
    pub(in crate::pages) created: Timestamp,
    pub(in crate::pages) expires: Option<Timestamp>,
    pub(in crate::pages) revoked: Option<Timestamp>,
    pub(in crate::pages) last_used: Option<Timestamp>,
}

impl Token {
    /// Whether it works.
    pub(in crate::pages) fn works(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|end| end > now)
    }

    pub(in crate::pages) fn badge(&self, now: &Timestamp) -> Badge {
        if self.revoked.is_some() {
            return Badge::new(Tone::Calm, "Revoked");
        }
        match self.expires {
            Some(end) if end <= *now => Badge::new(Tone::Calm, "Expired"),
            Some(end) if end.as_micros() - now.as_micros() < SOON => Badge::new(Tone::Waiting, "Ends soon"),
            _ => Badge::new(Tone::Good, "Works"),
        }
    }

    /// What it is for.
    pub(in crate::pages) fn purpose(&self) -> String {
        match (&self.role, &self.source) {
            (Some(role), _) => word(role),
            (None, Some(source)) => format!("Source {source}"),
            _ => String::new(),
        }
    }
}

/// A signing key of a customer.
#[derive(Debug, Clone, Deserialize)]
struct Key {
    id: Uuid,
    label: String,
    algorithm: String,
    key_id: Option<String>,
    issuer: String,
    audience: String,
    thumbprint: String,
    created: Timestamp,
    revoked: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "sources/access.html")]
struct Access {
    frame: Frame,
    tabs: Vec<Tab>,
    source: Source,
    scim_url: Option<String>,
    tokens: Vec<Token>,
    ended: Vec<Token>,
    keys: Vec<Key>,
    secret: Option<String>,
}

#[derive(Deserialize)]
struct Setup {
    scim_url: Option<String>,
}

async fn show(visit: Visit, Path(source): Path<String>) -> Result<Response, Failure> {
    access(&visit, &source, None, None).await
}

/// The page; right after a token was made, with its secret, which is shown this once.
async fn access(
    visit: &Visit,
    source: &str,
    secret: Option<String>,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let name = segment(source);
    let source = Source::load(visit, source).await?;
    let tokens: Page<Token> = visit.get("/tokens").await?;
    let (tokens, ended) = tokens
        .items
        .into_iter()
        .filter(|token| token.source.as_deref() == Some(&source.name))
        .partition(|token| token.works(visit.now()));
    let keys: Page<Key> = visit
        .get(format!("/keys{}", query(&[("source", &source.name)])))
        .await?;
    let setup: Option<Setup> = visit.find(format!("/sources/{name}/setup")).await?;
    let template = Access {
        frame: visit
            .frame(format!("{} – tokens and keys", source.name))
            .with(failure.as_ref()),
        tabs: source.tabs("access", visit),
        scim_url: setup.and_then(|setup| setup.scim_url),
        keys: keys.items,
        tokens,
        ended,
        secret,
        source,
    };
    Ok(page_after(failure.as_ref(), &template))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewToken {
    label: String,
    expires_in: String,
    overlap: String,
    reason: String,
}

async fn create(
    visit: Visit,
    Path(source): Path<String>,
    posted: Posted<NewToken>,
) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({
        "source": source, "label": form.label.trim(), "expires_in": optional(&form.expires_in),
        "reason": optional(&form.reason),
    });
    made(&visit, &source, "/tokens".to_owned(), body).await
}

async fn rotate(
    visit: Visit,
    Path((source, token)): Path<(String, Uuid)>,
    posted: Posted<NewToken>,
) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({
        "overlap": optional(&form.overlap), "expires_in": optional(&form.expires_in), "reason": optional(&form.reason),
    });
    made(&visit, &source, format!("/tokens/{token}/rotate"), body).await
}

/// Makes a token and shows its secret. It cannot be shown after a redirect, because nobody keeps it.
async fn made(visit: &Visit, source: &str, path: String, body: Value) -> Result<Response, Failure> {
    match visit.post::<Value>(path, body, None).await {
        Ok(made) => {
            let secret = made["token"].as_str().map(str::to_owned);
            access(visit, source, secret, None).await
        }
        Err(failure) => access(visit, source, None, Some(failure.refusal()?)).await,
    }
}

async fn revoke(
    visit: Visit,
    Path((source, token)): Path<(String, Uuid)>,
    posted: Posted<Because>,
) -> Result<Response, Failure> {
    let path = format!("/tokens/{token}/revoke");
    done(&visit, &source, path, posted.form.body(), "token-revoked").await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewKey {
    label: String,
    algorithm: String,
    public_key: String,
    issuer: String,
    audience: String,
    key_id: String,
}

async fn register(
    visit: Visit,
    Path(source): Path<String>,
    posted: Posted<NewKey>,
) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({
        "source": source, "label": form.label.trim(), "algorithm": form.algorithm, "public_key": form.public_key,
        "issuer": form.issuer.trim(), "audience": form.audience.trim(), "key_id": optional(&form.key_id),
    });
    done(&visit, &source, "/keys".to_owned(), body, "key-registered").await
}

async fn revoke_key(
    visit: Visit,
    Path((source, key)): Path<(String, Uuid)>,
    posted: Posted<Because>,
) -> Result<Response, Failure> {
    let path = format!("/keys/{key}/revoke");
    done(&visit, &source, path, posted.form.body(), "key-revoked").await
}

async fn done(
    visit: &Visit,
    source: &str,
    path: String,
    body: Value,
    word: &str,
) -> Result<Response, Failure> {
    match visit.write(Method::POST, path, body, None).await {
        Ok(_) => Ok(visit.done(&format!("/sources/{}/access", segment(source)), word)),
        Err(failure) => access(visit, source, None, Some(failure.refusal()?)).await,
    }
}
