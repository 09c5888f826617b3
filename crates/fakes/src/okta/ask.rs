//! A request to the management API by a caller who was recognised.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::access;
use super::answer::{Refusal, forbidden, invalid};
use super::org::Org;
use super::rights::Rights;
use crate::{Fault, FaultNow};

/// A request to the management API.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) org: Org,
    pub(super) rights: Rights,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) raw_query: String,
    pub(super) fault: Option<Fault>,
}

impl FromRequestParts<Org> for Ask {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, org: &Org) -> Result<Self, Refusal> {
        let rights = access::recognise(org, parts)?;
        if let Some(busy) = org.with(|state| state.busy.pop_front()) {
            return Err(access::too_many(busy));
        }
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        let fault = parts.extensions.get::<FaultNow>().and_then(|fault| fault.0);
        let query = url::form_urlencoded::parse(raw_query.as_bytes())
            .into_owned()
            .collect();
        Ok(Self {
            org: org.clone(),
            rights,
            path: parts.uri.path().into(),
            query,
            raw_query,
            fault,
        })
    }
}

impl Ask {
    /// The first value of a query parameter.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Refuses a caller without a scope.
    pub(super) fn need(&self, scope: &str) -> Result<(), Refusal> {
        if self.rights.has(scope) {
            Ok(())
        } else {
            Err(forbidden())
        }
    }

    /// How many items a page holds.
    pub(super) fn limit(&self, usual: usize, most: usize) -> Result<usize, Refusal> {
        let limit = self.whole_limit(usual, most)?;
        Ok(limit.min(self.org.behaviour().page_size))
    }

    /// How many items a list holds that is not cut into pages.
    pub(super) fn whole_limit(&self, usual: usize, most: usize) -> Result<usize, Refusal> {
        let limit = match self.value("limit") {
            None => usual,
            Some(text) => match text.parse() {
                Ok(limit) if limit > 0 => limit,
                _ => return Err(invalid("limit")),
            },
        };
        let behaviour = self.org.behaviour();
        if behaviour.slow_above.is_some_and(|slow| limit > slow) {
            return Err(access::timed_out());
        }
        Ok(limit.min(most))
    }
}
