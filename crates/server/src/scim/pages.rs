//! The rows of a page, and the page as JSON.

use std::collections::HashMap;

use usher_core::{SourceGroupId, SourceUserId};
use usher_scim::Projection;
use usher_scim::filter::lookup::{IndexOp, IndexValue, IndexedAttribute, IndexedTerm, Lookup};
use usher_storage::query::directory::{self, Order, Part, Selection};
use usher_storage::query::group::GroupRow;
use usher_storage::query::user::UserRow;
use usher_storage::{SourceKey, StorageError, Tx, query};
use uuid::Uuid;

use super::list::{Kind, TypePart};
use super::members::{self, CHUNK, Place};
use super::pieces::{self, Item, Rest};
use super::scan::Found;
use super::{Failure, render};

/// A page ends early when its groups have shown so many members: what is sent has a bound.
const MEMBERS_PER_PAGE: i64 = 250_000;

/// A resource of a list.
pub(super) struct Row {
    /// Which type, by its place in the list's types.
    pub(super) part: usize,
    pub(super) resource: Resource,
}

pub(super) enum Resource {
    User(Box<UserRow>),
    Group(Box<GroupRow>),
}

impl Row {
    pub(super) fn id(&self) -> Uuid {
        match &self.resource {
            Resource::User(row) => row.id.as_uuid(),
            Resource::Group(row) => row.id.as_uuid(),
        }
    }
}

/// A part of the resources of one type, and whether these are all that the lookup finds.
pub(super) async fn fetch(
    tx: &mut Tx<'_>,
    source: SourceKey,
    part: &TypePart,
    index: usize,
    order: Order,
    range: Part,
) -> Result<(Vec<Row>, bool), Failure> {
    let is_first = range.offset == 0 && range.after.is_none();
    if is_first && let Some(rows) = by_one_value(tx, source, part, index).await? {
        return Ok((rows, true));
    }
    let selection = Selection {
        source,
        lookup: &part.lookup,
        order,
    };
    let rows: Vec<Row> = match part.kind {
        Kind::Users => directory::users(tx, selection, range)
            .await?
            .into_iter()
            .map(|row| user(index, row))
            .collect(),
        Kind::Groups => directory::groups(tx, selection, range)
            .await?
            .into_iter()
            .map(|row| group(index, row))
            .collect(),
    };
    let is_all = is_first && rows.len() < range.limit;
    Ok((rows, is_all))
}

/// Whether the lookup is one that [`by_one_value`] answers.
pub(super) fn is_by_one_value(part: &TypePart) -> bool {
    let Lookup::Indexed(IndexedTerm {
        attribute,
        op: IndexOp::Equal,
        value: IndexValue::Text(_),
    }) = &part.lookup
    else {
        return false;
    };
    matches!(
        (part.kind, attribute),
        (
            Kind::Users,
            IndexedAttribute::UserName | IndexedAttribute::ExternalId
        ) | (
            Kind::Groups,
            IndexedAttribute::DisplayName | IndexedAttribute::ExternalId
        )
    )
}

/// What identity providers ask for before every change, by statements that are prepared once. `None` for other lookups.
async fn by_one_value(
    tx: &mut Tx<'_>,
    source: SourceKey,
    part: &TypePart,
    index: usize,
) -> Result<Option<Vec<Row>>, StorageError> {
    let Lookup::Indexed(IndexedTerm {
        attribute,
        op: IndexOp::Equal,
        value: IndexValue::Text(value),
    }) = &part.lookup
    else {
        return Ok(None);
    };
    // A client finds what it wrote, and nothing that only a read of its provider saw.
    let users = |rows: Vec<UserRow>| {
        rows.into_iter()
            .filter(|row| row.pushed)
            .map(|row| user(index, row))
            .collect()
    };
    let groups = |rows: Vec<GroupRow>| {
        rows.into_iter()
            .filter(|row| row.pushed)
            .map(|row| group(index, row))
            .collect()
    };
    let rows = match (part.kind, attribute) {
        (Kind::Users, IndexedAttribute::UserName) => {
            let row = query::user::by_name(tx, source, value).await?;
            users(row.into_iter().collect())
        }
        (Kind::Users, IndexedAttribute::ExternalId) => {
            users(query::user::by_external_id(tx, source, value).await?)
        }
        (Kind::Groups, IndexedAttribute::DisplayName) => {
            groups(query::group::by_name(tx, source, value).await?)
        }
        (Kind::Groups, IndexedAttribute::ExternalId) => {
            groups(query::group::by_external_id(tx, source, value).await?)
        }
        _ => return Ok(None),
    };
    Ok(Some(rows))
}

