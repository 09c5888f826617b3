//! How values are compared: letter case, time and text.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `text` without its letter case: two texts that differ only in letter case fold to the same.
///
/// An index over an attribute that is not `caseExact` stores this form, and [`crate::filter::lookup`] hands out its
/// search values in it.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        }
    } else {
        Cow::Owned(
            text.chars()
                .flat_map(char::to_lowercase)
                .map(unify_sigma)
                .collect(),
        )
    }
}

/// The instant that an `xsd:dateTime` means. Without an offset it is taken as UTC.
pub fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let local: DateTime = text.contains('T').then(|| text.parse().ok())??;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

pub(crate) fn text_eq(left: &str, right: &str, case_exact: bool) -> bool {
    left == right
        || !case_exact
            && (left.eq_ignore_ascii_case(right)
                || (!(left.is_ascii() && right.is_ascii()) && fold(left) == fold(right)))
}

pub(crate) fn text_cmp(left: &str, right: &str, case_exact: bool) -> Ordering {
    if case_exact {
        left.cmp(right)
    } else {
        fold(left).cmp(&fold(right))
    }
}

/// Applies `test` to both texts, without their letter case unless it counts.
pub(crate) fn text_test(
    left: &str,
    right: &str,
    case_exact: bool,
    test: impl FnOnce(&str, &str) -> bool,
) -> bool {
    if case_exact {
        test(left, right)
    } else {
        test(&fold(left), &fold(right))
    }
}

fn unify_sigma(letter: char) -> char {
    if letter == 'ς' { 'σ' } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_is_folded_beyond_ascii() {
        assert!(text_eq("JÖRG@example.com", "jörg@EXAMPLE.com", false));
        assert!(text_eq("ΟΔΟΣ", "οδος", false));
        assert!(!text_eq("JÖRG", "jörg", true));
        assert!(!text_eq("admin", "admın", false), "a dotless i is another letter");
    }

    #[test]
    fn one_instant_has_several_spellings() {
        let utc = instant("2008-01-23T04:56:22Z");
        assert!(utc.is_some());
        assert_eq!(utc, instant("2008-01-23T05:56:22+01:00"));
        assert_eq!(utc, instant("2008-01-23T04:56:22"));
        assert_eq!(utc, instant("2008-01-23T04:56:22.000Z"));
        assert_eq!(instant("yesterday"), None);
    }
}
