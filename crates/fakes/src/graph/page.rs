//! Lists in pages.

use serde_json::{Map, Value, json};

use super::World;
use super::request::{Reply, Request};
use crate::Fault;

/// What a list holds from an offset on, and whether there is more.
pub(super) struct Slice {
    pub(super) items: Vec<Map<String, Value>>,
    pub(super) more: bool,
}

impl World {
    /// Answers one page of a list whose `total` is counted where it was asked for.
    ///
    /// The next link repeats the request's query with a `$skiptoken`, and is followed verbatim. Headers are not part of it,
    /// and the count comes on the first page alone (<https://learn.microsoft.com/graph/paging>).
    pub(super) fn page(
        &self,
        request: &Request,
        context: &str,
        total: impl FnOnce() -> usize,
        slice: impl FnOnce(usize, usize) -> Slice,
    ) -> Reply {
        let size = match self.page_size(request) {
            Ok(size) => size,
            Err(refused) => return refused,
        };
        let (offset, repeated) = match skip_token(request) {
            Some(token) => token,
            None => {
                return Reply::bad(
                    "Directory_ExpiredPageToken",
                    "The specified page token is not valid.",
                );
            }
        };
        let Slice { mut items, more } = slice(offset, size);
        let mut next = more.then(|| format!("{}", offset + items.len()));
        match request.fault {
            Some(Fault::LostPage) => items.clear(),
            Some(Fault::EmptyPage) => {
                items.clear();
                next = None;
            }
            Some(Fault::RepeatedPage) if !repeated => next = Some(format!("{offset}r")),
            _ => {}
        }
        let mut body = Map::new();
        body.insert(
            "@odata.context".into(),
            format!("{}/v1.0/$metadata#{context}", self.root).into(),
        );
        if request.counts() && offset == 0 {
            body.insert("@odata.count".into(), json!(self.counted(total())));
        }
        if let Some(next) = next {
            body.insert("@odata.nextLink".into(), self.next_link(request, &next).into());
        }
        body.insert("value".into(), items.into_iter().map(Value::Object).collect());
        Reply::ok(Value::Object(body))
    }

    /// What a count answers for a number of things.
    pub(super) fn counted(&self, number: usize) -> i64 {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        match self.options.counts {
            super::Counts::Off(by) => (number + by).max(0),
            super::Counts::Right | super::Counts::Refused => number,
        }
    }

    /// Where links lead.
    pub(super) fn link_root(&self) -> &str {
        self.options.links_to.as_deref().unwrap_or(&self.root)
    }

    fn page_size(&self, request: &Request) -> Result<usize, Reply> {
        let asked = match request.get("$top") {
            None => 100,
            Some(text) => match text.parse::<usize>() {
                Ok(number @ 1..=999) => number,
                _ => {
                    return Err(Reply::bad(
                        "Request_UnsupportedQuery",
                        "Invalid page size specified.",
                    ));
                }
            },
        };
        Ok(self.options.page_size.unwrap_or(999).min(asked))
    }

    fn next_link(&self, request: &Request, token: &str) -> String {
        let path = request.segments.join("/");
        let kept = request.query.iter().filter(|(name, _)| name != "$skiptoken");
        let mut query: Vec<String> = kept
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        query.push(format!("$skiptoken={token}"));
        format!("{}/v1.0/{path}?{}", self.link_root(), query.join("&"))
    }
}

/// The offset of a page, and whether it was sent before. Opaque to clients.
fn skip_token(request: &Request) -> Option<(usize, bool)> {
    let Some(token) = request.get("$skiptoken") else {
        return Some((0, false));
    };
    let digits = token.strip_suffix('r');
    let offset = digits.unwrap_or(token).parse().ok()?;
    Some((offset, digits.is_some()))
}

/// Encodes what may not stand in a query.
pub(super) fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b'$'
            | b','
            | b'('
            | b')'
            | b'\'' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Cuts a slice out of what is all at hand.
pub(super) fn cut(all: Vec<Map<String, Value>>, offset: usize, size: usize) -> Slice {
    let more = all.len() > offset.saturating_add(size);
    let items = all.into_iter().skip(offset).take(size).collect();
    Slice { items, more }
}
