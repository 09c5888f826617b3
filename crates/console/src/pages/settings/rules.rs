//! `/settings`: the organisation, its levels, and changed rules that wait for a confirmation.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::tabs;
use crate::frame::Frame;
use crate::html::{Tab, word};
use crate::pages::fields::Confirmation;
use crate::pages::levels::{Level, Levels};
use crate::plan::Tally;
use crate::render::page_after;
use crate::visit::{Site, Visit};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/settings", get(show))
        .route("/settings/rules", post(confirm))
}

#[derive(Deserialize)]
struct Organisation {
    name: String,
    domains: Vec<String>,
    sso_url: Option<String>,
    public_url: String,
    version: String,
}

#[derive(Deserialize)]
struct Policy {
    active: Value,
    proposed: Option<Value>,
}

/// What the proposed rules would do.
#[derive(Deserialize)]
struct Proposal {
    digest: String,
    changes: Vec<String>,
    into_scope: u64,
    out_of_scope: u64,
    people: Vec<Tally>,
    invalid_levels: BTreeMap<String, i64>,
}

#[derive(Template)]
#[template(path = "settings/rules.html")]
struct Rules {
    frame: Frame,
    tabs: Vec<Tab>,
    organisation: Organisation,
    levels: Levels,
    active: Value,
    is_proposed: bool,
    plan: Option<Proposal>,
    may_confirm: bool,
}

impl Rules {
    fn levels(&self) -> &[Level] {
        self.levels.all()
    }

    fn changes(&self) -> String {
        let changes = self.plan.iter().flat_map(|plan| &plan.changes);
        changes.map(|change| word(change)).collect::<Vec<_>>().join(", ")
    }

    /// Rules in force, as label and value.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let brake = &self.active["brake"];
        let text = |value: &Value| match value {
            Value::String(text) => word(text),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let mut facts = Vec::new();
        if let Value::Array(domains) = &self.active["domains"] {
            let domains: Vec<&str> = domains.iter().filter_map(Value::as_str).collect();
            facts.push(("Addresses of the organisation end with", domains.join(", ")));
        }
        for (label, value) in [
            ("The last steps of an order", &self.active["finalise"]),
            (
                "More people than expected still come in, in percent",
                &self.active["arrival_margin_percent"],
            ),
            (
                "The set-up user should have left after, in days",
                &self.active["bootstrap_due_days"],
            ),
            ("The brake holds when more leave than", &brake["more_than"]),
            ("and more than, in percent", &brake["percent"]),
        ] {
            let value = text(value);
            if !value.is_empty() {
                facts.push((label, value));
            }
        }
        facts
    }
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    rules(&visit, None).await
}

async fn rules(visit: &Visit, failure: Option<Failure>) -> Result<Response, Failure> {
    let policy: Policy = visit.get("/policy").await?;
    let is_proposed = policy.proposed.is_some();
    let plan = match is_proposed {
        true => visit.get("/policy/plan").await.ok(),
        false => None,
    };
    let template = Rules {
        frame: visit.frame("Settings").with(failure.as_ref()),
        tabs: tabs(visit, "/settings"),
        organisation: visit.get("/organisation").await?,
        levels: Levels::of(&policy.active),
        may_confirm: visit.may("POST", "/settings/rules"),
        active: policy.active,
        is_proposed,
        plan,
    };
    Ok(page_after(failure.as_ref(), &template))
}

async fn confirm(visit: Visit, posted: Posted<Confirmation>) -> Result<Response, Failure> {
    let body = posted.form.body();
    let outcome = visit
        .write(Method::POST, "/policy/confirm", body, posted.once)
        .await;
    match outcome {
        Ok(_) => Ok(visit.done("/settings", "rules-confirmed")),
        Err(failure) => rules(&visit, Some(failure.refusal()?)).await,
    }
}
