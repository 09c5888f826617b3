//! `/sources/{source}/requests`: what an identity provider sent lately.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use usher_storage::query::request_log::{self, RequestRow};
use utoipa::{IntoParams, ToSchema};

use crate::AppState;
use crate::api::extract::{Path, Query};
use crate::api::page::{Page, Paging};
use crate::api::problem::Problems;
use crate::api::words::Time;
use crate::api::{ApiError, name};

/// Which requests.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those alone that were refused.
    #[serde(default)]
    refused: bool,
}

/// A request of an identity provider. Addresses and names are left out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RequestView {
    /// When it was answered.
    at: Time,
    /// The id that it has in logs and in the events that it caused.
    request_id: String,
    /// How the client calls itself.
    client: String,
    /// The method.
    method: String,
    /// The path below the source's SCIM root.
    path: String,
    /// The status of the answer.
    status: u16,
    /// How long it took.
    microseconds: i64,
    /// How many requests are left out before it.
    skipped: i64,
    /// Why it was refused.
    reason: Option<String>,
}

impl From<RequestRow> for RequestView {
    fn from(row: RequestRow) -> Self {
        Self {
            at: row.at.into(),
            request_id: row.request_id,
            client: row.caller,
            method: row.method,
            path: row.path,
            status: row.status,
            microseconds: row.micros,
            skipped: row.skipped,
            reason: row.reason,
        }
    }
}

/// What an identity provider sent lately, the newest first: everything that was refused, and of what was done a sample. The
/// newest few seconds are missing.
#[utoipa::path(get, path = "/sources/{source}/requests", tag = "sources", params(Which, Paging),
    responses((status = 200, body = Page<RequestView>), Problems))]
pub(super) async fn list(
    State(state): State<AppState>,
    Path(source): Path<String>,
    Query(which): Query<Which>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<RequestView>>, ApiError> {
    let limit = paging.limit()?;
    let before = match &paging.cursor {
        Some(cursor) => cursor
            .parse()
            .map_err(|_| ApiError::malformed("cursor", "use `next` of the page before as it is"))?,
        None => i64::MAX,
    };
    let mut rows = state
        .engine
        .read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let source = name::source(tx, &source).await?.key;
                Ok::<_, ApiError>(request_log::page(tx, source, which.refused, before, limit + 1).await?)
            })
        })
        .await?;
    let goes_on = rows.len() as u64 > u64::from(limit);
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| goes_on).map(|row| row.id.to_string());
    Ok(Json(Page {
        items: rows.into_iter().map(RequestView::from).collect(),
        next,
    }))
}
