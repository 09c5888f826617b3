//! Lists: `GET` on an endpoint and `POST` on `/.search`, by index and by cursor.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use usher_scim::cursor::CursorScope;
use usher_scim::filter::lookup::{IndexOp, IndexValue, IndexedAttribute, IndexedTerm, Lookup};
use usher_scim::list::Page;
use usher_scim::schema::{ResourceType, USER_TYPE};
use usher_scim::sort::{Sort, SortOrder};
use usher_scim::{Filter, ListQuery, Projection, ScimError, urn};
use usher_storage::query::directory::{self, Order, Part};
use usher_storage::{SourceKey, Tx, query};
use uuid::Uuid;

use super::pages::{self, Row};
use super::pieces::{self, END_OF_LIST, Rest};
use super::{Answer, Call, Failure, Inputs, scan, shown};

/// A list asked for by the parameters of the URL.
pub(super) async fn by_query(
    call: &Call,
    types: &'static [&'static ResourceType],
    inputs: Inputs,
) -> Result<Answer, Failure> {
    let pairs = inputs.pairs()?;
    if let ([only], [kind]) = (pairs.as_slice(), types)
        && kind.endpoint == USER_TYPE.endpoint
        && let Some(name) = only_name(only, call.filter_limits().length)
    {
        return user_by_name(call, name, 1, &ListQuery::default()).await;
    }
    let pairs = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
    let query = ListQuery::from_pairs(pairs, &call.filter_limits())?;
    list(call, types, query).await
}

/// A list asked for by a search request's body.
pub(super) async fn by_body(
    call: &Call,
    types: &'static [&'static ResourceType],
    inputs: Inputs,
) -> Result<Answer, Failure> {
    let query = ListQuery::from_search(call.json(&inputs.body)?, &call.filter_limits())?;
    list(call, types, query).await
}

/// What a list needs to know, in one piece for the unit of work.
pub(super) struct Listing {
    pub(super) source: SourceKey,
    pub(super) base: Arc<str>,
    pub(super) parts: Vec<TypePart>,
    pub(super) sort: Option<Sort>,
    pub(super) max_scan: usize,
    projection: Projection,
    place: Place,
    limit: usize,
}

/// One resource type of a list.
pub(super) struct TypePart {
    pub(super) kind: Kind,
    pub(super) resource_type: &'static ResourceType,
    pub(super) lookup: Lookup,
    /// The whole filter, where the lookup finds more than it lets through.
    pub(super) filter: Option<Filter>,
}

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Users,
    Groups,
}

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// After so many resources.
    Offset { offset: usize, by_cursor: bool },
    /// In this part of the list, after this id.
    After { part: usize, id: Uuid },
}

/// What a cursor says: where its page starts, and how many resources there were on all pages when the first one was shown.
///
/// To count them again for every page costs more than the page where there are many, and says nothing to a client that waits
/// for the end: [RFC 9865, section 2](https://www.rfc-editor.org/rfc/rfc9865.html#section-2) asks for the accurate number of
/// all pages, and lets those leave it out who cannot estimate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    start: Start,
    /// `None` on a first page, and in cursors of versions that counted each time.
    total: Option<usize>,
}

/// A page before it is wrapped up.
struct Shown {
    totals: Totals,
    resources: Vec<u8>,
    next: Option<Place>,
}

/// How many resources there are, and how many of them are on this page.
#[derive(Debug, Clone, Copy)]
struct Totals {
    total: usize,
    count: usize,
}

