//! The steps of an order, each by whoever acts next.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_core::Rejoin;
use usher_engine::mapping::Terms;
use usher_engine::order::{Acceptance, BootstrapUser};
use usher_storage::query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{details, mapping_of, own, planned, room_of, visible};
use crate::AppState;
use crate::api::extract::Path;
use crate::api::problem::Problems;
use crate::api::rooms::PortalRoom;
use crate::api::view::{OrderView, order};
use crate::api::write::{Because, Confirmation, Write, inputs, or_new_plan};
use crate::api::{ApiError, name, words};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(submit))
        .routes(routes!(withdraw))
        .routes(routes!(reject))
        .routes(routes!(accept))
        .routes(routes!(room_ready))
        .routes(routes!(confirm))
        .routes(routes!(administrator))
        .routes(routes!(raise_administrator))
        .routes(routes!(end_bootstrap))
        .routes(routes!(go_live))
}

/// Hands an order to the vendor.
#[utoipa::path(post, path = "/orders/{order}/submit", tag = "orders", request_body = Because,
    responses((status = 200, body = OrderView), Problems))]
async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<Because>,
) -> Result<Response, ApiError> {
    let caller = write.caller.clone();
    let found = visible(&state.engine, &caller, &id).await?;
    let says = details(&state.engine, &state.readers, found)
        .await?
        .order
        .source_says;
    write
        .run(StatusCode::OK, move |unit, _body| {
            let (caller, id, says) = (caller.clone(), id.clone(), says.clone());
            Box::pin(async move {
                let id = own(unit.tx(), &caller, &id).await?.id;
                let (row, _mail) = unit.submit_order(id).await?;
                Ok(OrderView {
                    source_says: says,
                    ..order(unit.tx(), row).await?
                })
            })
        })
        .await
}

/// Takes an order back. A reason is needed.
#[utoipa::path(post, path = "/orders/{order}/withdraw", tag = "orders", request_body = Because,
    responses((status = 200, body = OrderView), Problems))]
