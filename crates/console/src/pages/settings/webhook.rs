//! `/settings/webhooks/{webhook}`: one endpoint: how it does, what waits, and what can be done.

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

use super::tabs;
use super::webhooks::{Webhook, kinds};
use crate::frame::Frame;
use crate::html::{Pager, Tab};
use crate::pages::fields::{Because, moment, no_moment};
use crate::render::page_after;
use crate::visit::{Site, Visit};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/settings/webhooks/{webhook}", get(show))
        .route("/settings/webhooks/{webhook}/change", post(change))
        .route("/settings/webhooks/{webhook}/pause", post(pause))
        .route("/settings/webhooks/{webhook}/resume", post(resume))
        .route("/settings/webhooks/{webhook}/rotate", post(rotate))
        .route("/settings/webhooks/{webhook}/test", post(test))
        .route("/settings/webhooks/{webhook}/replay", post(replay))
        .route("/settings/webhooks/{webhook}/remove", post(remove))
}

/// A delivery that waits or was given up.
#[derive(Deserialize)]
struct Delivery {
    event: String,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    attempts: u32,
    since: Timestamp,
    next_attempt: Option<Timestamp>,
    error: Option<String>,
}

/// How a test ended.
#[derive(Deserialize)]
struct Tested {
    delivered: bool,
    error: Option<String>,
    milliseconds: u64,
}

/// What the page says of what was just done, beside the webhook itself.
#[derive(Default)]
struct News {
    tested: Option<Tested>,
    secret: Option<String>,
    failure: Option<Failure>,
}

#[derive(Template)]
#[template(path = "settings/webhook.html")]
struct One {
    frame: Frame,
    tabs: Vec<Tab>,
    webhook: Webhook,
    deliveries: Vec<Delivery>,
    pager: Pager,
    tested: Option<Tested>,
    secret: Option<String>,
}

impl One {
    fn path(&self, step: &str) -> String {
        format!("/settings/webhooks/{}/{step}", self.webhook.id)
    }
}

async fn show(visit: Visit, Path(id): Path<Uuid>) -> Result<Response, Failure> {
    webhook(&visit, id, News::default()).await
}

async fn webhook(visit: &Visit, id: Uuid, news: News) -> Result<Response, Failure> {
    let shown: Webhook = visit.get(format!("/webhooks/{id}")).await?;
    let list = format!("/webhooks/{id}/deliveries");
    let path = format!("/settings/webhooks/{id}");
    let (deliveries, pager) = visit.list(&list, &[("limit", "50")], &path, &[]).await?;
    let template = One {
        frame: visit.frame("Webhook").with(news.failure.as_ref()),
        tabs: tabs(visit, "/settings/webhooks"),
        deliveries,
        pager,
        webhook: shown,
        tested: news.tested,
        secret: news.secret,
    };
    Ok(page_after(news.failure.as_ref(), &template))
}

async fn refused(visit: &Visit, id: Uuid, failure: Failure) -> Result<Response, Failure> {
    let news = News {
        failure: Some(failure.refusal()?),
        ..News::default()
    };
    webhook(visit, id, news).await
}

/// Does a step and shows the webhook again.
async fn step(
    visit: &Visit,
    id: Uuid,
    step: &str,
    body: Value,
    once: Option<String>,
    word: &str,
) -> Result<Response, Failure> {
    match visit
        .write(Method::POST, format!("/webhooks/{id}/{step}"), body, once)
        .await
    {
        Ok(_) => Ok(visit.done(&format!("/settings/webhooks/{id}"), word)),
        Err(failure) => refused(visit, id, failure).await,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Change {
    url: String,
    description: String,
    events: String,
}

async fn change(visit: Visit, Path(id): Path<Uuid>, posted: Posted<Change>) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({
        "url": form.url.trim(), "description": form.description.trim(), "events": kinds(&form.events),
    });
    match visit
        .write(Method::PATCH, format!("/webhooks/{id}"), body, posted.once)
        .await
    {
        Ok(_) => Ok(visit.done(&format!("/settings/webhooks/{id}"), "webhook-changed")),
        Err(failure) => refused(&visit, id, failure).await,
    }
}

async fn pause(visit: Visit, Path(id): Path<Uuid>, posted: Posted<Because>) -> Result<Response, Failure> {
    step(
        &visit,
        id,
        "pause",
        posted.form.body(),
        posted.once,
        "webhook-paused",
    )
    .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resume {
    skip: String,
}

async fn resume(visit: Visit, Path(id): Path<Uuid>, posted: Posted<Resume>) -> Result<Response, Failure> {
    let body = json!({ "skip": posted.form.skip == "yes" });
    step(&visit, id, "resume", body, posted.once, "webhook-resumed").await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Replay {
    what: String,
    since: String,
}

async fn replay(visit: Visit, Path(id): Path<Uuid>, posted: Posted<Replay>) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = match (form.what.as_str(), moment(&form.since)) {
        ("since", Some(since)) => json!({ "since": since.to_string() }),
        ("since", None) => {
            let news = News {
                failure: Some(no_moment()),
                ..News::default()
            };
            return webhook(&visit, id, news).await;
        }
        _ => json!({ "dead": true }),
    };
    step(&visit, id, "replay", body, posted.once, "webhook-replayed").await
}

async fn rotate(visit: Visit, Path(id): Path<Uuid>, posted: Posted<Because>) -> Result<Response, Failure> {
    match visit
        .post::<Value>(format!("/webhooks/{id}/rotate"), posted.form.body(), None)
        .await
    {
        Ok(made) => {
            let news = News {
                secret: made["secret"].as_str().map(str::to_owned),
                ..News::default()
            };
            webhook(&visit, id, news).await
        }
        Err(failure) => refused(&visit, id, failure).await,
    }
}

async fn test(visit: Visit, Path(id): Path<Uuid>, posted: Posted<Because>) -> Result<Response, Failure> {
    match visit
        .post(format!("/webhooks/{id}/test"), posted.form.body(), None)
        .await
    {
        Ok(tested) => {
            let news = News {
                tested: Some(tested),
                ..News::default()
            };
            webhook(&visit, id, news).await
        }
        Err(failure) => refused(&visit, id, failure).await,
    }
}

async fn remove(visit: Visit, Path(id): Path<Uuid>, posted: Posted<Because>) -> Result<Response, Failure> {
    let path = format!("/webhooks/{id}");
    let body = posted.form.body();
    match visit.write(Method::DELETE, path, body, posted.once).await {
        Ok(_) => Ok(visit.done("/settings/webhooks", "webhook-removed")),
        Err(failure) => refused(&visit, id, failure).await,
    }
}
