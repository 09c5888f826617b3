//! How long a call puts up with a provider that says "later", and the one place that waits for a length of time.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;
use usher_core::{RetryAdvice, Timestamp};

/// What to advise when the provider does not say when to come back.
pub(crate) const LATER: Duration = Duration::from_secs(30);

/// A provider that asks for more is advised to be asked again after this.
const LONGEST_ASKED: Duration = Duration::from_secs(86_400);

/// Bounds on the patience of one call.
///
/// A call waits and repeats when the provider answers 429 or 503, for as long as the provider asks; it gives up, with
/// the time asked as advice, where one of these bounds would be exceeded. A cut connection and 500, 502 and 504 are met
/// with one repeat if the call only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// At most so many requests for one call, the first included.
    pub tries: u32,
    /// No wait is longer than this.
    pub longest_wait: Duration,
    /// No wait ends later than this after the call began.
    pub total: Duration,
}

impl Patience {
    /// Every request is made once.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            tries: 1,
            longest_wait: Duration::ZERO,
            total: Duration::ZERO,
        }
    }
}

impl Default for Patience {
    /// Five tries, waits of up to a minute each, five minutes in all.
    fn default() -> Self {
        Self {
            tries: 5,
            longest_wait: Duration::from_secs(60),
            total: Duration::from_secs(300),
        }
    }
}

/// The tries of one call so far.
#[derive(Debug)]
pub(crate) struct Attempts {
    patience: Patience,
    began: Instant,
    made: u32,
    mended: bool,
}

impl Attempts {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            began: Instant::now(),
            made: 0,
            mended: false,
        }
    }

    /// Counts a request that is about to be made.
    pub(crate) const fn begin(&mut self) {
        self.made += 1;
    }

    /// How long to wait after the provider said "later", or what to advise instead of waiting.
    pub(crate) fn after_refusal(&self, asked: Option<Duration>) -> Result<Duration, RetryAdvice> {
        let wait = asked.unwrap_or_else(|| self.own(Duration::from_secs(1), Duration::from_secs(5)));
        if self.allow(wait) {
            Ok(wait)
        } else {
            Err(RetryAdvice::After(asked.unwrap_or(LATER)))
        }
    }

    /// How long to wait before the one repeat of a read that broke; `None` when it was made already.
    pub(crate) fn after_break(&mut self) -> Option<Duration> {
        let wait = self.own(Duration::from_millis(200), Duration::from_secs(1));
        let repeat = !self.mended && self.allow(wait);
        self.mended = true;
        repeat.then_some(wait)
    }

    /// A wait of our own choice: somewhere between the two, so that many clients do not come back at the same moment,
    /// and within the bounds.
    fn own(&self, least: Duration, most: Duration) -> Duration {
        let left = self.patience.total.saturating_sub(self.began.elapsed());
        (least + (most - least).mul_f64(chance()))
            .min(self.patience.longest_wait)
            .min(left)
    }

    fn allow(&self, wait: Duration) -> bool {
        self.made < self.patience.tries
            && wait <= self.patience.longest_wait
            && self.began.elapsed().saturating_add(wait) <= self.patience.total
    }
}

/// Waits.
pub(crate) async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// What the answer says about when to come back: `Retry-After` (RFC 9110 §10.2.3), or else `X-Rate-Limit-Reset`, which
/// Okta sends with the second at which its window ends.
///
/// Moments are taken against the answer's own `Date`, so that a wrong clock on either side does no harm. Okta's reset is
/// only an estimate when the limit on concurrent requests was met (limit and remaining both zero); it is passed over.
pub(crate) fn asked(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    said(status, headers, now).map(|time| time.min(LONGEST_ASKED))
}

fn said(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let date = text("date").and_then(moment).unwrap_or(now);
    if let Some(after) = text("retry-after") {
        return match after.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => moment(after).map(|moment| moment.since(date)),
        };
    }
    let concurrent = text("x-rate-limit-limit") == Some("0") && text("x-rate-limit-remaining") == Some("0");
    if status != StatusCode::TOO_MANY_REQUESTS || concurrent {
        return None;
    }
    let seconds: u64 = text("x-rate-limit-reset")?.parse().ok()?;
    let reset = Timestamp::from_micros(0).plus(Duration::from_secs(seconds));
    // Both are whole seconds, so the window may still be open at the second itself.
    Some(reset.since(date) + Duration::from_secs(1) + Duration::from_secs(1).mul_f64(chance()))
}

