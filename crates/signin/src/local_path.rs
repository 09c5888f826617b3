//! Where to go after signing in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest path that is taken.
const LONGEST: usize = 2000;

/// A path of this site, with its query: never another site, however it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct LocalPath(String);

impl LocalPath {
    /// Takes a path; anything that a browser might read as another site, or as a way back to signing in or out, becomes the
    /// start page.
    ///
    /// Browsers take a backslash for a slash and leave out tabs and line breaks (WHATWG URL §4.4), so neither is taken.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let is_local = text.starts_with('/') && !text.starts_with("//");
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let is_loop = ["/sign-in", "/sign-out"].iter().any(|at| {
            path.strip_prefix(at)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if is_visible && is_local && !is_loop && text.len() <= LONGEST {
            Self(text.to_owned())
        } else {
            Self::default()
        }
    }

    /// The path and the query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LocalPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl From<String> for LocalPath {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_taken() {
        for good in [
            "/",
            "/rooms",
            "/rooms/1?at=2026-01-31T09:00:00Z",
            "/orders?state=live#top",
            "/sign-ins",
        ] {
            assert_eq!(LocalPath::new(good).as_str(), good);
        }
        for bad in [
            "",
            "rooms",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "/rooms\r\nSet-Cookie: a=b",
            "/röoms",
            "/sign-in?next=/",
            "/sign-out",
            "/sign-in/entra/callback?code=1",
        ] {
            assert_eq!(LocalPath::new(bad).as_str(), "/", "{bad:?}");
        }
        assert_eq!(LocalPath::new(&format!("/{}", "x".repeat(3000))).as_str(), "/");
    }

    #[test]
    fn what_was_stored_is_checked_again() {
        let path: LocalPath = serde_json::from_str("\"//evil.example\"").unwrap();
        assert_eq!(path.as_str(), "/");
    }
}
