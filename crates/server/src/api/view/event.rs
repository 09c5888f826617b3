//! Events, as CloudEvents 1.0 in JSON.

use serde::Serialize;
use serde_json::Value;
use usher_storage::query::event::EventRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::Time;

/// What goes before the words of events in `type`.
const TYPE_PREFIX: &str = "usher.";

/// A fact that happened (CloudEvents 1.0, JSON format).
#[derive(Debug, Serialize, ToSchema)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: &'static str,
    /// Its place in the feed; `after` takes it.
    pub id: String,
    /// The deployment, and in it the identity provider's source if it is about one.
    pub source: String,
    /// What happened: `usher.` and a word such as `membership.started`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about: `rooms/<id>/persons/<id>` as far as that applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When.
    pub time: Time,
    /// Always `application/json`.
    pub datacontenttype: &'static str,
    /// Extension: the unit of work that it belongs to.
    pub change: Uuid,
    /// Extension: who did it: `source:`, `token:`, `operator:` or `usher:` and a name.
    pub actor: String,
    /// Extension: the request that it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requestid: Option<String>,
    /// Extension: the reason that a human gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Extension: the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<Uuid>,
    /// Extension: the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Uuid>,
    /// Extension: the membership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership: Option<Uuid>,
    /// The facts.
    #[schema(value_type = Object)]
    pub data: Value,
}

impl From<EventRow> for CloudEvent {
    fn from(row: EventRow) -> Self {
        let source = row
            .source
            .map_or_else(|| "/usher".to_owned(), |name| format!("/usher/sources/{name}"));
        let subject = match (row.room, row.person) {
            (Some(room), Some(person)) => Some(format!("rooms/{room}/persons/{person}")),
            (Some(room), None) => Some(format!("rooms/{room}")),
            (None, Some(person)) => Some(format!("persons/{person}")),
            (None, None) => None,
        };
        Self {
            specversion: "1.0",
            id: row.seq.to_string(),
            source,
            kind: format!("{TYPE_PREFIX}{}", row.kind),
            subject,
            time: row.at.into(),
            datacontenttype: "application/json",
            change: row.change_id.into(),
            actor: format!("{}:{}", row.actor_kind, row.actor),
            requestid: row.request_id,
            reason: row.reason,
            room: row.room.map(Into::into),
            person: row.person.map(Into::into),
            membership: row.membership.map(Into::into),
            data: serde_json::from_str(&row.data).unwrap_or_default(),
        }
    }
}
