//! What a service provider announces (RFC 7643 §5, RFC 9865 §4).

use serde_json::Value;
use usher_scim::Attributes;

use crate::wire::{get, object};

/// What may be relied on. Nothing, unless it is announced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Lists can be filtered.
    pub(crate) filter: bool,
    /// Lists can be paged by cursor.
    pub(crate) cursor: bool,
    /// No page is longer.
    pub(crate) max_results: Option<usize>,
}

impl Announced {
    /// Reads `/ServiceProviderConfig`; `None` for something else.
    pub(crate) fn read(config: &Value) -> Option<Self> {
        let config = config.as_object()?;
        let filter = object(config, "filter");
        let pagination = object(config, "pagination");
        if filter.is_none() && object(config, "patch").is_none() {
            return None;
        }
        let number = |part: Option<&Attributes>, name| get(part?, name)?.as_u64();
        let limits = [number(filter, "maxResults"), number(pagination, "maxPageSize")];
        Some(Self {
            filter: says(filter, "supported"),
            cursor: says(pagination, "cursor"),
            max_results: limits
                .into_iter()
                .flatten()
                .filter(|limit| *limit > 0)
                .min()
                .and_then(|limit| usize::try_from(limit).ok()),
        })
    }
}

fn says(part: Option<&Attributes>, name: &str) -> bool {
    part.and_then(|part| get(part, name))
        .is_some_and(|value| match value {
            Value::Bool(value) => *value,
            Value::String(text) => text.eq_ignore_ascii_case("true"),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_announced_counts() {
        let config = json!({"patch": {"supported": false}, "filter": {"supported": true, "maxResults": 200},
            "pagination": {"cursor": true, "index": true, "maxPageSize": 50}});
        let expected = Announced {
            filter: true,
            cursor: true,
            max_results: Some(50),
        };
        assert_eq!(Announced::read(&config), Some(expected));
        let bare = json!({"patch": {"supported": true}, "Filter": {"supported": "False", "maxResults": 0}});
        assert_eq!(Announced::read(&bare), Some(Announced::default()));
    }

    #[test]
    fn something_else_announces_nothing() {
        for other in [json!(null), json!([]), json!({"status": "ok"})] {
            assert_eq!(Announced::read(&other), None, "{other}");
        }
    }
}
