//! Groups that are assigned to the application.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::{Refusal, not_found, time};
use super::ask::Ask;
use super::groups;
use super::org::Org;
use super::page::{self, Page};
use crate::Group;

const STEP: usize = 256;

/// `GET /api/v1/apps/{app}/groups`.
pub(super) async fn groups(Path(app): Path<String>, ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.apps.read")?;
    known(&app)?;
    let limit = ask.limit(20, 200)?;
    let prefix = ask.value("q").map(str::to_lowercase);
    let page = Page::collect(page::after(&ask)?, limit, |after| {
        let groups = ask.org.directory().groups_after(after, STEP);
        let wanted = |group: &Group| {
            assigned(&ask, group)
                && prefix
                    .as_ref()
                    .is_none_or(|prefix| group.name.to_lowercase().starts_with(prefix))
        };
        let shown = |group: &Group| wanted(group).then(|| show(&ask, group));
        groups
            .iter()
            .map(|group| (group.id.to_string(), shown(group)))
            .collect()
    });
    Ok(page.answer(&ask))
}

/// `GET /api/v1/apps/{app}/groups/{id}`.
pub(super) async fn group(Path((app, id)): Path<(String, String)>, ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.apps.read")?;
    known(&app)?;
    let group = ask.org.directory().group(&id);
    let group = group.filter(|group| assigned(&ask, group));
    let group = group.ok_or_else(|| not_found("ApplicationGroupAssignment", &id))?;
    Ok(Json(show(&ask, &group)).into_response())
}

fn known(app: &str) -> Result<(), Refusal> {
    if app == Org::APPLICATION {
        Ok(())
    } else {
        Err(not_found("AppInstance", app))
    }
}

fn assigned(ask: &Ask, group: &Group) -> bool {
    group.assigned && ask.org.shows(group, &ask.rights)
}

fn show(ask: &Ask, group: &Group) -> Value {
    let base = ask.org.base();
    let app = format!("{base}/api/v1/apps/{}", Org::APPLICATION);
    let mut shown = json!({
        "id": &*group.id,
        "priority": 0,
        "lastUpdated": time(group.modified),
        "profile": {},
        "_links": {
            "app": {"href": app},
            "self": {"href": format!("{app}/groups/{}", group.id)},
            "group": {"href": format!("{base}/api/v1/groups/{}", group.id)},
        },
    });
    if ask.value("expand") == Some("group") {
        shown["_embedded"] = json!({"group": groups::show(&ask.org, group, false)});
    }
    shown
}
