//! Lists: what a client asks for, by parameters or in a body, and what it gets (RFC 7644 §3.4.2 and §3.4.3, RFC 9865).

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Attributes;
use crate::error::ScimError;
use crate::filter::{Filter, FilterLimits};
use crate::path::AttrPath;
use crate::projection::Projection;
use crate::sort::{Sort, SortOrder};
use crate::urn;
use crate::value::type_name;

/// A query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListQuery {
    /// Which resources.
    pub filter: Option<Filter>,
    /// Which of their attributes.
    pub projection: Projection,
    /// In which order. Without one, and between equals, in an order that never changes.
    pub sort: Option<Sort>,
    /// Which page.
    pub page: Page,
    /// At most how many resources; `None` if the client leaves it to the server. Zero asks for the total alone.
    pub count: Option<usize>,
}

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// At this place of the whole result, counted from 1.
    Index(usize),
    /// At the start of a series of pages with cursors.
    FirstCursor,
    /// Where this cursor says.
    Cursor(String),
}

impl Default for Page {
    fn default() -> Self {
        Self::Index(1)
    }
}

impl Page {
    /// Whether the client pages by cursor.
    pub fn is_cursor(&self) -> bool {
        !matches!(self, Self::Index(_))
    }
}

impl ListQuery {
    /// Reads decoded query parameters; [`decode_query`] yields them from a URL. Unknown and empty parameters are
    /// passed over: clients add marks of their own, Entra ID among them.
    ///
    /// # Errors
    /// `invalidFilter` for the filter, `invalidValue` for another parameter, `invalidCount` for a `count` that is no
    /// number in a request with a cursor.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        limits: &FilterLimits,
    ) -> Result<Self, ScimError> {
        let mut raw = Raw::default();
        for (name, value) in pairs {
            if name.eq_ignore_ascii_case("cursor") {
                raw.cursor = Some(value.into());
                continue;
            }
            if value.trim().is_empty() {
                continue;
            }
            let value = || Some(value.to_owned());
            match name {
                _ if name.eq_ignore_ascii_case("filter") => raw.filter = value(),
                _ if name.eq_ignore_ascii_case("sortBy") => raw.sort_by = value(),
                _ if name.eq_ignore_ascii_case("sortOrder") => raw.sort_order = value(),
                _ if name.eq_ignore_ascii_case("startIndex") => raw.start_index = value(),
                _ if name.eq_ignore_ascii_case("count") => raw.count = value(),
                _ if name.eq_ignore_ascii_case("attributes") => raw.attributes.extend(split_names(value())),
                _ if name.eq_ignore_ascii_case("excludedAttributes") => {
                    raw.excluded.extend(split_names(value()));
                }
                _ => {}
            }
        }
        raw.check(limits)
    }

    /// Reads the body of a `.search` request.
    ///
    /// # Errors
    /// `invalidSyntax` for a body that is no search request, otherwise as [`ListQuery::from_pairs`].
    pub fn from_search(body: Value, limits: &FilterLimits) -> Result<Self, ScimError> {
        let Value::Object(body) = body else {
            return Err(ScimError::invalid_syntax(format!(
                "a search request is an object, {} came",
                type_name(&body)
            )));
        };
        let mut raw = Raw::default();
        for (key, value) in body {
            match key.as_str() {
                _ if value.is_null() => {}
                _ if key.eq_ignore_ascii_case("filter") => raw.filter = text(&key, value)?,
                _ if key.eq_ignore_ascii_case("sortBy") => raw.sort_by = text(&key, value)?,
                _ if key.eq_ignore_ascii_case("sortOrder") => raw.sort_order = text(&key, value)?,
                _ if key.eq_ignore_ascii_case("startIndex") => raw.start_index = number(&key, value)?,
                _ if key.eq_ignore_ascii_case("count") => raw.count = number(&key, value)?,
                _ if key.eq_ignore_ascii_case("cursor") => match value {
                    Value::String(cursor) => raw.cursor = Some(cursor),
                    other => return Err(wrong_type(&key, "a string", &other)),
                },
                _ if key.eq_ignore_ascii_case("attributes") => raw.attributes = names(&key, value)?,
                _ if key.eq_ignore_ascii_case("excludedAttributes") => raw.excluded = names(&key, value)?,
                _ => {}
            }
        }
        raw.check(limits)
    }

    /// The page size to use: what the client asked for, within `max`, or `default`.
    pub fn page_size(&self, default: usize, max: usize) -> usize {
        self.count.unwrap_or(default).min(max)
    }

    /// A digest of what must stay the same between the pages of one series: all but the page and its size.
    pub fn digest(&self) -> [u8; 32] {
        let mut text = String::new();
        if let Some(filter) = &self.filter {
            let _ = write!(text, "{filter}");
        }
        text.push('\n');
        if let Some(sort) = &self.sort {
            let _ = write!(text, "{} {:?}", sort.by, sort.order);
        }
        let _ = write!(text, "\n{}", self.projection);
        Sha256::digest(text.as_bytes()).into()
    }
}

