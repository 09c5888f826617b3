//! Lists in pages: `?limit=&cursor=` and `{items, next}`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use usher_core::TypedId;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::ApiError;

/// Items on a page when the client does not say how many.
const USUAL: u32 = 50;
/// The most items on a page.
pub(super) const MOST: u32 = 500;

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// The most items to answer; 50 when left out.
    #[param(minimum = 1, maximum = 500)]
    pub(super) limit: Option<u32>,
    /// `next` of the page before.
    pub(super) cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl Paging {
    /// How many items to answer.
    ///
    /// # Errors
    /// When the client asks for none, or for more than [`MOST`].
    pub(super) fn limit(&self) -> Result<u32, ApiError> {
        match self.limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(limit),
            other => Err(ApiError::malformed(
                "limit",
                format!("{other} items cannot be answered; ask for 1 to {MOST}"),
            )),
        }
    }

    /// The id that the page before ended with.
    ///
    /// # Errors
    /// When the cursor is not one that a page gave.
    pub(super) fn after<I: TypedId>(&self) -> Result<Option<I>, ApiError> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let uuid = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| Uuid::from_slice(&bytes).ok())
            .ok_or_else(|| ApiError::malformed("cursor", "use `next` of the page before as it is"))?;
        Ok(Some(I::from_uuid(uuid)))
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` of these rows, of which there is one more than `limit` when the list goes on.
    pub(super) fn cut<R, I: TypedId>(
        mut rows: Vec<R>,
        limit: u32,
        id: impl Fn(&R) -> I,
    ) -> (Vec<R>, Option<String>) {
        let limit = limit as usize;
        if rows.len() <= limit {
            return (rows, None);
        }
        rows.truncate(limit);
        let next = rows
            .last()
            .map(|row| URL_SAFE_NO_PAD.encode(id(row).as_uuid().as_bytes()));
        (rows, next)
    }

    /// A list that is whole on one page.
    pub(super) const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

#[cfg(test)]
mod tests {
    use usher_core::RoomId;

    use super::*;

    fn ids(n: u128) -> Vec<RoomId> {
        (1..=n).map(|n| RoomId::from_uuid(Uuid::from_u128(n))).collect()
    }

    #[test]
    fn a_cursor_leads_on_from_the_last_item() {
        let (rows, next) = Page::<RoomId>::cut(ids(3), 2, |id| *id);
        assert_eq!(rows, ids(2));
        let paging = Paging {
            limit: Some(2),
            cursor: next,
        };
        assert_eq!(paging.after::<RoomId>().unwrap(), Some(ids(2)[1]));
        assert_eq!(Page::<RoomId>::cut(ids(2), 2, |id| *id).1, None);
    }

    #[test]
    fn a_made_up_cursor_or_limit_is_refused() {
        let paging = Paging {
            limit: Some(0),
            cursor: Some("page2".into()),
        };
        assert!(paging.after::<RoomId>().is_err());
        assert!(paging.limit().is_err());
    }
}
