//! One request: which source it is for, and what it brings.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use serde_json::Value;
use usher_core::Mode;
use usher_engine::{Actor, Cause, Unit};
use usher_scim::etag::TagList;
use usher_scim::filter::FilterLimits;
use usher_scim::list::decode_query;
use usher_scim::patch::PatchLimits;
use usher_scim::{Projection, ScimError, json};
use usher_storage::Tx;

use super::{Failure, body};
use crate::config::Scim;
use crate::{AppState, PushSource};

/// One request.
pub(super) struct Call {
    pub(super) state: AppState,
    pub(super) source: Arc<PushSource>,
    request_id: Arc<str>,
}

/// A parameter of the URL, decoded.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// What a request brings.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) query: Option<String>,
    pub(super) body: Bytes,
    pub(super) if_match: Option<TagList>,
    pub(super) if_none_match: Option<TagList>,
}

impl Call {
    pub(super) fn new(state: &AppState, source: Arc<PushSource>, request_id: Arc<str>) -> Self {
        Self {
            state: state.clone(),
            source,
            request_id,
        }
    }

    pub(super) fn request_id(&self) -> &Arc<str> {
        &self.request_id
    }

    pub(super) fn limits(&self) -> &Scim {
        &self.state.config.scim
    }

    pub(super) fn filter_limits(&self) -> FilterLimits {
        FilterLimits {
            length: self.limits().max_filter_bytes,
            ..FilterLimits::default()
        }
    }

    pub(super) fn patch_limits(&self) -> PatchLimits {
        PatchLimits {
            operations: self.limits().max_operations,
            members: self.limits().max_members,
            filter: self.filter_limits(),
        }
    }

    /// Parses a body.
    pub(super) fn json(&self, body: &[u8]) -> Result<Value, ScimError> {
        json::parse(body, self.limits().max_json_depth)
    }

    /// Does a change as one unit of work, in the name of the source.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, Failure>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, Failure> {
        if self.state.engine.storage().stats().queued > self.state.config.server.max_queued_writes {
            return Err(Failure::busy(
                "too many changes are waiting; nothing was changed, try again later",
            ));
        }
        let cause = Cause {
            request_id: Some((*self.request_id).to_owned()),
            ..Cause::new(Actor::Source(self.source.name.to_string()))
        };
        // Beside a read of the same source, a push takes turns with it.
        if self.source.mode == Mode::Both {
            self.state.engine.write(cause, work).await
        } else {
            self.state.engine.write_beside(cause, work).await
        }
    }

    /// Reads one consistent state.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl for<'a, 't> Fn(&'a mut Tx<'t>) -> BoxFuture<'a, Result<T, Failure>> + Send + Sync + 'static,
    ) -> Result<T, Failure> {
        self.state.engine.read(work).await
    }

    /// Reads one consistent state: a few rows that are found by their keys.
    pub(super) async fn read_few<T: Send + 'static>(
        &self,
        work: impl for<'a, 't> Fn(&'a mut Tx<'t>) -> BoxFuture<'a, Result<T, Failure>> + Send + Sync + 'static,
    ) -> Result<T, Failure> {
        self.state.engine.storage().read_few(work).await
    }
}

impl Inputs {
    /// Reads what the request brings; its body only where the method has one.
    pub(super) async fn read(call: &Call, parts: &Parts, body: Body) -> Result<Self, ScimError> {
        let has_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        let body = if has_body {
            body::read(&parts.headers, body, call.state.config.server.max_body_bytes).await?
        } else {
            Bytes::new()
        };
        let honours = call.source.profile.honours_if_match;
        Ok(Self {
            query: parts
                .uri
                .query()
                .filter(|query| !query.is_empty())
                .map(str::to_owned),
            body,
            if_match: tags(&parts.headers, &header::IF_MATCH).filter(|_| honours),
            if_none_match: tags(&parts.headers, &header::IF_NONE_MATCH),
        })
    }

    /// The parameters of the URL.
    pub(super) fn pairs(&self) -> Result<Vec<Pair<'_>>, ScimError> {
        self.query.as_deref().map_or_else(|| Ok(Vec::new()), decode_query)
    }

    /// Which attributes the answer shows.
    pub(super) fn projection(&self) -> Result<Projection, ScimError> {
        if self.query.is_none() {
            return Ok(Projection::Default);
        }
        let pairs = self.pairs()?;
        let of = |name: &str| {
            pairs
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_ref())
        };
        Projection::parse(of("attributes"), of("excludedAttributes"))
    }
}

fn tags(headers: &HeaderMap, name: &header::HeaderName) -> Option<TagList> {
    let mut values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let first = values.next()?;
    let list = values.fold(first.to_owned(), |list, more| format!("{list},{more}"));
    Some(TagList::parse(&list))
}

/// Refuses a change of a version that the client does not know.
pub(super) fn check_version(if_match: Option<&TagList>, version: i64) -> Result<(), ScimError> {
    match if_match {
        Some(tags) if !tags.contains(tag_number(version)) => Err(ScimError::precondition_failed(
            "the resource has changed since the version in If-Match; read it again and repeat the change",
        )),
        _ => Ok(()),
    }
}

/// The number in an entity tag.
pub(super) fn tag_number(version: i64) -> u64 {
    u64::try_from(version).unwrap_or(0)
}
