//! `/orders`: from the request for a new room to the room in use.

mod check;
mod fields;
mod logo;
mod steps;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::StatusCode;
use serde::Deserialize;
use usher_core::{OrderId, OrderState, Role};
use usher_engine::{Engine, EngineError};
use usher_storage::query::order::OrderRow;
use usher_storage::{Tx, query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::{Page, Paging};
use super::problem::Problems;
use super::view::{OrderDetails, OrderMailView, OrderView, PlanView, SourceSaysView, order};
use super::write::{Write, still};
use super::{ApiError, Caller, name};
use crate::AppState;
use crate::pull::{Readers, about_group};

pub(crate) use fields::OrderInput;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, edit))
        .routes(routes!(mail))
        .routes(routes!(plan))
        .merge(check::router())
        .merge(steps::router())
        .merge(logo::router())
}

/// Which orders.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those of this requester alone, by address. A requester sees their own in any case.
    requester: Option<String>,
    /// Those under way alone: neither live nor rejected nor withdrawn.
    #[serde(default)]
    open: bool,
    /// The newest first.
    #[serde(default)]
    newest: bool,
}

/// Orders in the order of their making, or the newest first.
#[utoipa::path(get, path = "/orders", tag = "orders", params(Filter, Paging),
    responses((status = 200, body = Page<OrderView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<OrderView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after::<OrderId>()?);
    let requester = match caller.role {
        // A requester's token without a subject belongs to nobody, who has no orders.
        Role::Requester => Some(caller.subject.unwrap_or_default()),
        _ => filter.requester.clone(),
    };
    let page = state
        .engine
        .read(move |tx| {
            let (requester, open, newest) = (requester.clone(), filter.open, filter.newest);
            Box::pin(async move {
                let requester = requester.as_deref();
                let rows = match newest {
                    true => query::order::newest(tx, requester, open, after, limit + 1).await?,
                    false => query::order::page(tx, requester, open, after, limit + 1).await?,
                };
                let (rows, next) = Page::<OrderView>::cut(rows, limit, |row| row.id);
                let mut items = Vec::with_capacity(rows.len());
                for row in rows {
                    items.push(order(tx, row).await?);
                }
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// Begins an order as a draft, and hands it to the vendor at once if `submit` is set.
#[utoipa::path(post, path = "/orders", tag = "orders", request_body = OrderInput,
    responses((status = 201, body = OrderView), Problems))]
async fn create(State(state): State<AppState>, write: Write<OrderInput>) -> Result<Response, ApiError> {
    let customer = state.config.organisation.name.clone();
    let caller = write.caller.clone();
    let says = if write.body.submit == Some(true) {
        of_input(&state.engine, &state.readers, &write.body).await
    } else {
        None
    };
    write
        .run(StatusCode::CREATED, move |unit, body| {
            let (customer, caller, says) = (customer.clone(), caller.clone(), says.clone());
            Box::pin(async move {
                let requester = requester(&caller, body.requester.as_deref())?;
                let fields = body.fields(unit.tx(), &customer).await?;
                let row = unit.create_order(fields, &requester).await?;
                let row = match body.submit {
                    Some(true) => unit.submit_order(row.id).await?.0,
                    _ => row,
                };
                Ok(OrderView {
                    source_says: says,
                    ..order(unit.tx(), row).await?
                })
            })
        })
        .await
}

/// Whose order it is: a requester's own, else whom the body names, else whom the token acts for.
fn requester(caller: &Caller, named: Option<&str>) -> Result<String, ApiError> {
    let own = caller.subject.as_deref();
    let chosen = match caller.role {
        Role::Requester => own,
        _ => named.or(own),
    };
    let chosen = chosen
        .ok_or_else(|| EngineError::invalid("requester", "say by e-mail address for whom the order is"))?;
    Ok(chosen.to_owned())
}

/// An order, by id or room name: who acts next, what is missing and since when.
#[utoipa::path(get, path = "/orders/{order}", tag = "orders",
    responses((status = 200, body = OrderDetails), Problems))]
async fn get(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<OrderDetails>, ApiError> {
    let id = visible(&state.engine, &caller, &id).await?;
    Ok(Json(details(&state.engine, &state.readers, id).await?))
}

/// An order with where it stands.
pub(crate) async fn details(
    engine: &Engine,
    readers: &Readers,
    id: OrderId,
) -> Result<OrderDetails, ApiError> {
    let mut shown = engine
        .read(move |tx| {
            Box::pin(async move {
                let row = query::order::by_id(tx, id)
                    .await?
                    .ok_or_else(|| EngineError::not_found("order", id))?;
                Ok::<_, ApiError>(order(tx, row).await?)
            })
        })
        .await?;
    if matters(shown.state) {
        shown.source_says = of_order(engine, readers, &shown).await;
    }
    Ok(OrderDetails {
        order: shown,
        status: engine.order_status(id).await?.into(),
        group_news: engine.order_group(id).await?.into(),
    })
}

/// Whether it still matters what a source says of an order's group: later its people show it.
const fn matters(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Draft | OrderState::Submitted | OrderState::Accepted | OrderState::RoomReady
    )
}

/// What the source of an order's group says of it, where it is read.
pub(crate) async fn of_order(
    engine: &Engine,
    readers: &Readers,
    order: &OrderView,
) -> Option<SourceSaysView> {
    let reader = readers.get(&order.source).ok()?;
    let says = about_group(engine, reader, &order.group, order.named_by).await;
    says.map(SourceSaysView::from)
}

/// The same for an order that is about to be made. What is wrong with it is told when it is made.
pub(crate) async fn of_input(
    engine: &Engine,
    readers: &Readers,
    input: &OrderInput,
) -> Option<SourceSaysView> {
    let (text, named) = (input.group.clone()?, input.source.clone());
    let source = engine
        .read(move |tx| {
            let named = named.clone();
            Box::pin(async move { name::source_or_only(tx, named.as_deref()).await })
        })
        .await
        .ok()?;
    let reader = readers.get(&source.name).ok()?;
    let named_by = name::naming(&source, &text, input.named_by);
    let says = about_group(engine, reader, &text, named_by).await;
    says.map(SourceSaysView::from)
}

/// Changes fields of an order that nobody accepted yet; those that are left out stay. `If-Match` with the version is
/// honoured.
#[utoipa::path(patch, path = "/orders/{order}", tag = "orders", request_body = OrderInput,
    responses((status = 200, body = OrderView), Problems))]
