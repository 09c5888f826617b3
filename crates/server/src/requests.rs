//! What identity providers sent lately, for whoever sets one up: kept in memory beside the requests, written down in batches.
//!
//! Everything that was refused is kept, and of what was done a sample, as far as there is room. Nothing of a request waits for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use usher_core::Timestamp;
use usher_engine::{Engine, EngineError};
use usher_storage::SourceKey;
use usher_storage::query::request_log::{self, RequestRow};

/// How many requests of a source are remembered between two times of writing: those that were refused, and those that were done.
const REFUSED: usize = 200;
const DONE: usize = 20;
/// How many requests of a source are kept.
const KEPT: i64 = 5000;
/// The longest texts that are kept.
const LONGEST: usize = 300;

/// What came since it was written down last.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<BTreeMap<i64, Lately>>);

#[derive(Debug, Default)]
struct Lately {
    rows: Vec<RequestRow>,
    refused: usize,
    done: usize,
    skipped: i64,
}

/// A request that was answered.
pub(crate) struct Answered<'a> {
    pub(crate) source: SourceKey,
    /// Says when it was answered, and how long that took.
    pub(crate) when: &'a dyn Fn() -> (Timestamp, Duration),
    pub(crate) request_id: &'a str,
    pub(crate) agent: Option<&'a HeaderValue>,
    pub(crate) method: &'a str,
    /// Below the source's root.
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) reason: Option<String>,
}

impl RequestLog {
    /// Remembers a request, or that there was one.
    pub(crate) fn remember(&self, answered: &Answered<'_>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = all.entry(answered.source.0).or_default();
        let (count, most) = match answered.status {
            400.. => (&mut lately.refused, REFUSED),
            _ => (&mut lately.done, DONE),
        };
        if *count >= most {
            lately.skipped += 1;
            return;
        }
        *count += 1;
        let skipped = std::mem::take(&mut lately.skipped);
        let (at, took) = (answered.when)();
        lately.rows.push(RequestRow {
            id: 0,
            source: answered.source,
            at,
            request_id: short(answered.request_id),
            caller: client(answered.agent),
            method: answered.method.to_owned(),
            path: short(&redacted(answered.path)),
            status: answered.status,
            micros: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            skipped,
            reason: answered.reason.as_deref().map(|reason| short(&redacted(reason))),
        });
    }

    /// Writes down what came since the last time. What cannot be written is lost: it is no history.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn write(&self, engine: &Engine) -> Result<(), EngineError> {
        let all = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *all)
        };
        for (source, lately) in all {
            if lately.rows.is_empty() {
                continue;
            }
            let rows = lately.rows;
            engine
                .storage()
                .write(move |tx| {
                    let rows = rows.clone();
                    Box::pin(async move {
                        request_log::append(tx, &rows).await?;
                        request_log::forget(tx, SourceKey(source), KEPT).await
                    })
                })
                .await?;
        }
        Ok(())
    }
}

/// How a client calls itself.
fn client(agent: Option<&HeaderValue>) -> String {
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let agent: String = agent
        .unwrap_or("a client without a name")
        .chars()
        .take(80)
        .collect();
    redacted(&agent)
}

/// A text without addresses, and without what stands from its first quote to its last: that may be anybody's name, with
/// apostrophes of its own.
fn redacted(text: &str) -> String {
    match (text.find('\''), text.rfind('\'')) {
        (Some(first), Some(last)) if first < last => {
            let (before, after) = (
                without_addresses(&text[..first]),
                without_addresses(&text[last + 1..]),
            );
            format!("{before}'…'{after}")
        }
        _ => without_addresses(text),
    }
}

fn without_addresses(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for (place, word) in text.split(' ').enumerate() {
        if place > 0 {
            clean.push(' ');
        }
        clean.push_str(if word.contains('@') { "…@…" } else { word });
    }
    clean.retain(|sign| !sign.is_control());
    clean
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Answered<'static> {
        Answered {
            source: SourceKey(1),
            when: &|| (Timestamp::from_micros(1), Duration::from_millis(1)),
            request_id: "r",
            agent: None,
            method: "POST",
            path: "/Users",
            status,
            reason: (status >= 400).then(|| "a user 'Ada' with ada@contoso.com exists".to_owned()),
        }
    }

    #[test]
    fn names_and_addresses_are_left_out() {
        assert_eq!(
            redacted("a user 'Ada' with ada@contoso.com exists"),
            "a user '…' with …@… exists"
        );
        for name in ["Conor O'Brien", "James' Ada", "d'Arcy d'Or"] {
            let told = redacted(&format!("a user '{name}' exists, as '{name}' does"));
            assert_eq!(told, "a user '…' does");
        }
        assert_eq!(redacted("it's\u{7} a group"), "it's a group");
    }

    #[test]
    fn refusals_are_kept_however_much_is_done() {
        let log = RequestLog::default();
        for _ in 0..100 {
            log.remember(&answered(200));
        }
        log.remember(&answered(409));
        let all = log.0.lock().unwrap();
        let rows = &all[&1].rows;
        assert_eq!(rows.len(), DONE + 1);
        let last = rows.last().unwrap();
        assert_eq!((last.status, last.skipped), (409, 80));
        assert!(!last.reason.as_deref().unwrap().contains("Ada"));
    }
}
