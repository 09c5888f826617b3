//! At most one node reads a source at any time.

use std::time::Instant;

use super::Finding;

/// One read of a source, as the provider saw it: from the first request to the last.
#[derive(Clone, Debug)]
pub struct Read {
    /// Who asked.
    pub caller: String,
    /// When the first request came.
    pub began: Instant,
    /// When the last one was answered, or its sender was gone.
    pub ended: Instant,
}

/// No two callers read at the same time.
pub fn reads(reads: &[Read]) -> Vec<Finding> {
    let mut reads: Vec<&Read> = reads.iter().collect();
    reads.sort_by_key(|read| read.began);
    let mut findings = Vec::new();
    let mut last: Option<&Read> = None;
    for read in reads {
        if let Some(last) = last
            && last.caller != read.caller
            && read.began < last.ended
        {
            findings.push(Finding::ReadTwice {
                first: last.caller.clone(),
                second: read.caller.clone(),
            });
        }
        if last.is_none_or(|last| last.ended < read.ended) {
            last = Some(read);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reads_at_the_same_time_are_found_where_two_read() {
        let start = Instant::now();
        let read = |caller: &str, began: u64, ended: u64| Read {
            caller: caller.to_owned(),
            began: start + Duration::from_secs(began),
            ended: start + Duration::from_secs(ended),
        };
        assert_eq!(
            reads(&[
                read("b", 5, 9),
                read("a", 0, 4),
                read("a", 10, 12),
                read("a", 11, 13)
            ]),
            []
        );
        let found = |first: &str, second: &str| Finding::ReadTwice {
            first: first.to_owned(),
            second: second.to_owned(),
        };
        assert_eq!(reads(&[read("a", 0, 4), read("b", 3, 5)]), [found("a", "b")]);
        assert_eq!(
            reads(&[read("a", 0, 9), read("a", 1, 2), read("b", 3, 5)]),
            [found("a", "b")]
        );
    }
}