async fn list(
    call: &Call,
    types: &'static [&'static ResourceType],
    query: ListQuery,
) -> Result<Answer, Failure> {
    let parts: Vec<TypePart> = types
        .iter()
        .map(|one| TypePart::plan(one, query.filter.as_ref()))
        .collect::<Result<_, _>>()?;
    if let (Page::Index(start), [part]) = (&query.page, parts.as_slice())
        && let Some(name) = part.user_name()
    {
        return user_by_name(call, name, *start, &query).await;
    }
    let endpoint = if types.len() == 1 { types[0].endpoint } else { "/" };
    let digest = query.digest();
    let scope = CursorScope {
        source: call.source.name.as_str(),
        endpoint,
        query: &digest,
    };
    let now = Timestamp::from_microsecond(call.state.engine.now().as_micros()).unwrap_or(Timestamp::MAX);
    let first = |offset, by_cursor| Place {
        start: Start::Offset { offset, by_cursor },
        total: None,
    };
    let place = match &query.page {
        Page::Index(start) => first(start - 1, false),
        Page::FirstCursor => first(0, true),
        Page::Cursor(cursor) => {
            Place::decode(&call.state.cursor_key.verify(&scope, cursor, now)?, types.len())?
        }
    };
    let limits = call.limits();
    let listing = Arc::new(Listing {
        source: call.source.key,
        base: Arc::clone(&call.source.base),
        parts,
        sort: query.sort.clone(),
        max_scan: limits.max_scan,
        projection: query.projection.clone(),
        place,
        limit: query.page_size(limits.page_size, limits.max_page_size),
    });
    let (shown, rest) = if listing.is_by_one_value() {
        call.read_few(move |tx| {
            let listing = Arc::clone(&listing);
            Box::pin(async move { listing.show(tx).await })
        })
        .await?
    } else {
        call.read(move |tx| {
            let listing = Arc::clone(&listing);
            Box::pin(async move { listing.show(tx).await })
        })
        .await?
    };
    let next = shown.next.map(|next| {
        let expires = now.saturating_add(
            jiff::SignedDuration::try_from(limits.cursor_timeout.duration()).unwrap_or_default(),
        );
        call.state
            .cursor_key
            .issue(&scope, &next.encode(), expires.unwrap_or(Timestamp::MAX))
    });
    let start_index = match query.page {
        Page::Index(start) => Some(start),
        Page::FirstCursor | Page::Cursor(_) => None,
    };
    let mut bytes = begin(shown.totals, shown.resources.len(), start_index, next);
    bytes.extend_from_slice(&shown.resources);
    if rest.is_none() {
        bytes.extend_from_slice(END_OF_LIST.as_bytes());
        return Ok(Answer::ok(bytes));
    }
    Ok(Answer::ok(pieces::body(call, &query.projection, bytes, rest)))
}

/// The name in `filter=userName eq "…"`, which is most of what identity providers ask: it needs no parser. Nothing for whatever
/// would need one.
fn only_name<'p>((key, filter): &'p (Cow<'_, str>, Cow<'_, str>), longest: usize) -> Option<&'p str> {
    let (attribute, value) = filter.split_once(' ')?;
    let (operator, value) = value.split_once(' ')?;
    let name = value.strip_prefix('"')?.strip_suffix('"')?;
    let is_asked = key == "filter"
        && attribute.eq_ignore_ascii_case("userName")
        && operator.eq_ignore_ascii_case("eq")
        && filter.len() <= longest;
    let is_plain = |byte: u8| !matches!(byte, b'"' | b'\\' | ..0x20);
    (is_asked && !name.is_empty() && name.bytes().all(is_plain)).then_some(name)
}

/// What identity providers ask before every change: the one user with a name, or nobody.
async fn user_by_name(call: &Call, name: &str, start: usize, query: &ListQuery) -> Result<Answer, Failure> {
    let (source, base) = (call.source.key, &call.source.base);
    let wants_groups = query.projection.wants_groups();
    let storage = call.state.engine.storage();
    let found = storage
        .look_up(query::shown::user_by_name(source, name, wants_groups))
        .await?;
    let limits = call.limits();
    let limit = query.page_size(limits.page_size, limits.max_page_size);
    let is_on_page = start == 1 && limit > 0;
    let on_page = found.as_ref().filter(|_| is_on_page);
    let totals = Totals {
        total: usize::from(found.is_some()),
        count: usize::from(on_page.is_some()),
    };
    let room = on_page.map_or(0, |user| shown::room(user, base));
    let mut bytes = begin(totals, room, Some(start), None);
    if let Some(user) = on_page {
        shown::append(
            &mut bytes,
            user,
            &shown::about(user, base),
            base,
            &query.projection,
        )?;
    }
    bytes.extend_from_slice(END_OF_LIST.as_bytes());
    Ok(Answer::ok(bytes))
}

