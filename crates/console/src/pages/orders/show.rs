//! `/orders/{order}`: how far an order is, who acts next, and the form of the next step.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::Order;
use super::steps::Acceptance;
use super::wire::{Details, Status};
use crate::Failure;
use crate::frame::Frame;
use crate::html::{Length, PersonName};
use crate::plan::{GroupNews, Plan};
use crate::render::page_after;
use crate::visit::{Site, Visit, query, segment};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/orders/{order}", get(show))
}

#[derive(Template)]
#[template(path = "orders/show.html")]
struct Show {
    frame: Frame,
    order: Order,
    status: Status,
    group: GroupNews,
    plan: Option<Plan>,
    mail: Option<Mail>,
    accept: Acceptance,
    choices: Choices,
    /// People who may be meant where several have the administrator's address.
    namesakes: Vec<PersonName>,
    may: May,
}

/// Which forms the viewer may send.
struct May {
    order: bool,
    vendor: bool,
    rooms: bool,
}

#[derive(Debug, Deserialize)]
struct Mail {
    subject: String,
    text: String,
    mailto: String,
}

#[derive(Debug, Default, Deserialize)]
struct Choices {
    #[serde(default)]
    levels: Vec<LevelChoice>,
}

#[derive(Debug, Deserialize)]
struct LevelChoice {
    key: String,
    label: String,
}

/// A step of the way, for the list of steps.
struct Step {
    title: &'static str,
    text: &'static str,
    class: &'static str,
}

const STEPS: [(&str, &str); 7] = [
    (
        "Order sent",
        "The requester fills in the order and sends it to the vendor.",
    ),
    (
        "Accepted",
        "The vendor looks at it and accepts it. A set-up user of theirs prepares the room.",
    ),
    ("Room made", "The room exists in the portal and has its address."),
    (
        "Mapping confirmed",
        "Somebody looked at who will get in and said yes. From now on the group may be added.",
    ),
    (
        "First people in",
        "The group is added to the application at the identity provider, and people arrive.",
    ),
    (
        "Administrator found",
        "The administrator whom the order names is in the room.",
    ),
    (
        "Live",
        "The administrator runs the room, and the set-up user has left.",
    ),
];

impl Show {
    fn steps(&self) -> Vec<Step> {
        let place = self.order.place().unwrap_or_default();
        let closed = self.order.is_closed();
        STEPS
            .iter()
            .enumerate()
            .map(|(n, &(title, text))| Step {
                title,
                text,
                class: match n {
                    n if n < place => "done",
                    n if n == place && !closed => "now",
                    _ => "",
                },
            })
            .collect()
    }

    fn is(&self, state: &str) -> bool {
        self.order.state == state
    }

    /// Before it is accepted, an order may still be changed.
    fn is_open_to_change(&self) -> bool {
        matches!(self.order.state.as_str(), "draft" | "submitted")
    }

    /// Before it is live, an order may be taken back or rejected.
    fn is_under_way(&self) -> bool {
        !matches!(self.order.state.as_str(), "live" | "rejected" | "withdrawn")
    }

    fn since(&self) -> Length {
        Length::between(self.order.since, self.frame.now)
    }

    fn missing(&self) -> Vec<String> {
        self.status
            .missing
            .iter()
            .map(|text| crate::failure::sentence(text))
            .collect()
    }

    fn percent(&self) -> i64 {
        let expected = i64::from(self.status.expected).max(1);
        (self.status.arrived * 100 / expected).clamp(0, 100)
    }
}

async fn show(visit: Visit, Path(order): Path<String>) -> Result<Response, Failure> {
    look(&visit, &order, None, Acceptance::default()).await
}

/// The page once more, with what was refused; other failures take the whole page.
pub(super) async fn again(visit: &Visit, order: &str, failure: Failure) -> Result<Response, Failure> {
    look(visit, order, Some(&failure.refusal()?), Acceptance::default()).await
}

pub(super) async fn look(
    visit: &Visit,
    order: &str,
    failure: Option<&Failure>,
    accept: Acceptance,
) -> Result<Response, Failure> {
    let at = format!("/orders/{}", segment(order));
    let Details {
        order,
        status,
        group_news,
    } = visit.get(at.as_str()).await?;
    let may = May {
        order: visit.may("POST", "/orders/{order}/submit"),
        vendor: visit.may("POST", "/orders/{order}/accept"),
        rooms: visit.may("GET", "/rooms/{room}"),
    };
    let plan = if order.state == "room_ready" && !visit.is(usher_core::Role::Requester) {
        Some(visit.get(format!("{at}/plan")).await?)
    } else {
        None
    };
    let mail = match order.state.as_str() {
        "draft" | "submitted" => visit.find(format!("{at}/mail")).await?,
        _ => None,
    };
    let choices = if may.vendor && order.state == "submitted" {
        visit.get("/order-choices").await?
    } else {
        Choices::default()
    };
    let namesakes = if status.administrator == "ambiguous" && may.rooms {
        let wanted = query(&[("email", &order.administrator)]);
        visit
            .get::<crate::html::Page<PersonName>>(format!("/persons{wanted}"))
            .await?
            .items
    } else {
        Vec::new()
    };
    let shown = Show {
        frame: visit.frame(order.room_name.clone()).with(failure),
        order,
        status,
        group: group_news,
        plan,
        mail,
        accept,
        choices,
        namesakes,
        may,
    };
    Ok(page_after(failure, &shown))
}