/// A page of results, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct ListResponse {
    /// How many resources match in all, if the server knows. Without cursors it must.
    pub total_results: Option<usize>,
    /// The resources of this page, as clients see them.
    pub resources: Vec<Attributes>,
    /// Where the page starts, for index paging.
    pub start_index: Option<usize>,
    /// The cursor of the page after this, for cursor paging; none on the last page.
    pub next_cursor: Option<String>,
    /// The cursor of the page before this, if the server offers one.
    pub previous_cursor: Option<String>,
}

impl ListResponse {
    /// A page by index.
    pub fn indexed(total_results: usize, start_index: usize, resources: Vec<Attributes>) -> Self {
        Self {
            total_results: Some(total_results),
            resources,
            start_index: Some(start_index),
            next_cursor: None,
            previous_cursor: None,
        }
    }

    /// A page by cursor.
    pub fn by_cursor(
        total_results: Option<usize>,
        resources: Vec<Attributes>,
        next_cursor: Option<String>,
    ) -> Self {
        Self {
            total_results,
            resources,
            start_index: None,
            next_cursor,
            previous_cursor: None,
        }
    }

    /// The body of the answer. `itemsPerPage` is the number of resources in it.
    pub fn to_json(self) -> Value {
        let mut body = Attributes::new();
        body.insert("schemas".into(), json!([urn::LIST_RESPONSE]));
        if let Some(total) = self.total_results {
            body.insert("totalResults".into(), total.into());
        }
        if let Some(start) = self.start_index {
            body.insert("startIndex".into(), start.into());
        }
        body.insert("itemsPerPage".into(), self.resources.len().into());
        if let Some(cursor) = self.previous_cursor {
            body.insert("previousCursor".into(), cursor.into());
        }
        if let Some(cursor) = self.next_cursor {
            body.insert("nextCursor".into(), cursor.into());
        }
        let resources = self.resources.into_iter().map(Value::Object).collect();
        body.insert("Resources".into(), Value::Array(resources));
        Value::Object(body)
    }
}

/// A list of the discovery endpoints, which are never paged (RFC 7644 §4).
pub fn discovery_list(resources: Vec<Value>) -> Value {
    let mut body = Attributes::new();
    body.insert("schemas".into(), json!([urn::LIST_RESPONSE]));
    body.insert("totalResults".into(), resources.len().into());
    body.insert("startIndex".into(), 1.into());
    body.insert("itemsPerPage".into(), resources.len().into());
    body.insert("Resources".into(), Value::Array(resources));
    Value::Object(body)
}

