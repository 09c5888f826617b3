//! `/sources/{source}/setup`: what is entered at the identity provider, step by step.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::source::Source;
use crate::Failure;
use crate::frame::Frame;
use crate::html::Tab;
use crate::render::page;
use crate::visit::{Site, Visit, segment};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/sources/{source}/setup", get(show))
}

#[derive(Deserialize)]
struct Values {
    scim_url: Option<String>,
    hook_url: Option<String>,
    group_identity: String,
}

#[derive(Template)]
#[template(path = "sources/setup.html")]
struct Setup {
    frame: Frame,
    tabs: Vec<Tab>,
    source: Source,
    values: Option<Values>,
    may_make: bool,
}

impl Setup {
    fn is(&self, kind: &str) -> bool {
        match kind {
            "other" => !["entra", "okta"].contains(&self.source.kind.as_str()),
            kind => self.source.kind == kind,
        }
    }

    /// Entra's flag for requests as RFC 7644 says, which goes into its field behind the address.
    fn entra_url(&self) -> String {
        let url = self.values.as_ref().and_then(|values| values.scim_url.as_deref());
        format!("{}?aadOptscim062020", url.unwrap_or_default())
    }
}

async fn show(visit: Visit, Path(source): Path<String>) -> Result<Response, Failure> {
    let name = segment(&source);
    let source = Source::load(&visit, &source).await?;
    Ok(page(&Setup {
        frame: visit.frame(format!("{} – set it up", source.name)),
        tabs: source.tabs("setup", &visit),
        values: visit.find(format!("/sources/{name}/setup")).await?,
        may_make: visit.may("POST", "/sources/{source}/tokens"),
        source,
    }))
}