async fn withdraw(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    let caller = write.caller.clone();
    write
        .run(StatusCode::OK, move |unit, body| {
            let (caller, id) = (caller.clone(), id.clone());
            Box::pin(async move {
                let id = own(unit.tx(), &caller, &id).await?.id;
                let reason = body.reason.clone().unwrap_or_default();
                let row = unit.withdraw_order(id, &reason).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}

/// Says no to an order. A reason is needed; the requester reads it.
#[utoipa::path(post, path = "/orders/{order}/reject", tag = "orders", request_body = Because,
    responses((status = 200, body = OrderView), Problems))]
async fn reject(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, body| {
            let id = id.clone();
            Box::pin(async move {
                let id = name::order(unit.tx(), &id).await?.id;
                let reason = body.reason.clone().unwrap_or_default();
                let row = unit.reject_order(id, &reason).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}

/// What support adds to an order when it accepts it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcceptInput {
    /// The vendor's internal user who sets the room up.
    bootstrap: BootstrapInput,
    /// The level at which people start; the lowest that sources may give when left out.
    #[serde(default)]
    level: Option<String>,
    /// What happens when somebody comes back; `ask` when left out.
    #[serde(default)]
    #[schema(value_type = Option<words::Rejoin>)]
    rejoin: Option<Rejoin>,
    /// For `auto`: within how many days.
    #[serde(default)]
    rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too; only for a source that is read.
    #[serde(default)]
    nested: Option<bool>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// The vendor's internal user who sets a room up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BootstrapInput {
    /// The name that people see.
    name: String,
    /// The address.
    email: String,
}

/// An administrator's address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AdministratorInput {
    /// The company address.
    administrator: String,
    /// Which person is meant, by id, where several have the address.
    #[serde(default)]
    person: Option<String>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(AcceptInput, AdministratorInput);

/// Accepts an order: makes the room, the vendor's internal user in it, and the mapping, still pending.
#[utoipa::path(post, path = "/orders/{order}/accept", tag = "orders", request_body = AcceptInput,
    responses((status = 200, body = OrderView), Problems))]
async fn accept(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<AcceptInput>,
) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, body| {
            let (id, readers) = (id.clone(), state.readers.clone());
            Box::pin(async move {
                let named = name::order(unit.tx(), &id).await?;
                readers
                    .refuse_nested(unit.tx(), named.source, body.nested)
                    .await?;
                let id = named.id;
                let acceptance = Acceptance {
                    bootstrap: BootstrapUser {
                        name: body.bootstrap.name.clone(),
                        email: body.bootstrap.email.clone(),
                    },
                    terms: Terms {
                        level: body.level.clone(),
                        rejoin: body.rejoin,
                        rejoin_days: body.rejoin_days,
                        nested: body.nested,
                    },
                };
                let row = unit.accept_order(id, acceptance).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}

/// Reports the portal's id and address of an order's room.
#[utoipa::path(post, path = "/orders/{order}/room-ready", tag = "orders", request_body = PortalRoom,
    responses((status = 200, body = OrderView), Problems))]
async fn room_ready(Path(id): Path<String>, write: Write<PortalRoom>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, body| {
            let id = id.clone();
            Box::pin(async move {
                let row = name::order(unit.tx(), &id).await?;
                unit.room_ready(room_of(&row)?, &body.portal_id, &body.url)
                    .await?;
                let row = name::order(unit.tx(), &row.id.to_string()).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}

/// Confirms the mapping of an order as the plan with this digest showed it.
#[utoipa::path(post, path = "/orders/{order}/confirm", tag = "orders", request_body = Confirmation,
    responses((status = 200, body = OrderView), Problems))]
async fn confirm(
    State(state): State<AppState>,
    Path(text): Path<String>,
    write: Write<Confirmation>,
) -> Result<Response, ApiError> {
    let name = text.clone();
    let id = state
        .engine
        .read(move |tx| {
            let name = name.clone();
            Box::pin(async move { Ok::<_, ApiError>(name::order(tx, &name).await?.id) })
        })
        .await?;
    let result = write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let row = name::order(unit.tx(), &id.to_string()).await?;
                unit.confirm_mapping(mapping_of(&row)?, &body.digest).await?;
                let row = query::order::by_id(unit.tx(), id).await?.unwrap_or(row);
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await;
    or_new_plan(result, planned(&state.engine, id)).await
}

/// Names another administrator, or says which person is meant.
#[utoipa::path(post, path = "/orders/{order}/administrator", tag = "orders", request_body = AdministratorInput,
    responses((status = 200, body = OrderView), Problems))]
async fn administrator(
    Path(id): Path<String>,
    write: Write<AdministratorInput>,
) -> Result<Response, ApiError> {
    let caller = write.caller.clone();
    write
        .run(StatusCode::OK, move |unit, body| {
            let (caller, id) = (caller.clone(), id.clone());
            Box::pin(async move {
                let id = own(unit.tx(), &caller, &id).await?.id;
                let mut row = unit.change_administrator(id, &body.administrator).await?;
                if let Some(person) = &body.person {
                    let person = name::person(unit.tx(), person).await?.id;
                    row = unit.bind_administrator(id, person).await?;
                }
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}

/// Gives the order's administrator the administrator level.
#[utoipa::path(post, path = "/orders/{order}/raise-administrator", tag = "orders", request_body = Because,
    responses((status = 200, body = OrderView), Problems))]
async fn raise_administrator(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, _body| {
            let id = id.clone();
            Box::pin(async move {
                let id = name::order(unit.tx(), &id).await?.id;
                let row = unit.raise_administrator(id).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}

/// Ends the membership of the vendor's internal user, once an administrator is active.
#[utoipa::path(post, path = "/orders/{order}/end-bootstrap", tag = "orders", request_body = Because,
    responses((status = 200, body = OrderView), Problems))]
async fn end_bootstrap(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, _body| {
            let id = id.clone();
            Box::pin(async move {
                let id = name::order(unit.tx(), &id).await?.id;
                let row = unit.finish_bootstrap(id).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}

/// Puts the room of an order in use.
#[utoipa::path(post, path = "/orders/{order}/go-live", tag = "orders", request_body = Because,
    responses((status = 200, body = OrderView), Problems))]
async fn go_live(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, _body| {
            let id = id.clone();
            Box::pin(async move {
                let id = name::order(unit.tx(), &id).await?.id;
                let row = unit.go_live(id).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}