/// Decoded query parameters, in their order.
pub type QueryPairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Takes the query of a URL apart: `&` between parameters, `+` and `%20` for a space, anything raw that a client did
/// not encode. Empty parts are passed over.
///
/// # Errors
/// `invalidValue` for an escape that is incomplete or no UTF-8.
pub fn decode_query(query: &str) -> Result<QueryPairs<'_>, ScimError> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<Cow<'_, str>, ScimError> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Ok(Cow::Borrowed(text));
    }
    let malformed = || ScimError::invalid_value("the query of the URL has an escape that is no UTF-8 text");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex).ok_or_else(malformed)?;
                let low = rest.next().and_then(hex).ok_or_else(malformed)?;
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| malformed())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The parameters as they came.
#[derive(Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl Raw {
    fn check(self, limits: &FilterLimits) -> Result<ListQuery, ScimError> {
        let by_cursor = self.cursor.is_some();
        if by_cursor && self.start_index.is_some() {
            return Err(ScimError::invalid_value(
                "'cursor' and 'startIndex' exclude each other; send one of them",
            ));
        }
        let count = match self.count {
            None => None,
            Some(count) => Some(integer(&count).ok_or_else(|| {
                let detail = "'count' is a whole number";
                if by_cursor {
                    ScimError::invalid_count(detail)
                } else {
                    ScimError::invalid_value(detail)
                }
            })?),
        };
        let page = match (self.cursor, self.start_index) {
            (Some(cursor), _) if cursor.is_empty() => Page::FirstCursor,
            (Some(cursor), _) => Page::Cursor(cursor),
            (None, Some(start)) => {
                let start = integer(&start).ok_or_else(|| {
                    ScimError::invalid_value("'startIndex' is a whole number, counted from 1")
                })?;
                Page::Index(start.max(1))
            }
            (None, None) => Page::default(),
        };
        let sort = match self.sort_by {
            None => None,
            Some(by) => Some(Sort {
                by: AttrPath::parse(by.trim())
                    .map_err(|error| ScimError::invalid_value(error.detail).within("sortBy"))?,
                order: sort_order(self.sort_order.as_deref())?,
            }),
        };
        Ok(ListQuery {
            filter: self
                .filter
                .map(|filter| Filter::parse(&filter, limits))
                .transpose()?,
            projection: Projection::from_names(&self.attributes, &self.excluded)?,
            sort,
            page,
            count,
        })
    }
}

/// A whole number; one below zero counts as zero, as RFC 7644 §3.4.2.4 says.
fn integer(text: &str) -> Option<usize> {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(digits) => digits.parse::<usize>().ok().map(|_| 0),
        None => text.parse().ok(),
    }
}

fn sort_order(text: Option<&str>) -> Result<SortOrder, ScimError> {
    match text {
        None => Ok(SortOrder::Ascending),
        Some(text) if text.eq_ignore_ascii_case("ascending") => Ok(SortOrder::Ascending),
        Some(text) if text.eq_ignore_ascii_case("descending") => Ok(SortOrder::Descending),
        Some(_) => Err(ScimError::invalid_value("'sortOrder' is ascending or descending")),
    }
}

fn split_names(list: Option<String>) -> Vec<String> {
    list.map(|list| list.split(',').map(str::to_owned).collect())
        .unwrap_or_default()
}

fn text(key: &str, value: Value) -> Result<Option<String>, ScimError> {
    match value {
        Value::String(text) => Ok((!text.trim().is_empty()).then_some(text)),
        other => Err(wrong_type(key, "a string", &other)),
    }
}

fn number(key: &str, value: Value) -> Result<Option<String>, ScimError> {
    match value {
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::String(text) => Ok(Some(text)),
        other => Err(wrong_type(key, "a whole number", &other)),
    }
}

fn names(key: &str, value: Value) -> Result<Vec<String>, ScimError> {
    match value {
        Value::String(list) => Ok(split_names(Some(list))),
        Value::Array(names) => names
            .into_iter()
            .map(|name| match name {
                Value::String(name) => Ok(name),
                other => Err(wrong_type(key, "an array of names", &other)),
            })
            .collect(),
        other => Err(wrong_type(key, "an array of names", &other)),
    }
}

fn wrong_type(key: &str, expected: &str, found: &Value) -> ScimError {
    ScimError::invalid_syntax(format!("'{key}' is {expected}, {} came", type_name(found)))
}
