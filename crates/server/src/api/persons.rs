//! `/persons`: people, their accounts, and who may be the same as whom.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_storage::query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::Page;
use super::problem::Problems;
use super::view::{PersonDetails, PersonView, details};
use super::write::{Write, inputs};
use super::{ApiError, name};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(find))
        .routes(routes!(get))
        .routes(routes!(link))
}

/// Whom to look for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Search {
    /// The whole address, in any case.
    email: String,
}

/// People with an address. Several people may have one.
#[utoipa::path(get, path = "/persons", tag = "persons", params(Search),
    responses((status = 200, body = Page<PersonView>), Problems))]
async fn find(
    State(state): State<AppState>,
    Query(search): Query<Search>,
) -> Result<Json<Page<PersonView>>, ApiError> {
    let rows = state
        .engine
        .read(move |tx| {
            let email = search.email.clone();
            Box::pin(async move { Ok::<_, ApiError>(query::person::by_email(tx, &email).await?) })
        })
        .await?;
    Ok(Json(Page::whole(
        rows.into_iter().map(PersonView::from).collect(),
    )))
}

/// A person, by id or address, with accounts, memberships, and those who may be the same.
#[utoipa::path(get, path = "/persons/{person}", tag = "persons",
    responses((status = 200, body = PersonDetails), Problems))]
async fn get(
    State(state): State<AppState>,
    Path(person): Path<String>,
) -> Result<Json<PersonDetails>, ApiError> {
    let view = state
        .engine
        .read(move |tx| {
            let person = person.clone();
            Box::pin(async move {
                let row = name::person(tx, &person).await?;
                Ok::<_, ApiError>(details(tx, row).await?)
            })
        })
        .await?;
    Ok(Json(view))
}

/// Who turned out to be the same.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PersonLink {
    /// The other person, by id: their accounts and memberships become those of the one in the path.
    other: String,
    /// How it is known that the two are one; needed.
    reason: Option<String>,
}

inputs!(PersonLink);

/// Links two people who are one.
#[utoipa::path(post, path = "/persons/{person}/link", tag = "persons", request_body = PersonLink,
    responses((status = 200, body = PersonDetails), Problems))]
async fn link(Path(person): Path<String>, write: Write<PersonLink>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, body| {
            let person = person.clone();
            Box::pin(async move {
                let kept = name::person(unit.tx(), &person).await?.id;
                let other = name::person(unit.tx(), &body.other).await?.id;
                let row = unit.link_people(kept, other).await?;
                unit.settle_now().await?;
                Ok(details(unit.tx(), row).await?)
            })
        })
        .await
}
