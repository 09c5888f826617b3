//! Moments and lengths of time.

use std::fmt;

use askama::filters::HtmlSafe;
use usher_core::Timestamp;

/// A moment as `<time>`, in UTC with the zone named; the script shows it in the reader's zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(Timestamp);

/// How long something takes or is ago, in the two largest units: "3 days 4 hours".
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length(std::time::Duration);

impl Moment {
    pub(crate) const fn new(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Length {
    /// From one moment to a later one; nothing when it lies before.
    pub(crate) fn between(from: Timestamp, to: Timestamp) -> Self {
        Self(to.since(from))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(at) = jiff::Timestamp::from_microsecond(self.0.as_micros()) else {
            return f.write_str("at an unknown time");
        };
        write!(
            f,
            r#"<time datetime="{}">{}</time>"#,
            at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            at.strftime("%-d %b %Y, %H:%M UTC")
        )
    }
}

impl HtmlSafe for Moment {}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
        let seconds = self.0.as_secs();
        let largest = UNITS.iter().position(|(unit, _)| seconds >= *unit);
        let Some(largest) = largest else {
            return f.write_str("less than a second");
        };
        let (unit, name) = UNITS[largest];
        plural(f, seconds / unit, name)?;
        if let Some((smaller, name)) = UNITS.get(largest + 1) {
            let rest = seconds % unit / smaller;
            if rest > 0 && seconds / unit < 10 {
                f.write_str(" ")?;
                plural(f, rest, name)?;
            }
        }
        Ok(())
    }
}

impl HtmlSafe for Length {}

fn plural(f: &mut fmt::Formatter<'_>, n: u64, name: &str) -> fmt::Result {
    write!(f, "{n} {name}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_two_units_at_most() {
        for (seconds, expected) in [
            (0, "less than a second"),
            (1, "1 second"),
            (3_600, "1 hour"),
            (3 * 86_400 + 4 * 3_600 + 59, "3 days 4 hours"),
            (30 * 86_400 + 3_600, "30 days"),
        ] {
            assert_eq!(
                Length(std::time::Duration::from_secs(seconds)).to_string(),
                expected
            );
        }
    }

    #[test]
    fn a_moment_names_its_zone() {
        let at: Timestamp = "2026-02-01T09:05:00Z".parse().unwrap();
        assert_eq!(
            Moment::new(at).to_string(),
            r#"<time datetime="2026-02-01T09:05:00Z">1 Feb 2026, 09:05 UTC</time>"#
        );
    }
}
