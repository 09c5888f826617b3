//! How far a read came: delta links, and what is still to be read completely.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use usher_core::{AdapterError, Checkpoint, ErrorKind, RetryAdvice};

/// The version of the form below.
const VERSION: u32 = 1;

/// At most so many groups may be named in the filter of one delta
/// (<https://learn.microsoft.com/graph/api/group-delta>).
pub(crate) const MOST_FILTERED: usize = 50;

/// What a checkpoint says. Group ids are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    v: u32,
    /// Whether every group is followed, by one stream without a filter.
    pub(crate) all: bool,
    /// The delta link of all users.
    pub(crate) users: String,
    /// The delta links of groups.
    pub(crate) streams: Vec<Stream>,
    /// Groups whose last complete read saw less than all.
    pub(crate) unread: Vec<String>,
}

/// The changes of at most fifty groups, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stream {
    pub(crate) link: String,
    /// Empty in the stream of all groups.
    pub(crate) groups: Vec<String>,
}

impl Progress {
    pub(crate) const fn new(all: bool, users: String) -> Self {
        Self {
            v: VERSION,
            all,
            users,
            streams: Vec::new(),
            unread: Vec::new(),
        }
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::CheckpointExpired`] for one of another version or form: reading from the beginning helps.
    pub(crate) fn read(checkpoint: &Checkpoint) -> Result<Self, AdapterError> {
        serde_json::from_str(&checkpoint.0)
            .ok()
            .filter(|progress: &Self| progress.v == VERSION)
            .ok_or_else(|| {
                AdapterError::new(
                    ErrorKind::CheckpointExpired,
                    RetryAdvice::Now,
                    "read",
                    "the checkpoint is of another version; read from the beginning",
                )
            })
    }

    pub(crate) fn write(&self) -> Checkpoint {
        Checkpoint(serde_json::to_string(self).unwrap_or_default())
    }

    /// Every group that some stream follows.
    pub(crate) fn followed(&self) -> HashSet<&str> {
        let groups = self.streams.iter().flat_map(|stream| &stream.groups);
        groups.map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_and_others_are_refused() {
        let mut progress = Progress::new(false, "https://graph.example/users".into());
        progress.streams.push(Stream {
            link: "https://graph.example/groups".into(),
            groups: vec!["a".into()],
        });
        let text = progress.write();
        assert_eq!(Progress::read(&text).unwrap(), progress);
        assert!(progress.followed().contains("a"));
        for other in [text.0.replace("\"v\":1", "\"v\":2"), String::new(), "{}".into()] {
            let error = Progress::read(&Checkpoint(other)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CheckpointExpired);
        }
    }
}