/// The start of a ListResponse up to its resources, for which there will be room.
fn begin(totals: Totals, room: usize, start_index: Option<usize>, next: Option<String>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room + 192);
    let (list, Totals { total, count }) = (urn::LIST_RESPONSE, totals);
    let mut put =
        |text: std::fmt::Arguments<'_>| bytes.write_fmt(text).expect("memory takes all that is written");
    put(format_args!(
        "{{\"schemas\":[\"{list}\"],\"totalResults\":{total}"
    ));
    if let Some(start) = start_index {
        put(format_args!(",\"startIndex\":{start}"));
    }
    put(format_args!(",\"itemsPerPage\":{count}"));
    if let Some(next) = next {
        put(format_args!(",\"nextCursor\":{}", serde_json::Value::from(next)));
    }
    put(format_args!(",\"Resources\":["));
    bytes
}

impl TypePart {
    fn plan(resource_type: &'static ResourceType, filter: Option<&Filter>) -> Result<Self, ScimError> {
        let kind = if resource_type.name == "User" {
            Kind::Users
        } else {
            Kind::Groups
        };
        let Some(filter) = filter else {
            return Ok(Self {
                kind,
                resource_type,
                lookup: Lookup::All,
                filter: None,
            });
        };
        let plan = filter.lookup(resource_type)?;
        let exact = plan.residual.is_none()
            && match kind {
                Kind::Users => directory::is_exact_for_users(&plan.lookup),
                Kind::Groups => directory::is_exact_for_groups(&plan.lookup),
            };
        Ok(Self {
            kind,
            resource_type,
            lookup: plan.lookup,
            filter: (!exact).then(|| filter.clone()),
        })
    }
}

impl TypePart {
    /// The user name that is asked for, if nothing else is.
    fn user_name(&self) -> Option<&str> {
        match &self.lookup {
            Lookup::Indexed(IndexedTerm {
                attribute: IndexedAttribute::UserName,
                op: IndexOp::Equal,
                value: IndexValue::Text(name),
            }) if self.kind == Kind::Users && self.filter.is_none() => Some(name),
            _ => None,
        }
    }
}

/// What the parts of a cursor begin with.
const OFFSET: u8 = 0;
const AFTER: u8 = 1;
const WITH_TOTAL: u8 = 2;

fn number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u64::from_be_bytes(bytes.try_into().ok()?)).ok()
}

impl Place {
    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(total) = self.total {
            bytes.push(WITH_TOTAL);
            bytes.extend_from_slice(&(total as u64).to_be_bytes());
        }
        match self.start {
            Start::Offset { offset, .. } => {
                bytes.push(OFFSET);
                bytes.extend_from_slice(&(offset as u64).to_be_bytes());
            }
            Start::After { part, id } => {
                bytes.extend_from_slice(&[AFTER, u8::try_from(part).unwrap_or(u8::MAX)]);
                bytes.extend_from_slice(id.as_bytes());
            }
        }
        bytes
    }

    fn decode(bytes: &[u8], parts: usize) -> Result<Self, ScimError> {
        let place = match bytes {
            [WITH_TOTAL, rest @ ..] => rest.split_at_checked(8).and_then(|(total, start)| {
                let total = Some(number(total)?);
                Some(Self {
                    start: Start::decode(start, parts)?,
                    total,
                })
            }),
            start => Start::decode(start, parts).map(|start| Self { start, total: None }),
        };
        place.ok_or_else(|| {
            ScimError::invalid_cursor("the cursor is none of ours; start again with an empty cursor")
        })
    }
}

impl Start {
    fn decode(bytes: &[u8], parts: usize) -> Option<Self> {
        match bytes {
            [OFFSET, offset @ ..] => Some(Self::Offset {
                offset: number(offset)?,
                by_cursor: true,
            }),
            [AFTER, part, id @ ..] if usize::from(*part) < parts => Some(Self::After {
                part: usize::from(*part),
                id: Uuid::from_slice(id).ok()?,
            }),
            _ => None,
        }
    }

