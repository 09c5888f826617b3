//! The order form: new, changed, and checked while it is filled in.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::show::again;
use super::{Order, logo};
use crate::frame::Frame;
use crate::html::{Badge, Tone};
use crate::render::page_after;
use crate::visit::{Site, Visit, segment};
use crate::{Failure, File, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/orders/new", get(new))
        .route("/orders", axum::routing::post(create))
        .route("/orders/{order}/edit", get(edit).post(change))
}

/// The fields as they are typed: every one of them a text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    customer: String,
    room_name: String,
    administrator: String,
    all_content: String,
    model: String,
    features: String,
    source: String,
    group: String,
    expected: String,
    requester: String,
    /// Set by the button that only checks.
    check: String,
}

/// What a form may choose from.
#[derive(Debug, Clone, Default, Deserialize)]
struct Choices {
    #[serde(default)]
    customer: String,
    #[serde(default)]
    domains: Vec<String>,
    #[serde(default)]
    sources: Vec<SourceChoice>,
}

#[derive(Debug, Clone, Deserialize)]
struct SourceChoice {
    name: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    group_by_id: bool,
}

/// What a check found.
#[derive(Debug, Clone, Deserialize)]
struct Finding {
    verdict: String,
    text: String,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Findings {
    findings: Vec<Finding>,
}

impl Finding {
    fn badge(&self) -> Badge {
        match self.verdict.as_str() {
            "good" => Badge::new(Tone::Good, "Good"),
            "bad" => Badge::new(Tone::Bad, "To mend"),
            "warning" => Badge::new(Tone::Waiting, "To know"),
            _ => Badge::new(Tone::Calm, "Not known yet"),
        }
    }

    fn sentence(&self) -> String {
        crate::failure::sentence(&self.text)
    }

    fn next_sentence(&self) -> String {
        crate::failure::sentence(self.next.as_deref().unwrap_or_default())
    }
}

#[derive(Template)]
#[template(path = "orders/form.html")]
struct Form {
    frame: Frame,
    fields: Fields,
    choices: Choices,
    /// The order that is changed.
    order: Option<String>,
    checked: Option<Vec<Finding>>,
    names_requester: bool,
}

impl Form {
    fn action(&self) -> String {
        match &self.order {
            Some(order) => format!("/orders/{}/edit", segment(order)),
            None => "/orders".to_owned(),
        }
    }

    fn check_address(&self) -> String {
        match &self.order {
            Some(order) => format!("/orders/{}/edit", segment(order)),
            None => "/orders/new".to_owned(),
        }
    }

    fn is_source(&self, name: &str) -> bool {
        self.fields.source == name
    }

    fn kind_hint(&self) -> &'static str {
        let by_id = match self.choices.sources.as_slice() {
            [only] => only.group_by_id,
            several => several
                .iter()
                .any(|source| source.kind == "entra" || source.group_by_id),
        };
        if by_id {
            "The group's object id, a GUID such as 6f1c2c3e-…: copy it from the group's page at the provider."
        } else {
            "The group's name exactly as the provider shows it, or its id."
        }
    }
}

impl Fields {
    /// From the address of the page: what a check carries.
    fn of_query(visit: &Visit) -> Self {
        Self {
            customer: visit.query("customer"),
            room_name: visit.query("room_name"),
            administrator: visit.query("administrator"),
            all_content: visit.query("all_content"),
            model: visit.query("model"),
            features: visit.query("features"),
            source: visit.query("source"),
            group: visit.query("group"),
            expected: visit.query("expected"),
            requester: visit.query("requester"),
            check: String::new(),
        }
    }

    fn of_order(order: &Order) -> Self {
        Self {
            customer: order.customer.clone(),
            room_name: order.room_name.clone(),
            administrator: order.administrator.clone(),
            all_content: if order.all_content { "yes" } else { "no" }.to_owned(),
            model: order.model.clone(),
            features: order.features.join("\n"),
            source: order.source.clone(),
            group: order.group.clone(),
            expected: order.expected.to_string(),
            requester: order.requester.clone(),
            check: String::new(),
        }
    }

    fn is_empty(&self) -> bool {
        [&self.room_name, &self.administrator, &self.group]
            .iter()
            .all(|text| text.trim().is_empty())
    }

    /// What the API takes: fields that are empty are left out, so that the API says which are missing.
    fn body(&self, with_requester: bool) -> Result<Value, Failure> {
        let mut body = json!({});
        let mut put = |name: &str, text: &str| {
            if !text.trim().is_empty() {
                body[name] = Value::String(text.trim().to_owned());
            }
        };
        put("customer", &self.customer);
        put("room_name", &self.room_name);
        put("administrator", &self.administrator);
        put("source", &self.source);
        put("group", &self.group);
        if matches!(self.model.as_str(), "open" | "closed") {
            put("model", &self.model);
        }
        if with_requester {
            put("requester", &self.requester);
        }
        body["all_content"] = Value::Bool(self.all_content == "yes");
        let features = self
            .features
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        body["features"] = features.collect();
        if !self.expected.trim().is_empty() {
            let expected: u32 = self.expected.trim().parse().map_err(|_| wrong_number())?;
            body["expected"] = expected.into();
        }
        Ok(body)
    }
}

