//! The languages that e-mails are written in.

use serde::{Deserialize, Serialize};

/// A language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::En, Self::De];

    /// Its code (ISO 639-1), and the folder of its templates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language with a code.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|language| language.as_str() == code)
    }

    /// A moment as people write it: to the minute, in UTC.
    pub(crate) fn moment(self, at: jiff::Timestamp) -> String {
        let at = at.to_zoned(jiff::tz::TimeZone::UTC);
        let month = usize::try_from(at.month() - 1).unwrap_or_default();
        let (day, year, hour, minute) = (at.day(), at.year(), at.hour(), at.minute());
        match self {
            Self::En => format!("{day} {} {year}, {hour:02}:{minute:02} UTC", ENGLISH[month]),
            Self::De => format!("{day}. {} {year}, {hour:02}:{minute:02} Uhr UTC", GERMAN[month]),
        }
    }
}

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_people_write_them() {
        let at = "2026-03-05T07:04:59Z".parse().unwrap();
        assert_eq!(Language::En.moment(at), "5 March 2026, 07:04 UTC");
        assert_eq!(Language::De.moment(at), "5. März 2026, 07:04 Uhr UTC");
    }

    #[test]
    fn codes_lead_back() {
        for language in Language::ALL {
            assert_eq!(Language::named(language.as_str()), Some(*language));
        }
        assert_eq!(Language::named("fr"), None);
    }
}
