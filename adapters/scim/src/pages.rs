//! A list, page by page, and whether all of it was seen.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use crate::announced::Announced;
use crate::client::{NoPage, ScimClient};
use crate::wire::{Kind, Resource};

/// So many pages without anything in them end a list.
const EMPTY_PAGES: u32 = 100;

/// A list that is being read.
///
/// Each resource comes once. A provider's counts and places are not believed: pages that repeat, rows that are missing
/// and totals that change end in a [`Pages::doubt`].
#[derive(Debug)]
pub(crate) struct Pages {
    kind: Kind,
    filter: Option<String>,
    excluded: Option<&'static str>,
    size: usize,
    place: Place,
    /// Hashes of the ids that came: eight bytes each.
    seen: HashSet<u64>,
    hasher: RandomState,
    total: Option<u64>,
    /// Pages without anything in them, one after the other.
    empty: u32,
    doubt: Option<&'static str>,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// From this one on, counted from 1.
    Index(u64),
    /// At this cursor; empty at the beginning.
    Cursor(String),
    End,
}

impl Pages {
    /// The beginning of a list.
    pub(crate) fn new(kind: Kind, announced: &Announced, page_size: usize) -> Self {
        Self {
            kind,
            filter: None,
            excluded: None,
            size: page_size.min(announced.max_results.unwrap_or(page_size)).max(1),
            place: if announced.cursor {
                Place::Cursor(String::new())
            } else {
                Place::Index(1)
            },
            seen: HashSet::new(),
            hasher: RandomState::new(),
            total: None,
            empty: 0,
            doubt: None,
        }
    }

    /// Only those that match.
    pub(crate) fn filtered(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// Without this attribute.
    pub(crate) const fn without(mut self, attribute: &'static str) -> Self {
        self.excluded = Some(attribute);
        self
    }

    /// The next page; `None` after the last. A page may be empty.
    ///
    /// # Errors
    /// [`NoPage`] when it did not come.
    pub(crate) async fn next<T: Resource>(&mut self, client: &ScimClient) -> Result<Option<Vec<T>>, NoPage> {
        let count = self.size.to_string();
        let mut parameters = vec![("count", count.as_str())];
        parameters.extend(self.filter.as_deref().map(|filter| ("filter", filter)));
        parameters.extend(self.excluded.map(|name| ("excludedAttributes", name)));
        let start;
        match &self.place {
            Place::End => return Ok(None),
            Place::Index(index) => {
                start = index.to_string();
                parameters.push(("startIndex", &start));
            }
            Place::Cursor(cursor) => parameters.push(("cursor", cursor)),
        }
        let page = client.page::<T>(self.kind, &parameters).await?;
        let came = page.resources.len();
        match (self.total, page.total_results) {
            (Some(before), Some(now)) if before != now => {
                self.doubt("the total changed while the list was read");
            }
            (None, total) => self.total = total,
            _ => {}
        }
        let mut fresh = page.resources;
        let (seen, hasher) = (&mut self.seen, &self.hasher);
        let mut nameless = false;
        fresh.retain(|resource| match resource.id() {
            Some(id) => seen.insert(hasher.hash_one(id)),
            None => {
                nameless = true;
                false
            }
        });
        if nameless {
            self.doubt("a resource without an id was in the list");
        }
        self.advance(came, fresh.len(), page.next_cursor);
        Ok(Some(fresh))
    }

    /// Why not all of a list that was read to its end may have been seen.
    pub(crate) fn doubt_at_end(&self) -> Option<String> {
        if let Some(doubt) = self.doubt {
            return Some(doubt.into());
        }
        let seen = self.seen.len() as u64;
        let total = self.total?;
        (seen != total).then(|| format!("the provider announced {total} entries and gave {seen}"))
    }

    fn doubt(&mut self, why: &'static str) {
        self.doubt.get_or_insert(why);
    }

    fn advance(&mut self, came: usize, fresh: usize, next_cursor: Option<String>) {
        let repeats = came > 0 && fresh == 0;
        self.empty = if came == 0 { self.empty + 1 } else { 0 };
        if repeats {
            self.doubt("a page came twice");
        }
        self.place = match (&self.place, next_cursor) {
            (Place::Cursor(_), None) | (Place::End, _) => Place::End,
            (Place::Cursor(before), Some(next)) => {
                if repeats || *before == next || self.empty > EMPTY_PAGES {
                    self.doubt("a page came twice");
                    Place::End
                } else {
                    Place::Cursor(next)
                }
            }
            (Place::Index(start), _) => {
                let next = start + came as u64;
                let more = match self.total {
                    // Some providers give the length of the first page as the total.
                    Some(total) => next <= total || (*start == 1 && came == self.size),
                    None => {
                        self.doubt("the provider does not say how many entries there are");
                        came > 0
                    }
                };
                if more && came > 0 && !repeats {
                    Place::Index(next)
                } else {
                    Place::End
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(cursor: bool) -> Pages {
        let announced = Announced {
            cursor,
            ..Announced::default()
        };
        Pages::new(Kind::User, &announced, 2)
    }

    #[test]
    fn an_index_moves_by_what_came_and_not_by_what_was_asked() {
        let mut pages = pages(false);
        pages.total = Some(3);
        pages.advance(1, 1, None);
        assert_eq!(pages.place, Place::Index(2));
        pages.advance(2, 2, None);
        assert_eq!((&pages.place, pages.doubt), (&Place::End, None));
    }

    #[test]
    fn a_page_that_comes_again_ends_the_list_in_doubt() {
        let mut by_index = pages(false);
        by_index.total = Some(9);
        by_index.advance(2, 0, None);
        assert_eq!(by_index.place, Place::End);
        assert!(by_index.doubt_at_end().is_some());
        let mut by_cursor = pages(true);
        by_cursor.advance(2, 2, Some("a".into()));
        by_cursor.advance(2, 2, Some("a".into()));
        assert_eq!(by_cursor.place, Place::End);
        assert!(by_cursor.doubt_at_end().is_some());
    }

    #[test]
    fn fewer_than_announced_is_a_doubt() {
        let mut pages = pages(false);
        pages.total = Some(2);
        pages.advance(0, 0, None);
        let doubt = pages.doubt_at_end().expect("a doubt");
        assert!(doubt.contains("announced 2 entries and gave 0"), "{doubt}");
    }
}