/// How many resources of one type the lookup finds.
pub(super) async fn count(
    tx: &mut Tx<'_>,
    source: SourceKey,
    part: &TypePart,
) -> Result<usize, StorageError> {
    let count = match part.kind {
        Kind::Users => directory::count_users(tx, source, &part.lookup).await?,
        Kind::Groups => directory::count_groups(tx, source, &part.lookup).await?,
    };
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The rows of what a scan found, in its order.
pub(super) async fn by_ids(tx: &mut Tx<'_>, found: &[Found]) -> Result<Vec<Row>, StorageError> {
    let of = |kind: Kind| found.iter().filter(move |one| one.kind == kind).map(|one| one.id);
    let users: Vec<_> = of(Kind::Users).map(SourceUserId::from_uuid).collect();
    let groups: Vec<_> = of(Kind::Groups).map(SourceGroupId::from_uuid).collect();
    let mut resources: HashMap<Uuid, Resource> = HashMap::with_capacity(found.len());
    if !users.is_empty() {
        let rows = directory::users_by_ids(tx, users).await?;
        resources.extend(
            rows.into_iter()
                .map(|row| (row.id.as_uuid(), Resource::User(Box::new(row)))),
        );
    }
    if !groups.is_empty() {
        let rows = directory::groups_by_ids(tx, groups).await?;
        resources.extend(
            rows.into_iter()
                .map(|row| (row.id.as_uuid(), Resource::Group(Box::new(row)))),
        );
    }
    let rows = found.iter().filter_map(|one| {
        let resource = resources.remove(&one.id)?;
        Some(Row {
            part: one.part,
            resource,
        })
    });
    Ok(rows.collect())
}

/// The elements of a page as JSON with commas between.
#[derive(Default)]
pub(super) struct Page {
    pub(super) bytes: Vec<u8>,
    /// How many of the rows are on it.
    pub(super) count: usize,
    /// What of it is not in `bytes` yet.
    pub(super) rest: Option<Rest>,
}

/// Writes rows as clients see them, up to a number of members; those that come after it are read when the client has taken
/// what is before.
pub(super) async fn write(
    tx: &mut Tx<'_>,
    rows: &[Row],
    base: &str,
    projection: &Projection,
) -> Result<Page, Failure> {
    let mut groups = groups_of(tx, rows, projection).await?;
    let mut page = Page::default();
    let (mut shown_members, mut left) = (0, CHUNK);
    let mut within = None;
    let mut later = Vec::new();
    for row in rows {
        let item = match &row.resource {
            Resource::User(row) => {
                let groups = groups.remove(&row.id);
                let attributes = render::stored(&row.resource)?;
                Item::Whole(render::user_bytes(
                    row,
                    attributes,
                    groups.as_deref(),
                    base,
                    projection,
                ))
            }
            Resource::Group(row) => {
                let has_members = projection.wants_members() && row.member_count > 0;
                if has_members {
                    shown_members += row.member_count;
                    if page.count > 0 && shown_members > MEMBERS_PER_PAGE {
                        break;
                    }
                }
                let bytes = render::group_bytes(row, base, projection)?;
                match has_members {
                    true => Item::Group(row.id, bytes),
                    false => Item::Whole(bytes),
                }
            }
        };
        page.count += 1;
        if within.is_some() {
            later.push(item);
            continue;
        }
        let bytes = match item {
            Item::Whole(bytes) => bytes,
            Item::Group(id, mut bytes) => {
                let elements = members::elements(tx, id, Place::default(), left, base, projection).await?;
                left -= elements.count;
                within = pieces::insert(&mut bytes, id, elements);
                bytes
            }
        };
        if page.count > 1 {
            page.bytes.push(b',');
        }
        page.bytes.extend_from_slice(&bytes);
    }
    page.rest = within.map(|within| Rest::of_list(within, later));
    Ok(page)
}

type Groups = HashMap<SourceUserId, Vec<(SourceGroupId, String)>>;

async fn groups_of(tx: &mut Tx<'_>, rows: &[Row], projection: &Projection) -> Result<Groups, StorageError> {
    let users: Vec<SourceUserId> = rows
        .iter()
        .filter_map(|row| match &row.resource {
            Resource::User(row) => Some(row.id),
            Resource::Group(_) => None,
        })
        .collect();
    if users.is_empty() || !projection.wants_groups() {
        return Ok(Groups::new());
    }
    let mut groups = Groups::new();
    for (user, group, name) in directory::groups_of_users(tx, users).await? {
        groups.entry(user).or_default().push((group, name));
    }
    Ok(groups)
}

fn user(part: usize, row: UserRow) -> Row {
    Row {
        part,
        resource: Resource::User(Box::new(row)),
    }
}

fn group(part: usize, row: GroupRow) -> Row {
    Row {
        part,
        resource: Resource::Group(Box::new(row)),
    }
}
