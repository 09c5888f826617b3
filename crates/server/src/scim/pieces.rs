//! Answers with many members: sent piece by piece, as they are read.
//!
//! Each piece is a read of its own, which begins when the client has taken what was before: an answer under way has a
//! chunk of members in memory, whatever the size of the group, and one that a slow client does not take holds neither a
//! connection to the database nor a snapshot of it.
//!
//! The resource itself, its version and the first members are of one moment; the others are read later. So a client sees
//! everybody who was a member from the first moment to the last exactly once ([`Place`]), and whoever came or went
//! meanwhile perhaps. The version is that of the first moment: a change that shows in part makes a newer one, by which a
//! client that asks again, or names the version in a change, is told that there is something new.
//!
//! Where a piece cannot be read the answer breaks off: the connection ends without the mark that HTTP has for the end of a
//! body, and the JSON in it is not closed. A list that is short never looks whole.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use usher_core::SourceGroupId;
use usher_engine::Engine;
use usher_scim::Projection;
use usher_storage::{SourceKey, StorageError, Tx, query};

use super::Call;
use super::members::{self, CHUNK, Elements, Place};

/// What comes after the last resource of a list.
pub(super) const END_OF_LIST: &str = "]}";

/// What of an answer is not read yet.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    /// The group whose members come next.
    within: Option<Within>,
    /// What comes after it.
    items: Arc<[Item]>,
    /// How many of the items are written.
    written: usize,
    /// What closes the answer.
    end: &'static str,
}

/// A resource of a list.
#[derive(Debug)]
pub(super) enum Item {
    /// As JSON.
    Whole(Vec<u8>),
    /// A group that has members, and its JSON without them.
    Group(SourceGroupId, Vec<u8>),
}

/// A group whose members are being written.
#[derive(Debug, Clone)]
pub(super) struct Within {
    group: SourceGroupId,
    place: Place,
    /// What comes before the next member.
    before: &'static str,
    /// What closes the group.
    after: &'static str,
}

/// Puts the first members into the JSON of a group. Where there are more, the group stays open for them.
pub(super) fn insert(group: &mut Vec<u8>, id: SourceGroupId, elements: Elements) -> Option<Within> {
    if elements.bytes.is_empty() && elements.rest.is_none() {
        return None;
    }
    group.reserve(elements.bytes.len() + 16);
    Within::open(group, id).put(group, elements)
}

/// The body of an answer that begins so.
pub(super) fn body(call: &Call, projection: &Projection, begin: Vec<u8>, rest: Option<Rest>) -> Body {
    let Some(rest) = rest else {
        return Body::from(begin);
    };
    let reader = Arc::new(Reader {
        engine: call.state.engine.clone(),
        source: call.source.key,
        base: Arc::clone(&call.source.base),
        projection: projection.clone(),
        limit: call.state.config.server.request_timeout.duration(),
        request_id: Arc::clone(call.request_id()),
    });
    let more = stream::try_unfold(Some(rest), move |rest| {
        let reader = Arc::clone(&reader);
        async move {
            match rest {
                Some(rest) => reader.read(rest).await.map(Some),
                None => Ok(None),
            }
        }
    });
    Body::from_stream(stream::iter([Ok(Bytes::from(begin))]).chain(more))
}

/// Why an answer breaks off.
#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error("the database failed")]
    Storage(#[from] StorageError),
    #[error("a group was deleted while its members were sent")]
    Gone,
    #[error("the database took too long")]
    TooSlow,
}

/// Reads the pieces of one answer.
struct Reader {
    engine: Engine,
    source: SourceKey,
    base: Arc<str>,
    projection: Projection,
    /// How long a piece may take.
    limit: Duration,
    request_id: Arc<str>,
}

impl Reader {
    /// The next piece, and what is left after it.
    async fn read(self: Arc<Self>, rest: Rest) -> Result<(Bytes, Option<Rest>), BrokenOff> {
        let reader = Arc::clone(&self);
        let piece = self.engine.read(move |tx| {
            let (reader, rest) = (Arc::clone(&reader), rest.clone());
            Box::pin(async move { rest.piece(tx, &reader).await })
        });
        let piece = match tokio::time::timeout(self.limit, piece).await {
            Ok(piece) => piece,
            Err(_elapsed) => Err(BrokenOff::TooSlow),
        };
        piece.inspect_err(|error| {
            let (id, error) = (&*self.request_id, crate::logging::chain(error));
            tracing::warn!(request.id = id, %error, "an answer broke off");
        })
    }
}

impl Rest {
    /// The further members of a group.
    pub(super) fn of_group(within: Within) -> Self {
        Self {
            within: Some(within),
            items: Arc::default(),
            written: 0,
            end: "",
        }
    }

    /// The further members of the group that a list was cut at, the resources after it, and the end of the list.
    pub(super) fn of_list(within: Within, items: Vec<Item>) -> Self {
        Self {
            items: items.into(),
            end: END_OF_LIST,
            ..Self::of_group(within)
        }
    }

    /// As much as [`CHUNK`] members, or all that is left.
    async fn piece(mut self, tx: &mut Tx<'_>, reader: &Reader) -> Result<(Bytes, Option<Self>), BrokenOff> {
        let mut bytes = Vec::new();
        let (mut groups, mut left) = (Vec::new(), CHUNK);
        let rest = loop {
            if let Some(mut within) = self.within.take() {
                groups.push(within.group);
                let place = std::mem::take(&mut within.place);
                let elements =
                    members::elements(tx, within.group, place, left, &reader.base, &reader.projection)
                        .await?;
                left = left.saturating_sub(elements.count);
                self.within = within.put(&mut bytes, elements);
                if self.within.is_some() {
                    break Some(self);
                }
            }
            let Some(item) = self.items.get(self.written) else {
                bytes.extend_from_slice(self.end.as_bytes());
                break None;
            };
            self.written += 1;
            bytes.push(b',');
            match item {
                Item::Whole(text) => bytes.extend_from_slice(text),
                Item::Group(id, text) => {
                    bytes.extend_from_slice(text);
                    self.within = Some(Within::open(&mut bytes, *id));
                }
            }
        };
        // Its members went with it, and what is left of them would look like all.
        if query::group::live(tx, reader.source, groups.iter().copied())
            .await?
            .len()
            != groups.len()
        {
            return Err(BrokenOff::Gone);
        }
        Ok((Bytes::from(bytes), rest))
    }
}

impl Within {
    /// Opens the JSON of a group at the end of `bytes`, which has no members yet.
    fn open(bytes: &mut Vec<u8>, group: SourceGroupId) -> Self {
        bytes.pop();
        Self {
            group,
            place: Place::default(),
            before: match bytes.last() {
                Some(b'{') => "\"members\":[",
                _ => ",\"members\":[",
            },
            after: "}",
        }
    }

    /// Adds members, and closes the group where these are the last.
    fn put(mut self, bytes: &mut Vec<u8>, elements: Elements) -> Option<Self> {
        if !elements.bytes.is_empty() {
            bytes.extend_from_slice(self.before.as_bytes());
            bytes.extend_from_slice(&elements.bytes);
            (self.before, self.after) = (",", "]}");
        }
        match elements.rest {
            Some(place) => Some(Self { place, ..self }),
            None => {
                bytes.extend_from_slice(self.after.as_bytes());
                None
            }
        }
    }
}