async fn edit(Path(id): Path<String>, write: Write<OrderInput>) -> Result<Response, ApiError> {
    let (caller, seen) = (write.caller.clone(), write.seen);
    write
        .run(StatusCode::OK, move |unit, body| {
            let (caller, id) = (caller.clone(), id.clone());
            Box::pin(async move {
                let before = own(unit.tx(), &caller, &id).await?;
                still(seen, before.version)?;
                let fields = body.changed(unit.tx(), &before).await?;
                let row = unit.change_order(before.id, fields).await?;
                Ok(order(unit.tx(), row).await?)
            })
        })
        .await
}

/// The filled-in order e-mail, for those who order by mail.
#[utoipa::path(get, path = "/orders/{order}/mail", tag = "orders",
    responses((status = 200, body = OrderMailView), Problems))]
async fn mail(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<OrderMailView>, ApiError> {
    let id = visible(&state.engine, &caller, &id).await?;
    Ok(Json(state.engine.order_mail(id).await?.into()))
}

/// What confirming the mapping of an accepted order would do.
#[utoipa::path(get, path = "/orders/{order}/plan", tag = "orders",
    responses((status = 200, body = PlanView), Problems))]
async fn plan(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<PlanView>, ApiError> {
    let id = visible(&state.engine, &caller, &id).await?;
    Ok(Json(planned(&state.engine, id).await?))
}

/// What confirming an order's mapping would do.
pub(crate) async fn planned(engine: &Engine, id: OrderId) -> Result<PlanView, ApiError> {
    let mapping = engine
        .read(move |tx| {
            Box::pin(async move {
                let row = query::order::by_id(tx, id)
                    .await?
                    .ok_or_else(|| EngineError::not_found("order", id))?;
                mapping_of(&row)
            })
        })
        .await?;
    Ok(engine.plan_mapping(mapping).await?.into())
}

/// The mapping that an order's acceptance made.
pub(crate) fn mapping_of(order: &OrderRow) -> Result<usher_core::MappingId, ApiError> {
    let refused = || {
        EngineError::refused(
            "order_not_accepted",
            format!("the order is {} and has no mapping yet", order.state),
            "accept the order first",
        )
    };
    Ok(order.mapping.ok_or_else(refused)?)
}

/// The room that an order's acceptance made.
pub(crate) fn room_of(order: &OrderRow) -> Result<usher_core::RoomId, ApiError> {
    let refused = || {
        EngineError::refused(
            "order_not_accepted",
            format!("the order is {} and has no room yet", order.state),
            "accept the order first",
        )
    };
    Ok(order.room.ok_or_else(refused)?)
}

/// The id of an order that the caller may see.
async fn visible(engine: &Engine, caller: &Caller, text: &str) -> Result<OrderId, ApiError> {
    let (caller, text) = (caller.clone(), text.to_owned());
    engine
        .read(move |tx| {
            let (caller, text) = (caller.clone(), text.clone());
            Box::pin(async move { Ok(own(tx, &caller, &text).await?.id) })
        })
        .await
}

/// The order, unless the caller is a requester and it is somebody else's: then there is none.
async fn own(tx: &mut Tx<'_>, caller: &Caller, text: &str) -> Result<OrderRow, EngineError> {
    let order = name::order(tx, text).await?;
    let mine = caller
        .subject
        .as_ref()
        .is_some_and(|subject| subject.trim().to_lowercase() == order.requester);
    if caller.role == Role::Requester && !mine {
        return Err(EngineError::not_found("order", text));
    }
    Ok(order)
}
