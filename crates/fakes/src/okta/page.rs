//! Pages and the links between them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, header};
use serde_json::Value;

use super::answer::{Refusal, invalid};
use super::ask::Ask;
use crate::Fault;

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    /// The key behind which the next page begins.
    pub(super) next: Option<String>,
}

impl Page {
    /// Takes items from a walk through keys in order, beginning behind a key. `step` answers a few items behind a key,
    /// each with its key and, unless it is passed over, its text; nothing when the walk is over.
    pub(super) fn collect(
        after: Option<String>,
        limit: usize,
        step: impl Fn(Option<&str>) -> Vec<(String, Option<Value>)>,
    ) -> Self {
        let mut items = Vec::new();
        let mut at = after;
        loop {
            let some = step(at.as_deref());
            if some.is_empty() {
                return Self { items, next: None };
            }
            for (key, item) in some {
                if let Some(item) = item {
                    if items.len() == limit {
                        return Self { items, next: at };
                    }
                    items.push(item);
                }
                at = Some(key);
            }
        }
    }

    /// The answer to a request for this page, with the faults of lists acted out.
    pub(super) fn answer(mut self, ask: &Ask) -> Response {
        let base = ask.org.base();
        let own = match ask.raw_query.as_str() {
            "" => format!("{base}{}", ask.path),
            query => format!("{base}{}?{query}", ask.path),
        };
        let behaviour = ask.org.behaviour();
        let mut next = self.next.take().map(|key| {
            let base = behaviour.links_lead_to.as_deref().unwrap_or(&base);
            format!("{base}{}?{}", ask.path, query_after(ask, &key))
        });
        match ask.fault {
            Some(Fault::LostPage) => self.items.clear(),
            Some(Fault::EmptyPage) => {
                self.items.clear();
                next = None;
            }
            Some(Fault::RepeatedPage) => next = Some(own.clone()),
            _ => {}
        }
        let mut links = vec![format!("<{own}>; rel=\"self\"")];
        links.extend(next.map(|next| format!("<{next}>; rel=\"next\"")));
        if behaviour.links_in_one_field {
            links = vec![links.join(", ")];
        }
        let mut answer = Json(Value::Array(self.items)).into_response();
        for link in links {
            if let Ok(value) = HeaderValue::from_str(&link) {
                answer.headers_mut().append(header::LINK, value);
            }
        }
        answer
    }
}

/// The key behind which the page asked for begins.
pub(super) fn after(ask: &Ask) -> Result<Option<String>, Refusal> {
    let Some(cursor) = ask.value("after") else {
        return Ok(None);
    };
    if ask.fault == Some(Fault::ExpiredCheckpoint) {
        return Err(invalid("after: the cursor has expired"));
    }
    let key = STANDARD.decode(cursor).ok();
    let key = key.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = key.and_then(|text| text.strip_prefix("+key ").map(str::to_owned));
    key.map(Some)
        .ok_or_else(|| invalid("after: the cursor is invalid"))
}

/// The query of the next page. Cursors hold characters that have to be encoded, as Okta's sometimes do.
fn query_after(ask: &Ask, key: &str) -> String {
    let cursor = STANDARD.encode(format!("+key {key}"));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("after", &cursor);
    for (name, value) in &ask.query {
        // The log refuses `since` beside a cursor.
        if name != "after" && name != "since" {
            query.append_pair(name, value);
        }
    }
    query.finish()
}