/// Told as the API would, so that the page shows it at the field.
fn wrong_number() -> Failure {
    Failure::invalid(
        "expected",
        "write how many people are expected as a number, such as 25",
    )
}

async fn new(visit: Visit) -> Result<Response, Failure> {
    let asked = Fields::of_query(&visit);
    if asked.is_empty() {
        return show(&visit, asked, None, None, None).await;
    }
    checked(&visit, asked, None).await
}

async fn edit(visit: Visit, Path(order): Path<String>) -> Result<Response, Failure> {
    let asked = Fields::of_query(&visit);
    if !asked.is_empty() {
        return checked(&visit, asked, Some(order)).await;
    }
    let found: Order = visit.get(format!("/orders/{}", segment(&order))).await?;
    show(&visit, Fields::of_order(&found), Some(order), None, None).await
}

async fn create(visit: Visit, posted: Posted<Fields>) -> Result<Response, Failure> {
    let fields = posted.form;
    if !fields.check.is_empty() {
        return checked(&visit, fields, None).await;
    }
    let made = match fields.body(!visit.is(usher_core::Role::Requester)) {
        Ok(body) => visit.post::<Order>("/orders", body, posted.once).await,
        Err(failure) => Err(failure),
    };
    match made {
        Ok(order) => kept(&visit, &order.id.to_string(), posted.files, "order-made").await,
        Err(failure) => show(&visit, fields, None, None, Some(&failure.refusal()?)).await,
    }
}

async fn change(
    visit: Visit,
    Path(order): Path<String>,
    posted: Posted<Fields>,
) -> Result<Response, Failure> {
    let fields = posted.form;
    if !fields.check.is_empty() {
        return checked(&visit, fields, Some(order)).await;
    }
    let at = format!("/orders/{}", segment(&order));
    let changed = match fields.body(false) {
        Ok(body) => visit.write(Method::PATCH, at, body, posted.once).await,
        Err(failure) => Err(failure),
    };
    match changed {
        Ok(_) => kept(&visit, &order, posted.files, "order-changed").await,
        Err(failure) => show(&visit, fields, Some(order), None, Some(&failure.refusal()?)).await,
    }
}

/// On to the order's page. A logo that is refused does not undo the order: its page says why, and takes another.
async fn kept(visit: &Visit, order: &str, files: Vec<File>, word: &str) -> Result<Response, Failure> {
    let at = format!("/orders/{}", segment(order));
    if let Some(logo) = logo::chosen(files)
        && let Err(failure) = visit.call(logo::put(&at, logo)).await
    {
        return again(visit, order, failure).await;
    }
    Ok(visit.done(&at, word))
}

/// The form with what a check finds of it.
async fn checked(visit: &Visit, fields: Fields, order: Option<String>) -> Result<Response, Failure> {
    let found = check(visit, &fields, order.as_deref()).await?;
    show(visit, fields, order, Some(found), None).await
}

async fn check(visit: &Visit, fields: &Fields, order: Option<&str>) -> Result<Vec<Finding>, Failure> {
    let mut body = match fields.body(false) {
        Ok(mut body) => {
            let of_a_check = ["room_name", "administrator", "source", "group", "expected"];
            if let Some(body) = body.as_object_mut() {
                body.retain(|name, _| of_a_check.contains(&name.as_str()));
            }
            body
        }
        Err(failure) => {
            return Ok(vec![Finding {
                verdict: "bad".into(),
                text: failure.message().text,
                next: None,
            }]);
        }
    };
    if let Some(order) = order {
        body["order"] = order.into();
    }
    match visit.post::<Findings>("/order-check", body, None).await {
        Ok(found) => Ok(found.findings),
        Err(failure) if failure.is_refusal() => Ok(vec![Finding {
            verdict: "bad".into(),
            text: failure.message().text,
            next: Some(failure.message().next),
        }]),
        Err(failure) => Err(failure),
    }
}

async fn show(
    visit: &Visit,
    mut fields: Fields,
    order: Option<String>,
    checked: Option<Vec<Finding>>,
    failure: Option<&Failure>,
) -> Result<Response, Failure> {
    let choices: Choices = visit.get("/order-choices").await?;
    if fields.customer.is_empty() {
        fields.customer.clone_from(&choices.customer);
    }
    if fields.requester.is_empty() {
        fields.requester = visit.viewer.email.clone().unwrap_or_default();
    }
    let title = if order.is_some() {
        "Change the order"
    } else {
        "Order a room"
    };
    let form = Form {
        frame: visit.frame(title).with(failure),
        fields,
        choices,
        names_requester: order.is_none() && !visit.is(usher_core::Role::Requester),
        order,
        checked,
    };
    Ok(page_after(failure, &form))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn empty_fields_are_left_out_and_numbers_are_numbers() {
        let fields = Fields {
            room_name: " Board ".into(),
            expected: "12".into(),
            features: "Voting\n\nSigning ".into(),
            model: "<b>".into(),
            ..Fields::default()
        };
        let body = fields.body(true).unwrap();
        assert_eq!(
            body,
            json!({ "room_name": "Board", "all_content": false, "features": ["Voting", "Signing"], "expected": 12 })
        );
        let wrong = Fields {
            expected: "many".into(),
            ..fields
        };
        assert_eq!(
            wrong.body(true).unwrap_err().status(),
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
}
