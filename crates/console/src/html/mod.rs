//! Small pieces of HTML that escape for themselves, for use in templates as `{{ piece }}`.

mod flow;
mod gantt;
mod hidden;
mod link;
mod moment;
mod pager;
mod reason;
mod tab;
mod word;

pub(crate) use flow::{Flow, Way};
pub(crate) use gantt::{Bar, Gantt, Line};
pub(crate) use hidden::Hidden;
pub(crate) use link::{PersonName, RoomName};
pub(crate) use moment::{Length, Moment};
pub(crate) use pager::{Page, Pager};
pub(crate) use reason::Reason;
pub(crate) use tab::Tab;
pub(crate) use word::{Badge, Tone, word};

use std::fmt;

/// A `mailto:` address as it is; of anything else the top of the page.
pub(crate) fn mail_address(address: &str) -> &str {
    if address.starts_with("mailto:") {
        address
    } else {
        "#"
    }
}

/// A text, escaped for content and quoted attributes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// As much of a name as fits into a picture.
fn short(text: &str, fits: usize) -> String {
    let visible: String = text.chars().filter(|sign| !sign.is_control()).collect();
    if visible.chars().count() <= fits {
        return visible;
    }
    let mut cut: String = visible.chars().take(fits - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            Escaped("ä<a href=\"x\">'&").to_string(),
            "ä&lt;a href=&quot;x&quot;&gt;&#39;&amp;"
        );
    }
}
