//! The steps of an order: one form each.

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::show::{again, look};
use crate::pages::fields::{Because, optional};
use crate::visit::{Site, Visit, segment};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/orders/{order}/submit", step("submit", "order-submitted"))
        .route("/orders/{order}/withdraw", step("withdraw", "order-withdrawn"))
        .route("/orders/{order}/reject", step("reject", "order-rejected"))
        .route("/orders/{order}/accept", post(accept))
        .route("/orders/{order}/room-ready", post(room_ready))
        .route("/orders/{order}/confirm", post(confirm))
        .route("/orders/{order}/administrator", post(administrator))
        .route(
            "/orders/{order}/raise-administrator",
            step("raise-administrator", "administrator-raised"),
        )
        .route(
            "/orders/{order}/end-bootstrap",
            step("end-bootstrap", "bootstrap-ended"),
        )
        .route("/orders/{order}/go-live", step("go-live", "live"))
}

/// What support fills in to accept an order; kept when the API says no.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Acceptance {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) level: String,
    pub(super) rejoin: String,
    pub(super) rejoin_days: String,
    pub(super) nested: String,
}

impl Acceptance {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = json!({ "bootstrap": { "name": self.name.trim(), "email": self.email.trim() } });
        if !self.level.is_empty() {
            body["level"] = self.level.as_str().into();
        }
        if matches!(self.rejoin.as_str(), "ask" | "never" | "auto") {
            body["rejoin"] = self.rejoin.as_str().into();
        }
        if self.rejoin == "auto" {
            let days = self.rejoin_days.trim().parse::<u32>().map_err(|_| {
                Failure::invalid(
                    "rejoin_days",
                    "write within how many days somebody comes back by themselves, such as 30",
                )
            })?;
            body["rejoin_days"] = days.into();
        }
        if self.nested == "yes" {
            body["nested"] = true.into();
        }
        Ok(body)
    }
}

/// A step that asks for nothing but a reason.
fn step(name: &'static str, word: &'static str) -> MethodRouter<Site> {
    let take = async move |visit: Visit, Path(order): Path<String>, posted: Posted<Because>| {
        act(&visit, &order, name, word, posted.form.body(), posted.once).await
    };
    post(take)
}

async fn accept(
    visit: Visit,
    Path(order): Path<String>,
    posted: Posted<Acceptance>,
) -> Result<Response, Failure> {
    let at = format!("/orders/{}", segment(&order));
    let accepted = match posted.form.body() {
        Ok(body) => {
            visit
                .post::<Value>(format!("{at}/accept"), body, posted.once)
                .await
        }
        Err(failure) => Err(failure),
    };
    match accepted {
        Ok(_) => Ok(visit.done(&at, "order-accepted")),
        Err(failure) => look(&visit, &order, Some(&failure.refusal()?), posted.form).await,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ready {
    portal_id: String,
    url: String,
}

async fn room_ready(
    visit: Visit,
    Path(order): Path<String>,
    posted: Posted<Ready>,
) -> Result<Response, Failure> {
    let body = json!({ "portal_id": posted.form.portal_id.trim(), "url": posted.form.url.trim() });
    act(&visit, &order, "room-ready", "room-ready", body, posted.once).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Digest {
    digest: String,
}

/// When the directory moved since the plan was shown, the page comes again with the plan as it is now.
async fn confirm(
    visit: Visit,
    Path(order): Path<String>,
    posted: Posted<Digest>,
) -> Result<Response, Failure> {
    let body = json!({ "digest": posted.form.digest });
    act(&visit, &order, "confirm", "mapping-confirmed", body, posted.once).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Administrator {
    administrator: String,
    person: String,
}

async fn administrator(
    visit: Visit,
    Path(order): Path<String>,
    posted: Posted<Administrator>,
) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({ "administrator": form.administrator.trim(), "person": optional(&form.person) });
    act(
        &visit,
        &order,
        "administrator",
        "administrator-changed",
        body,
        posted.once,
    )
    .await
}

/// Takes a step; a refusal is shown on the order's page as it is now.
async fn act(
    visit: &Visit,
    order: &str,
    step: &str,
    word: &str,
    body: Value,
    once: Option<String>,
) -> Result<Response, Failure> {
    let at = format!("/orders/{}", segment(order));
    match visit.post::<Value>(format!("{at}/{step}"), body, once).await {
        Ok(_) => Ok(visit.done(&at, word)),
        Err(failure) => again(visit, order, failure).await,
    }
}