    const fn is_by_cursor(self) -> bool {
        match self {
            Self::Offset { by_cursor, .. } => by_cursor,
            Self::After { .. } => true,
        }
    }
}

impl Listing {
    async fn show(&self, tx: &mut Tx<'_>) -> Result<(Shown, Option<Rest>), Failure> {
        let (total, mut rows, next) = match self.order() {
            Some(order) if self.parts.iter().all(|part| part.filter.is_none()) => {
                self.direct(tx, order).await?
            }
            _ => self.scanned(tx).await?,
        };
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let page = pages::write(tx, &rows, &self.base, &self.projection).await?;
        let last = page.count.checked_sub(1).and_then(|index| rows.get(index));
        let next = last
            .filter(|_| self.place.start.is_by_cursor() && (more || page.count < rows.len()))
            .map(|last| match next {
                Next::Id => Start::After {
                    part: last.part,
                    id: last.id(),
                },
                Next::Offset(offset) => Start::Offset {
                    offset: offset + page.count,
                    by_cursor: true,
                },
            })
            .map(|start| Place {
                start,
                total: Some(total),
            });
        let shown = Shown {
            totals: Totals {
                total,
                count: page.count,
            },
            resources: page.bytes,
            next,
        };
        Ok((shown, page.rest))
    }

    /// Whether it asks for what has one value of an attribute that hardly two have: what identity providers ask before
    /// every change.
    fn is_by_one_value(&self) -> bool {
        let [part] = self.parts.as_slice() else {
            return false;
        };
        let is_light = part.kind == Kind::Users || !self.projection.wants_members();
        is_light && part.filter.is_none() && pages::is_by_one_value(part)
    }

    /// The order that an index has, if it is what the client asks for.
    fn order(&self) -> Option<Order> {
        let Some(sort) = &self.sort else {
            return Some(Order::Id);
        };
        let [part] = self.parts.as_slice() else {
            return None;
        };
        let name = match part.kind {
            Kind::Users => "userName",
            Kind::Groups => "displayName",
        };
        let is_core = sort
            .by
            .uri
            .as_deref()
            .is_none_or(|uri| part.resource_type.schema.is_named(uri));
        (is_core && sort.by.sub.is_none() && sort.by.name.eq_ignore_ascii_case(name)).then_some(Order::Name {
            descending: sort.order == SortOrder::Descending,
        })
    }

    /// The database finds and orders the page. One row more than the page tells that there is another.
    async fn direct(&self, tx: &mut Tx<'_>, order: Order) -> Result<(usize, Vec<Row>, Next), Failure> {
        let (first, after, start) = match self.place.start {
            Start::Offset { offset, .. } => (0, None, offset),
            Start::After { part, id } => (part, Some(id), 0),
        };
        // How many a part has is asked for the total, and to pass over the parts before an offset.
        let known = self.place.total.filter(|_| start == 0 || self.parts.len() == 1);
        let (mut rows, mut total, mut offset) = (Vec::new(), 0, start);
        for (index, part) in self.parts.iter().enumerate() {
            let wanted = (self.limit + 1).saturating_sub(rows.len());
            let mut count = None;
            if index >= first && wanted > 0 {
                let range = Part {
                    after: after.filter(|_| index == first),
                    offset,
                    limit: wanted,
                };
                let (found, is_all) = pages::fetch(tx, self.source, part, index, order, range).await?;
                count = is_all.then_some(found.len());
                rows.extend(found);
            }
            let count = match (count, known) {
                (Some(count), _) => count,
                (None, Some(_)) => 0,
                (None, None) => pages::count(tx, self.source, part).await?,
            };
            offset = offset.saturating_sub(count);
            total += count;
        }
        let total = known.unwrap_or(total);
        let next = if order == Order::Id {
            Next::Id
        } else {
            Next::Offset(start)
        };
        Ok((total, rows, next))
    }

