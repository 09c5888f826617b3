//! `/sources`: the connections to identity providers, and how fresh what they said is.

use axum::Json;
use axum::extract::State;
use usher_storage::query::source::SourceRow;
use usher_storage::{StorageError, Tx, query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Path;
use super::page::Page;
use super::problem::Problems;
use super::view::SourceView;
use super::words::Time;
use super::{ApiError, name};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
}

/// Every source, configured or not, by name.
#[utoipa::path(get, path = "/sources", tag = "sources",
    responses((status = 200, body = Page<SourceView>), Problems))]
async fn list(State(state): State<AppState>) -> Result<Json<Page<SourceView>>, ApiError> {
    let items = state
        .engine
        .read(|tx| Box::pin(async move { Ok::<_, ApiError>(all(tx).await?) }))
        .await?;
    Ok(Json(Page::whole(items)))
}

/// A source.
#[utoipa::path(get, path = "/sources/{source}", tag = "sources",
    responses((status = 200, body = SourceView), Problems))]
async fn get(
    State(state): State<AppState>,
    Path(source): Path<String>,
) -> Result<Json<SourceView>, ApiError> {
    let view = state
        .engine
        .read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let row = name::source(tx, &source).await?;
                Ok::<_, ApiError>(view(tx, row).await?)
            })
        })
        .await?;
    Ok(Json(view))
}

/// Every source with its counts.
pub(crate) async fn all(tx: &mut Tx<'_>) -> Result<Vec<SourceView>, StorageError> {
    let mut items = Vec::new();
    for row in query::source::all(tx).await? {
        items.push(view(tx, row).await?);
    }
    Ok(items)
}

async fn view(tx: &mut Tx<'_>, row: SourceRow) -> Result<SourceView, StorageError> {
    let last_write = query::source::last_write(tx, row.key).await?;
    let users = query::user::count(tx, row.key).await?;
    let groups = query::group::count(tx, row.key).await?;
    Ok(SourceView::new(row, last_write.map(Time), users, groups))
}
