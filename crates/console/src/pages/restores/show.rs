//! `/restores/{restore}`: candidates side by side, what comes back, what was gained, and the guard's verdict.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::wire::{Candidate, Details, Grant, Plan, Restore};
use crate::frame::Frame;
use crate::pages::fields::Because;
use crate::pages::levels::Levels;
use crate::render::page_after;
use crate::visit::{Site, Visit, segment};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/restores/{restore}", get(show))
        .route("/restores/{restore}/apply", post(apply))
        .route("/restores/{restore}/undo", step("undo", "restore-undone"))
        .route("/restores/{restore}/close", step("close", "restore-closed"))
}

#[derive(Template)]
#[template(path = "restores/show.html")]
struct Show {
    frame: Frame,
    restore: Restore,
    candidates: Vec<Candidate>,
    best: Option<Uuid>,
    plan: Option<Plan>,
    dropped: BTreeSet<String>,
    level: String,
    levels: Levels,
    may_restore: bool,
}

impl Show {
    fn is_chosen(&self, candidate: &Candidate) -> bool {
        let planned = self.plan.as_ref().map(|plan| plan.candidate.membership.id);
        planned == Some(candidate.membership.id)
    }

    fn is_best(&self, candidate: &Candidate) -> bool {
        self.best == Some(candidate.membership.id)
    }

    fn keeps(&self, grant: &Grant) -> bool {
        !self.dropped.contains(&grant.id.to_string())
    }
}

async fn show(visit: Visit, Path(restore): Path<String>) -> Result<Response, Failure> {
    let chosen = Application {
        candidate: visit.query("candidate"),
        ..Application::default()
    };
    look(&visit, &restore, None, &chosen).await
}

async fn look(
    visit: &Visit,
    restore: &str,
    failure: Option<&Failure>,
    typed: &Application,
) -> Result<Response, Failure> {
    let at = format!("/restores/{}", segment(restore));
    let Details {
        restore,
        best,
        candidates,
    } = visit.get(at.as_str()).await?;
    let plan = if restore.is_open() && !candidates.is_empty() {
        Some(plan(visit, &at, typed.candidate.parse().ok()).await?)
    } else {
        None
    };
    let title = format!("{} back in {}", restore.person.label(), restore.room.name);
    let shown = Show {
        frame: visit.frame(title).with(failure),
        restore,
        candidates,
        best,
        plan,
        dropped: dropped(typed),
        level: typed.level.clone(),
        levels: Levels::load(visit).await?,
        may_restore: visit.may("POST", "/restores/{restore}/apply"),
    };
    Ok(page_after(failure, &shown))
}

/// The plan asks sources that are read on the spot, so it is a POST of the API though it changes nothing.
async fn plan(visit: &Visit, at: &str, candidate: Option<Uuid>) -> Result<Plan, Failure> {
    let body = candidate.map_or_else(|| json!({}), |candidate| json!({ "candidate": candidate }));
    visit.post(format!("{at}/plan"), body, None).await
}

/// What the form of the guided page says: of every item whether it was shown, and whether it is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Application {
    candidate: String,
    digest: String,
    level: String,
    confirm_level: String,
    reason: String,
    #[serde(rename = "item[]")]
    items: Vec<String>,
    #[serde(rename = "keep[]")]
    keep: Vec<String>,
}

/// Items that were shown and not kept. A box that is not ticked is not sent, so each item is named twice.
fn dropped(form: &Application) -> BTreeSet<String> {
    let kept: BTreeSet<_> = form.keep.iter().collect();
    form.items
        .iter()
        .filter(|item| !kept.contains(item))
        .cloned()
        .collect()
}

async fn apply(
    visit: Visit,
    Path(restore): Path<String>,
    posted: Posted<Application>,
) -> Result<Response, Failure> {
    let form = &posted.form;
    let mut body = json!({
        "candidate": form.candidate, "digest": form.digest, "drop": dropped(form),
        "confirm_level": form.confirm_level == "yes",
    });
    if !form.level.is_empty() {
        body["level"] = form.level.as_str().into();
    }
    if !form.reason.trim().is_empty() {
        body["reason"] = form.reason.trim().into();
    }
    let at = format!("/restores/{}", segment(&restore));
    match visit
        .post::<Value>(format!("{at}/apply"), body, posted.once)
        .await
    {
        Ok(_) => Ok(visit.done(&at, "restored")),
        Err(failure) => look(&visit, &restore, Some(&failure.refusal()?), form).await,
    }
}

/// A step that asks for nothing but a reason.
fn step(name: &'static str, word: &'static str) -> MethodRouter<Site> {
    let take = async move |visit: Visit, Path(restore): Path<String>, posted: Posted<Because>| {
        let at = format!("/restores/{}", segment(&restore));
        let (path, body) = (format!("{at}/{name}"), posted.form.body());
        match visit.post::<Value>(path, body, posted.once).await {
            Ok(_) => Ok(visit.done(&at, word)),
            Err(failure) => {
                let failure = failure.refusal()?;
                look(&visit, &restore, Some(&failure), &Application::default()).await
            }
        }
    };
    post(take)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_and_not_ticked_is_dropped() {
        let form = Application {
            items: vec!["a".into(), "b".into()],
            keep: vec!["b".into(), "c".into()],
            ..Application::default()
        };
        assert_eq!(dropped(&form), BTreeSet::from(["a".to_owned()]));
    }
}
