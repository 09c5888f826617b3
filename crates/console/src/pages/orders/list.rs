//! `/orders`: all orders, those under way first of all.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

use super::Order;
use crate::Failure;
use crate::frame::Frame;
use crate::html::{Length, Page, Pager};
use crate::render::page;
use crate::visit::{Site, Visit, query};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/orders", get(list))
}

#[derive(Template)]
#[template(path = "orders/list.html")]
struct List {
    frame: Frame,
    orders: Vec<Order>,
    pager: Pager,
    all: bool,
    may_order: bool,
}

impl List {
    fn since(&self, order: &Order) -> Length {
        Length::between(order.since, self.frame.now)
    }
}

async fn list(visit: Visit) -> Result<Response, Failure> {
    let (all, cursor) = (visit.query("all") == "yes", visit.query("cursor"));
    let open = if all { "" } else { "true" };
    let wanted = query(&[("newest", "true"), ("open", open), ("cursor", &cursor)]);
    let found: Page<Order> = visit.get(format!("/orders{wanted}")).await?;
    let filters = [("all", if all { "yes" } else { "" })];
    Ok(page(&List {
        frame: visit.frame("Orders"),
        pager: Pager::new("/orders", &filters, &cursor, found.next.as_deref()),
        orders: found.items,
        all,
        may_order: visit.may("GET", "/orders/new"),
    }))
}
