//! At most one read of a source writes at any time, and none after another one took over from it.

use std::collections::BTreeMap;

use super::{Finding, Write};

/// The reads of a source wrote one after the other, and none of those that were taken over wrote after the event that was
/// the last one then.
pub fn writes(writes: &[Write], taken_over: &BTreeMap<String, i64>) -> Vec<Finding> {
    let mut spans: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
    let mut findings = Vec::new();
    for write in writes {
        let span = spans
            .entry((&write.source, &write.run))
            .or_insert((write.event, write.event));
        *span = (span.0.min(write.event), span.1.max(write.event));
        if taken_over.get(&write.run).is_some_and(|last| write.event > *last) {
            findings.push(Finding::WroteLate {
                run: write.run.clone(),
                event: write.event,
            });
        }
    }
    let mut spans: Vec<_> = spans
        .into_iter()
        .map(|((source, run), (first, last))| (source, first, last, run))
        .collect();
    spans.sort_unstable();
    for two in spans.windows(2) {
        let ((source, _, last, first), (another, begun, _, second)) = (two[0], two[1]);
        if source == another && begun < last {
            findings.push(Finding::WroteTogether {
                first: first.to_owned(),
                second: second.to_owned(),
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(events: &[(&str, i64)], taken_over: &[(&str, i64)], expected: &[Finding]) {
        let events: Vec<Write> = events
            .iter()
            .map(|(run, event)| Write {
                source: "directory".into(),
                run: (*run).into(),
                event: *event,
            })
            .collect();
        let taken_over = taken_over
            .iter()
            .map(|(run, event)| ((*run).into(), *event))
            .collect();
        assert_eq!(writes(&events, &taken_over), expected, "{events:?}");
    }

    #[test]
    fn reads_that_write_one_after_the_other_are_fine() {
        check(
            &[("a", 1), ("a", 4), ("b", 5), ("c", 9), ("b", 7)],
            &[("a", 4)],
            &[],
        );
    }

    #[test]
    fn reads_that_write_side_by_side_are_found() {
        let found = Finding::WroteTogether {
            first: "a".into(),
            second: "b".into(),
        };
        check(&[("a", 1), ("b", 3), ("a", 4)], &[], &[found]);
    }

    #[test]
    fn a_write_after_the_read_was_taken_over_is_found() {
        let found = Finding::WroteLate {
            run: "a".into(),
            event: 4,
        };
        check(&[("a", 1), ("a", 4)], &[("a", 3)], &[found]);
    }
}