/// An HTTP date (RFC 9110 §5.6.7).
fn moment(text: &str) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(0).plus(since))
}

/// A random number from 0 to 1; the middle where the operating system gives none.
fn chance() -> f64 {
    let mut bytes = [0; 2];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use http::HeaderValue;

    use super::*;

    fn seconds(range: RangeInclusive<u64>) -> RangeInclusive<Duration> {
        Duration::from_secs(*range.start())..=Duration::from_secs(*range.end())
    }

    fn check(status: u16, fields: &[(&'static str, &str)], expected: Option<RangeInclusive<u64>>) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let now = "2026-01-31T09:00:00Z".parse().unwrap();
        let found = asked(StatusCode::from_u16(status).unwrap(), &headers, now);
        match expected.map(seconds) {
            Some(range) => assert!(
                found.is_some_and(|time| range.contains(&time)),
                "{fields:?}: {found:?}"
            ),
            None => assert_eq!(found, None, "{fields:?}"),
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        check(429, &[("retry-after", "17")], Some(17..=17));
        check(503, &[("retry-after", " 0 ")], Some(0..=0));
        check(429, &[("retry-after", "99999999")], Some(86_400..=86_400));
        check(429, &[("retry-after", "soon")], None);
        check(429, &[("retry-after", "-1")], None);
        check(429, &[], None);
        let half_past = ("retry-after", "Sat, 31 Jan 2026 09:00:30 GMT");
        check(503, &[half_past], Some(30..=30));
        check(
            503,
            &[half_past, ("date", "Sat, 31 Jan 2026 08:59:00 GMT")],
            Some(90..=90),
        );
        check(
            503,
            &[half_past, ("date", "Sat, 31 Jan 2026 10:00:00 GMT")],
            Some(0..=0),
        );
    }

    #[test]
    fn a_reset_is_taken_against_the_providers_own_clock() {
        // 2026-01-31T09:00:20Z
        let reset = ("x-rate-limit-reset", "1769850020");
        let limit = ("x-rate-limit-limit", "600");
        let none_left = ("x-rate-limit-remaining", "0");
        check(429, &[reset], Some(21..=22));
        check(429, &[reset, limit, none_left], Some(21..=22));
        check(
            429,
            &[reset, limit, none_left, ("date", "Sat, 31 Jan 2026 08:59:20 GMT")],
            Some(61..=62),
        );
        check(429, &[("x-rate-limit-reset", "1")], Some(1..=2));
        check(429, &[reset, ("retry-after", "3")], Some(3..=3));
        check(503, &[reset], None);
        check(429, &[("x-rate-limit-reset", "x")], None);
        // The limit on concurrent requests.
        check(429, &[reset, ("x-rate-limit-limit", "0"), none_left], None);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_take_their_time_and_stay_within_the_bounds() {
        let mut attempts = Attempts::new(Patience {
            tries: 4,
            longest_wait: Duration::from_secs(60),
            total: Duration::from_secs(100),
        });
        let began = Instant::now();
        attempts.begin();
        let minute = Duration::from_secs(60);
        assert_eq!(attempts.after_refusal(Some(minute)), Ok(minute));
        wait(minute).await;
        assert_eq!(began.elapsed(), minute);
        attempts.begin();
        let over = RetryAdvice::After(Duration::from_secs(41));
        assert_eq!(attempts.after_refusal(Some(Duration::from_secs(41))), Err(over));
        let rest = Duration::from_secs(40);
        assert_eq!(attempts.after_refusal(Some(rest)), Ok(rest));
        attempts.begin();
        let own = attempts.after_refusal(None).unwrap();
        assert!(seconds(1..=5).contains(&own), "{own:?}");
        attempts.begin();
        assert_eq!(attempts.after_refusal(None), Err(RetryAdvice::After(LATER)));
    }

    #[test]
    fn a_break_is_mended_once() {
        let mut attempts = Attempts::new(Patience::default());
        attempts.begin();
        let wait = attempts.after_break().unwrap();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        attempts.begin();
        assert_eq!(attempts.after_break(), None);
        let mut attempts = Attempts::new(Patience::none());
        attempts.begin();
        assert_eq!(attempts.after_break(), None);
    }
}
