//! Entity tags and the conditions made with them (RFC 7644 §3.14, RFC 9110 §13).

/// The weak entity tag of a version.
pub fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// The tags of an `If-Match` or `If-None-Match` header.
///
/// Tags are compared weakly, since SCIM versions are weak in both headers. A tag without quotes is taken too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagList {
    /// `*`: any existing version.
    Any,
    /// One of these. Tags that are not ours are in no version.
    Versions(Vec<u64>),
}

impl TagList {
    /// Reads a header. Every text is read: what is no tag of ours matches nothing.
    pub fn parse(header: &str) -> Self {
        if header.trim() == "*" {
            return Self::Any;
        }
        Self::Versions(header.split(',').filter_map(version).collect())
    }

    /// Whether an existing resource of this version is in the list.
    pub fn contains(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

fn version(tag: &str) -> Option<u64> {
    let tag = tag.trim();
    let tag = tag
        .strip_prefix("W/")
        .or_else(|| tag.strip_prefix("w/"))
        .unwrap_or(tag);
    let digits = tag
        .strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'))
        .unwrap_or(tag);
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit());
    canonical.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_in_the_list_that_holds_it() {
        assert!(TagList::parse(&etag(7)).contains(7));
        for (header, holds) in [
            ("*", true),
            ("W/\"6\", W/\"7\"", true),
            ("\"7\"", true),
            ("7", true),
            ("W/\"8\"", false),
            ("W/\"+7\"", false),
            ("\"3694e05e9dff594\"", false),
            ("", false),
        ] {
            assert_eq!(TagList::parse(header).contains(7), holds, "{header}");
        }
    }
}
