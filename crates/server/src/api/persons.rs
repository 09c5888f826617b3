//! `/persons`: people, their accounts, and who may be the same as whom.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use usher_core::PersonId;
use usher_engine::history;
use usher_storage::query::{self, person_search};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::{Page, Paging};
use super::problem::Problems;
use super::view::{PersonDetails, PersonView, StayView, details, stays};
use super::write::{Write, inputs};
use super::{ApiError, name};
use crate::AppState;

/// The most people that one way of looking finds.
const MOST_FOUND: u32 = 100;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(find))
        .routes(routes!(get))
        .routes(routes!(all_stays))
        .routes(routes!(link))
}

/// Whom to look for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Search {
    /// The whole address, in any case.
    email: Option<String>,
    /// How the address, the name, or the name after its first word begins, in any case: at most 100 people by each.
    search: Option<String>,
}

/// A person, and how much there is of them.
#[derive(Debug, Serialize, ToSchema)]
struct PersonItemView {
    /// The person.
    #[serde(flatten)]
    person: PersonView,
    /// In how many rooms they are.
    rooms: i64,
    /// How many accounts they have that may be used.
    accounts: i64,
}

/// People with an address, of which several people may have one; people by how they are called; or everybody, the newest
/// first.
#[utoipa::path(get, path = "/persons", tag = "persons", params(Search, Paging),
    responses((status = 200, body = Page<PersonItemView>), Problems))]
async fn find(
    State(state): State<AppState>,
    Query(search): Query<Search>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<PersonItemView>>, ApiError> {
    let (limit, before) = (paging.limit()?, paging.after::<PersonId>()?);
    let page = state
        .engine
        .read(move |tx| {
            let search = search.clone();
            Box::pin(async move {
                let text = search
                    .search
                    .as_deref()
                    .map(str::trim)
                    .filter(|text| !text.is_empty());
                let (rows, next) = match (&search.email, text) {
                    (Some(email), _) => (query::person::by_email(tx, email).await?, None),
                    (None, Some(text)) => (person_search::beginning_with(tx, text, MOST_FOUND).await?, None),
                    (None, None) => {
                        let rows = person_search::newest(tx, before, limit + 1).await?;
                        Page::<PersonItemView>::cut(rows, limit, |row| row.id)
                    }
                };
                let counts = person_search::counts(tx, rows.iter().map(|row| row.id)).await?;
                let items = rows.into_iter().map(|row| {
                    let (rooms, accounts) = counts.get(&row.id).copied().unwrap_or_default();
                    PersonItemView {
                        person: row.into(),
                        rooms,
                        accounts,
                    }
                });
                Ok::<_, ApiError>(Page {
                    items: items.collect(),
                    next,
                })
            })
        })
        .await?;
    Ok(Json(page))
}

/// All stays of a person in all rooms with their periods and levels, newest first.
#[utoipa::path(get, path = "/persons/{person}/stays", tag = "persons",
    responses((status = 200, body = Page<StayView>), Problems))]
async fn all_stays(
    State(state): State<AppState>,
    Path(person): Path<String>,
) -> Result<Json<Page<StayView>>, ApiError> {
    let items = state
        .engine
        .read(move |tx| {
            let person = person.clone();
            Box::pin(async move {
                let person = name::person(tx, &person).await?.id;
                let found = history::of_person(tx, person).await?;
                Ok::<_, ApiError>(stays(tx, found).await?)
            })
        })
        .await?;
    Ok(Json(Page::whole(items)))
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
