//! Where a read ended.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use usher_core::{AdapterError, Checkpoint, ErrorKind, RetryAdvice, Timestamp};

/// The form of checkpoints written here.
const VERSION: u32 = 1;

/// Where a read ended. Every time in it is one that Okta returned, since the clock of this machine says nothing about
/// what Okta had recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    v: u32,
    /// Whether every group was read.
    #[serde(default)]
    pub(crate) all: bool,
    /// Groups that were read completely, with the time of their last change as it was before their members were read.
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, Timestamp>,
    /// Where every group was read: those that stayed unknown, to be read again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) open: BTreeSet<String>,
    /// Changes up to this time were in reach of the reads so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) groups_since: Option<Timestamp>,
    /// The same for changes of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) users_since: Option<Timestamp>,
    /// Where the System Log goes on: the link that Okta gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<String>,
}

impl Position {
    /// Before everything.
    pub(crate) const fn start(all: bool) -> Self {
        Self {
            v: VERSION,
            all,
            groups: BTreeMap::new(),
            open: BTreeSet::new(),
            groups_since: None,
            users_since: None,
            log: None,
        }
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::CheckpointExpired`] for one that this adapter did not write in this form.
    pub(crate) fn read(checkpoint: &Checkpoint) -> Result<Self, AdapterError> {
        let position: Option<Self> = serde_json::from_str(&checkpoint.0).ok();
        position.filter(|position| position.v == VERSION).ok_or_else(|| {
            AdapterError::new(
                ErrorKind::CheckpointExpired,
                RetryAdvice::Never,
                "read",
                "the checkpoint is of another version of this adapter; read again without one",
            )
        })
    }

    /// The checkpoint to store.
    pub(crate) fn to_checkpoint(&self) -> Option<Checkpoint> {
        serde_json::to_string(self).ok().map(Checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_what_it_wrote() {
        let mut position = Position::start(false);
        let at: Timestamp = "2026-01-01T00:00:05Z".parse().unwrap();
        position.groups.insert("00g1".into(), at);
        position.groups_since = Some(at);
        position.log = Some("/api/v1/logs?after=x".into());
        let checkpoint = position.to_checkpoint().unwrap();
        assert_eq!(Position::read(&checkpoint).unwrap(), position);
    }

    #[test]
    fn what_is_not_understood_is_expired() {
        for text in ["", "{}", "[]", r#"{"v":2}"#, r#"{"delta":"x"}"#] {
            let error = Position::read(&Checkpoint(text.into())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CheckpointExpired, "{text}");
        }
    }
}
