//! One delivery: the message, the attempt, and a test of the whole way.

use std::time::{Duration, Instant};

use serde_json::json;
use usher_core::{Draw, Timestamp, WebhookId};
use usher_engine::{Engine, EngineError};
use usher_storage::query;
use usher_storage::query::event::EventRow;
use usher_webhook::{Message, Outcome, SigningSecret};

use super::Webhooks;
use crate::api::view::CloudEvent;

/// How a test delivery ended.
#[derive(Debug, Clone)]
pub(crate) struct Tested {
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// An event as it is sent: always the same bytes and the same id, so that receivers know what they had.
pub(super) fn message(event: EventRow, at: Timestamp) -> Message {
    let id = format!("evt_{}_{}", event.seq, event.change_id.as_uuid().simple());
    let body = serde_json::to_vec(&CloudEvent::from(event)).expect("events are plain structs");
    Message {
        id,
        at: seconds(at),
        body: body.into(),
    }
}

/// How an attempt failed, for people; `None` when it did not.
pub(crate) fn failure(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Delivered => None,
        Outcome::Gone => Some("the receiver answered 410 Gone".to_owned()),
        Outcome::Refused { status, .. } if status.is_redirection() => Some(format!(
            "the receiver answered {status}: redirects are not followed"
        )),
        Outcome::Refused { status, .. } => Some(format!("the receiver answered {status}")),
        Outcome::Unreachable(why) => Some(why.clone()),
    }
}

impl Webhooks {
    /// Sends a message once.
    pub(super) async fn send(&self, url: &str, secrets: &[SigningSecret], message: &Message) -> Outcome {
        match &self.0.sender {
            Ok(sender) => sender.send(url, secrets, message).await,
            Err(error) => Outcome::Unreachable(error.clone()),
        }
    }
}

/// Sends an endpoint an event of the type `usher.webhook.test`, at once and once, whatever its state.
///
/// # Errors
/// [`EngineError::NotFound`], and a refusal when its secrets cannot be opened.
pub(crate) async fn test(engine: &Engine, webhooks: &Webhooks, id: WebhookId) -> Result<Tested, EngineError> {
    let now = engine.now();
    let (row, secrets) = engine
        .read(move |tx| {
            Box::pin(async move {
                let row = query::webhook::by_id(tx, id)
                    .await?
                    .ok_or_else(|| EngineError::not_found("webhook", id))?;
                Ok::<_, EngineError>((row, query::webhook::secrets(tx, id, now).await?))
            })
        })
        .await?;
    let secrets = webhooks.open(id, &secrets).map_err(|error| {
        EngineError::refused(
            "webhook_secret",
            format!("webhook {id} cannot be signed for"),
            error,
        )
    })?;
    let event_id: usher_core::ChangeId = Draw::new(engine.clock()).ids().make();
    let event = json!({
        "specversion": "1.0", "id": format!("test-{event_id}"), "source": "/usher", "type": "usher.webhook.test",
        "time": now, "datacontenttype": "application/json", "data": { "webhook": id },
    });
    let message = Message {
        id: format!("evt_test_{}", event_id.as_uuid().simple()),
        at: seconds(now),
        body: event.to_string().into(),
    };
    let started = Instant::now();
    let outcome = webhooks.send(&row.url, &secrets, &message).await;
    Ok(Tested {
        outcome,
        took: started.elapsed(),
    })
}

const fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}
