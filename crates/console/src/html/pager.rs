//! Lists in pages.

use std::fmt;

use askama::filters::HtmlSafe;
use serde::Deserialize;

use super::Escaped;
use crate::visit::query;

/// A page of a list, as the API answers it.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    #[serde(default)]
    pub(crate) next: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

/// Links to the first and the next page of a list. Nothing when everything is on this one.
pub(crate) struct Pager {
    first: Option<String>,
    next: Option<String>,
}

impl Pager {
    /// For a list at `path` with these filters, on the page of `cursor` (empty on the first), before the one of `next`.
    pub(crate) fn new(path: &str, filters: &[(&str, &str)], cursor: &str, next: Option<&str>) -> Self {
        Self::named("cursor", path, filters, cursor, next)
    }

    /// Whether there is a page after this one.
    pub(crate) fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// As [`Pager::new`], for a list whose cursor has another name because it is not the only one on its page.
    pub(crate) fn named(
        name: &str,
        path: &str,
        filters: &[(&str, &str)],
        cursor: &str,
        next: Option<&str>,
    ) -> Self {
        let at = |cursor: &str| {
            let mut pairs = filters.to_vec();
            pairs.push((name, cursor));
            format!("{path}{}", query(&pairs))
        };
        Self {
            first: (!cursor.is_empty()).then(|| at("")),
            next: next.map(at),
        }
    }
}

impl fmt::Display for Pager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first.is_none() && self.next.is_none() {
            return Ok(());
        }
        f.write_str(r#"<nav class="pager" aria-label="Pages of this list">"#)?;
        if let Some(first) = &self.first {
            write!(
                f,
                r#"<a class="button quiet" href="{}">First page</a>"#,
                Escaped(first)
            )?;
        }
        if let Some(next) = &self.next {
            write!(
                f,
                r#"<a class="button quiet" rel="next" href="{}">Next page</a>"#,
                Escaped(next)
            )?;
        }
        f.write_str("</nav>")
    }
}

impl HtmlSafe for Pager {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_stay_from_page_to_page() {
        let pager = Pager::new("/holds", &[("all", "yes"), ("room", "")], "", Some("abc")).to_string();
        assert!(
            pager.contains("/holds?all=yes&amp;cursor=abc") && !pager.contains("First"),
            "{pager}"
        );
        assert_eq!(Pager::new("/holds", &[], "", None).to_string(), "");
    }
}
