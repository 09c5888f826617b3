//! `/orders`: all orders, those under way first of all.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

use super::Order;
use crate::Failure;
use crate::frame::Frame;
use crate::html::{Length, Pager};
use crate::render::page;
use crate::visit::{Site, Visit};

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
    let all = visit.query("all") == "yes";
    let asked = [("newest", "true"), ("open", if all { "" } else { "true" })];
    let filters = [("all", if all { "yes" } else { "" })];
    let (orders, pager) = visit.list("/orders", &asked, "/orders", &filters).await?;
    Ok(page(&List {
        frame: visit.frame("Orders"),
        orders,
        pager,
        all,
        may_order: visit.may("GET", "/orders/new"),
    }))
}
