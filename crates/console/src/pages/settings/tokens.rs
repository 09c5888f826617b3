//! `/settings/tokens`: tokens for programs that use the API.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::tabs;
use crate::frame::Frame;
use crate::html::{Page, Tab};
use crate::pages::fields::{Because, optional};
use crate::pages::sources::Token;
use crate::render::page_after;
use crate::visit::{Site, Visit};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/settings/tokens", get(show).post(create))
        .route("/settings/tokens/{token}/rotate", post(rotate))
        .route("/settings/tokens/{token}/revoke", post(revoke))
}

#[derive(Template)]
#[template(path = "settings/tokens.html")]
struct Tokens {
    frame: Frame,
    tabs: Vec<Tab>,
    tokens: Vec<Token>,
    ended: Vec<Token>,
    secret: Option<String>,
    form: NewToken,
}

impl Tokens {
    fn is_role(&self, role: &str) -> bool {
        self.form.role == role
    }
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    tokens(&visit, None, NewToken::default(), None).await
}

async fn tokens(
    visit: &Visit,
    secret: Option<String>,
    form: NewToken,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let list: Page<Token> = visit.get("/tokens").await?;
    let of_roles = list.items.into_iter().filter(|token| token.source.is_none());
    let (tokens, mut ended): (Vec<Token>, Vec<Token>) = of_roles.partition(|token| token.works(visit.now()));
    ended.reverse();
    ended.truncate(50);
    let template = Tokens {
        frame: visit.frame("API tokens").with(failure.as_ref()),
        tabs: tabs(visit, "/settings/tokens"),
        tokens,
        ended,
        secret,
        form,
    };
    Ok(page_after(failure.as_ref(), &template))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewToken {
    label: String,
    role: String,
    subject: String,
    expires_in: String,
    overlap: String,
}

async fn create(visit: Visit, posted: Posted<NewToken>) -> Result<Response, Failure> {
    let form = posted.form;
    let body = json!({
        "role": form.role, "label": form.label.trim(), "subject": optional(&form.subject),
        "expires_in": optional(&form.expires_in),
    });
    made(&visit, "/tokens".to_owned(), body, form).await
}

async fn rotate(
    visit: Visit,
    Path(token): Path<Uuid>,
    posted: Posted<NewToken>,
) -> Result<Response, Failure> {
    let body = json!({ "overlap": optional(&posted.form.overlap) });
    made(
        &visit,
        format!("/tokens/{token}/rotate"),
        body,
        NewToken::default(),
    )
    .await
}

/// The secret is shown on this answer: nobody could show it after a redirect.
async fn made(visit: &Visit, path: String, body: Value, form: NewToken) -> Result<Response, Failure> {
    match visit.post::<Value>(path, body, None).await {
        Ok(made) => {
            let secret = made["token"].as_str().map(str::to_owned);
            tokens(visit, secret, NewToken::default(), None).await
        }
        Err(failure) => tokens(visit, None, form, Some(failure.refusal()?)).await,
    }
}

async fn revoke(visit: Visit, Path(token): Path<Uuid>, posted: Posted<Because>) -> Result<Response, Failure> {
    let path = format!("/tokens/{token}/revoke");
    match visit.write(Method::POST, path, posted.form.body(), None).await {
        Ok(_) => Ok(visit.done("/settings/tokens", "token-revoked")),
        Err(failure) => tokens(&visit, None, NewToken::default(), Some(failure.refusal()?)).await,
    }
}