    /// Every resource that the lookup finds is looked at.
    async fn scanned(&self, tx: &mut Tx<'_>) -> Result<(usize, Vec<Row>, Next), Failure> {
        let Start::Offset { offset, .. } = self.place.start else {
            return Err(ScimError::invalid_cursor(
                "the cursor is none of ours; start again with an empty cursor",
            )
            .into());
        };
        let found = scan::scan(tx, self).await?;
        let page = found.get(offset.min(found.len())..).unwrap_or_default();
        let page = &page[..page.len().min(self.limit + 1)];
        let rows = pages::by_ids(tx, page).await?;
        Ok((found.len(), rows, Next::Offset(offset)))
    }
}

/// What the next page's cursor says.
enum Next {
    /// After the last id of this page.
    Id,
    /// After so many resources and those of this page.
    Offset(usize),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use usher_scim::compare::fold;
    use usher_scim::filter::FilterLimits;

    use super::*;

    proptest! {
        #[test]
        fn a_name_that_needs_no_parser_is_the_one_that_the_parser_finds(
            attribute in "(userName|USERNAME|displayName|urn:ietf:params:scim:schemas:core:2.0:User:userName)",
            operator in "(eq|EQ|ne|sw)",
            name in "(\\PC{0,12}|[\"\\\\ ()@.a]{0,8})",
            rest in "(| and active eq true| )",
        ) {
            let filter = format!("{attribute} {operator} \"{name}\"{rest}");
            let pair = (Cow::Borrowed("filter"), Cow::Owned(filter));
            if let Some(name) = only_name(&pair, 1000) {
                let query = ListQuery::from_pairs([("filter", &*pair.1)], &FilterLimits::default());
                let query = query.expect("what needs no parser can be parsed");
                let part = TypePart::plan(&USER_TYPE, query.filter.as_ref()).expect("a plan");
                prop_assert_eq!(part.user_name(), Some(&*fold(name)));
                let filter = query.filter.clone();
                let nothing_else = ListQuery { filter, ..ListQuery::default() };
                prop_assert_eq!(query, nothing_else);
            } else {
                let is_plain = !name.is_empty() && !name.contains(['"', '\\']) && rest.is_empty();
                let is_asked = attribute.eq_ignore_ascii_case("userName") && operator.eq_ignore_ascii_case("eq");
                prop_assert!(!(is_plain && is_asked));
            }
        }
    }

    #[test]
    fn a_name_beyond_the_limit_of_filters_is_left_to_the_parser() {
        let pair = (Cow::Borrowed("filter"), Cow::Borrowed("userName eq \"ada\""));
        assert_eq!(only_name(&pair, 17), Some("ada"));
        assert_eq!(only_name(&pair, 16), None);
    }

    #[test]
    fn a_cursor_says_where_its_page_starts_and_how_many_there_are() {
        let after = Start::After {
            part: 1,
            id: Uuid::from_u128(7),
        };
        let offset = Start::Offset {
            offset: 300,
            by_cursor: true,
        };
        for start in [after, offset] {
            for total in [None, Some(0), Some(1_000_000)] {
                let place = Place { start, total };
                assert_eq!(Place::decode(&place.encode(), 2).expect("ours"), place);
            }
        }
    }

    #[test]
    fn a_cursor_of_a_version_that_counted_each_time_leads_on() {
        let mut old = vec![1, 0];
        old.extend_from_slice(Uuid::from_u128(7).as_bytes());
        let place = Place::decode(&old, 1).expect("ours");
        let start = Start::After {
            part: 0,
            id: Uuid::from_u128(7),
        };
        assert_eq!(place, Place { start, total: None });
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let mut of_another_type = vec![1, 1];
        of_another_type.extend_from_slice(Uuid::nil().as_bytes());
        for bytes in [
            &[][..],
            &[0],
            &[2],
            &[2, 0, 0, 0, 0, 0, 0, 0, 9],
            &[3],
            &of_another_type,
        ] {
            assert!(Place::decode(bytes, 1).is_err(), "{bytes:?}");
        }
    }
}
