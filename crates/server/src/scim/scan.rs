//! Filters and orders that no index answers: every resource that the lookup finds is looked at, up to a bound.

use serde_json::Value;
use usher_core::{SourceGroupId, SourceUserId};
use usher_scim::sort::SortKey;
use usher_scim::{Attributes, ScimError};
use usher_storage::query::directory::{self, Order, Part, Selection};
use usher_storage::{Tx, query};
use uuid::Uuid;

use super::list::{Kind, Listing, TypePart};
use super::{Failure, members, render};

/// Rows read at once.
const CHUNK: usize = 500;

/// A resource that matches.
pub(super) struct Found {
    pub(super) kind: Kind,
    /// Which type, by its place in the list's types.
    pub(super) part: usize,
    pub(super) id: Uuid,
    key: Option<SortKey>,
}

/// All resources that match, in the order that the client asks for; between equals, and without a sort, by id.
///
/// # Errors
/// `tooMany` when more than the configured number would have to be looked at.
pub(super) async fn scan(tx: &mut Tx<'_>, listing: &Listing) -> Result<Vec<Found>, Failure> {
    let mut scan = Scan {
        listing,
        left: listing.max_scan,
        found: Vec::new(),
    };
    for (index, part) in listing.parts.iter().enumerate() {
        match part.kind {
            Kind::Users => scan.users(tx, index, part).await?,
            Kind::Groups => scan.groups(tx, index, part).await?,
        }
    }
    let mut found = scan.found;
    if listing.sort.is_some() {
        found.sort_by(|a, b| {
            a.key
                .cmp(&b.key)
                .then_with(|| (a.part, a.id).cmp(&(b.part, b.id)))
        });
    }
    Ok(found)
}

struct Scan<'a> {
    listing: &'a Listing,
    left: usize,
    found: Vec<Found>,
}

impl Scan<'_> {
    async fn users(&mut self, tx: &mut Tx<'_>, index: usize, part: &TypePart) -> Result<(), Failure> {
        let wants_groups = self.asks_for(part, "groups");
        let mut after = None;
        loop {
            let range = Part {
                after,
                offset: 0,
                limit: CHUNK,
            };
            let rows = directory::users(tx, self.selection(part), range).await?;
            for row in &rows {
                self.look_at(1)?;
                let groups = if wants_groups {
                    let asked = query::user::groups_of(tx, row.id).await?;
                    Some(tx.rows(asked).await?)
                } else {
                    None
                };
                let attributes = render::stored(&row.resource)?;
                let resource = render::user(row, attributes, groups.as_deref(), &self.listing.base);
                self.judge(part, index, row.id.as_uuid(), &resource);
            }
            match rows.last() {
                Some(last) if rows.len() == CHUNK => after = Some(SourceUserId::as_uuid(last.id)),
                _ => return Ok(()),
            }
        }
    }

    async fn groups(&mut self, tx: &mut Tx<'_>, index: usize, part: &TypePart) -> Result<(), Failure> {
        let wants_members = self.asks_for(part, "members");
        let mut after = None;
        loop {
            let range = Part {
                after,
                offset: 0,
                limit: CHUNK,
            };
            let rows = directory::groups(tx, self.selection(part), range).await?;
            for row in &rows {
                self.look_at(1)?;
                let mut resource = render::group(row, &self.listing.base)?;
                if wants_members && row.member_count > 0 {
                    self.look_at(usize::try_from(row.member_count).unwrap_or(0))?;
                    let values = members::values(tx, row.id, &self.listing.base).await?;
                    resource.insert("members".into(), Value::Array(values));
                }
                self.judge(part, index, row.id.as_uuid(), &resource);
            }
            match rows.last() {
                Some(last) if rows.len() == CHUNK => after = Some(SourceGroupId::as_uuid(last.id)),
                _ => return Ok(()),
            }
        }
    }

    fn selection<'p>(&self, part: &'p TypePart) -> Selection<'p> {
        Selection {
            source: self.listing.source,
            lookup: &part.lookup,
            order: Order::Id,
        }
    }

    fn asks_for(&self, part: &TypePart, attribute: &str) -> bool {
        part.filter
            .as_ref()
            .is_some_and(|filter| filter.mentions(attribute))
            || self
                .listing
                .sort
                .as_ref()
                .is_some_and(|sort| sort.by.name.eq_ignore_ascii_case(attribute))
    }

    fn look_at(&mut self, rows: usize) -> Result<(), ScimError> {
        match self.left.checked_sub(rows) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(ScimError::too_many(format!(
                "this filter or sort would have to look at more than {} resources; narrow it by userName, externalId, \
                 displayName of a group, emails.value, active or meta.lastModified",
                self.listing.max_scan
            ))),
        }
    }

    fn judge(&mut self, part: &TypePart, index: usize, id: Uuid, resource: &Attributes) {
        if part
            .filter
            .as_ref()
            .is_none_or(|filter| filter.matches(resource, part.resource_type))
        {
            let key = self
                .listing
                .sort
                .as_ref()
                .map(|sort| sort.key(resource, part.resource_type));
            self.found.push(Found {
                kind: part.kind,
                part: index,
                id,
                key,
            });
        }
    }
}
