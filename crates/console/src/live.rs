//! `/live`: tells an open page that something happened, so that it may ask for itself again.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::Stream;
use futures_util::stream::unfold;
use http::HeaderMap;
use serde::Deserialize;

use crate::Backend;
use crate::visit::Site;

/// How many pieces of news a stream tells before the browser has to come again, and be asked anew who it is.
const MOST: u32 = 100;

pub(crate) fn router() -> Router<Site> {
    Router::new().route("/live", get(live))
}

#[derive(Debug, Deserialize)]
struct Since {
    #[serde(default)]
    after: i64,
}

/// The place of the feed, each time it moves. What happened is not told: the page asks for it with the reader's role.
async fn live(
    State(backend): State<Arc<dyn Backend>>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let after = last.unwrap_or(since.after);
    let stream = unfold((backend, after, 0), |(backend, after, told)| async move {
        if told == MOST {
            return None;
        }
        let place = backend.news(after).await?;
        let event = Event::default()
            .id(place.to_string())
            .event("news")
            .data(place.to_string());
        Some((Ok(event), (backend, place, told + 1)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
