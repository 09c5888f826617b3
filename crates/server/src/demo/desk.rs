//! What people do by the API, each with a token of their own.

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// How many plans are looked at until one is still right when it is confirmed.
const PLANS: usize = 10;

/// Why the week could not be lived.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {why}; `usher serve` without --demo begins empty")]
pub(crate) struct DemoError {
    what: String,
    why: String,
}

impl DemoError {
    pub(super) fn new(what: &str, why: impl std::fmt::Display) -> Self {
        Self {
            what: what.to_owned(),
            why: why.to_string(),
        }
    }
}

/// The API, with the tokens of the customer's IT, the vendor's support and the portal.
pub(super) struct Desk {
    pub(super) http: Client,
    pub(super) root: String,
    pub(super) it: String,
    pub(super) support: String,
    pub(super) portal: String,
}

/// A room that was ordered.
#[derive(Debug, Clone)]
pub(super) struct Ordered {
    pub(super) order: String,
    pub(super) room: String,
}

/// What an order says.
pub(super) struct Wish<'a> {
    pub(super) room: &'a str,
    pub(super) group: &'a str,
    pub(super) administrator: String,
    pub(super) requester: String,
    pub(super) expected: u32,
}

impl Desk {
    /// Orders a room; the order.
    pub(super) async fn order(&self, wish: &Wish<'_>) -> Result<String, DemoError> {
        let body = json!({
            "room_name": wish.room, "administrator": wish.administrator, "group": wish.group, "named_by": "id",
            "expected": wish.expected, "requester": wish.requester, "submit": true,
        });
        let order = self.call(&self.it, Method::POST, "/orders", Some(body)).await?;
        text(&order, "id")
    }

    /// Accepts an order, and lets the portal report the room.
    pub(super) async fn prepare(&self, order: &str) -> Result<Ordered, DemoError> {
        let accept = json!({ "bootstrap": { "name": "Portal set-up", "email": "setup@portal.example" } });
        self.post(&self.support, &format!("/orders/{order}/accept"), accept)
            .await?;
        let short = order.rsplit('-').next().unwrap_or(order);
        let ready = json!({ "portal_id": short, "url": format!("https://portal.example/rooms/{short}") });
        self.post(&self.portal, &format!("/orders/{order}/room-ready"), ready)
            .await?;
        let now = self.get(&format!("/orders/{order}")).await?;
        Ok(Ordered {
            order: order.to_owned(),
            room: text(&now, "room")?,
        })
    }

    /// Confirms the mapping of an order as its plan shows it. A read of the group in between makes another plan.
    pub(super) async fn confirm(&self, order: &str) -> Result<(), DemoError> {
        let (path, mut last) = (format!("/orders/{order}/confirm"), Ok(()));
        for _ in 0..PLANS {
            let plan = self.get(&format!("/orders/{order}/plan")).await?;
            let digest = json!({ "digest": text(&plan, "digest")? });
            let confirmed = self.post(&self.support, &path, digest);
            last = confirmed.await.map(drop);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// The active membership of somebody in a room.
    pub(super) async fn membership(&self, room: &str, address: &str) -> Result<String, DemoError> {
        let members = self.get(&format!("/rooms/{room}/members?limit=100")).await?;
        let mut members = members["items"].as_array().into_iter().flatten();
        let member = members.find(|member| member["person"]["email"] == address);
        match member {
            Some(member) => text(member, "id"),
            None => Err(DemoError::new(
                "live the week",
                format!("{address} is not in the room"),
            )),
        }
    }

    /// Hangs something on a membership, as the portal does.
    pub(super) async fn grant(
        &self,
        membership: &str,
        kind: &str,
        reference: &str,
        label: &str,
    ) -> Result<(), DemoError> {
        let path = format!("/memberships/{membership}/grants/{kind}/{reference}");
        let body = json!({ "label": label });
        self.call(&self.portal, Method::PUT, &path, Some(body)).await?;
        Ok(())
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, DemoError> {
        self.call(&self.it, Method::GET, path, None).await
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: Value) -> Result<Value, DemoError> {
        self.call(token, Method::POST, path, Some(body)).await
    }

    async fn call(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, DemoError> {
        let asked = format!("{method} {path}");
        let failed = |error: reqwest::Error| DemoError::new(&asked, error);
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.root))
            .bearer_auth(token);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(failed)?;
        if !status.is_success() {
            let said = String::from_utf8_lossy(&bytes);
            return Err(DemoError::new(&asked, format!("{status}: {said}")));
        }
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

fn text(value: &Value, key: &str) -> Result<String, DemoError> {
    let text = value[key].as_str().map(str::to_owned);
    text.ok_or_else(|| DemoError::new("live the week", format!("an answer has no {key}: {value}")))
}
