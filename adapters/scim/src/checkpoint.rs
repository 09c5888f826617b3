//! How far a read came: versions of groups and a time of change, as the provider gave them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use usher_core::{AdapterError, Checkpoint, ErrorKind, RetryAdvice, Timestamp};

/// The only version of the format.
const VERSION: u8 = 1;

/// What a checkpoint says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    v: u8,
    /// Users that changed after this, by the provider's clock, may not have been seen.
    pub(crate) users: Timestamp,
    /// Groups that changed after this may not have been seen; for reads of all groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) all_groups: Option<Timestamp>,
    /// Groups that were read whole.
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, Read>,
}

/// A group that was read whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    /// What differs after every change.
    pub(crate) mark: String,
    /// Whether groups inside it were looked for.
    pub(crate) nested: bool,
}

impl Progress {
    /// Up to this change of a user.
    pub(crate) fn up_to(users: Timestamp) -> Self {
        Self {
            v: VERSION,
            users,
            ..Self::default()
        }
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::CheckpointExpired`] for one that this version does not understand.
    pub(crate) fn read(checkpoint: &Checkpoint) -> Result<Self, AdapterError> {
        serde_json::from_str(&checkpoint.0)
            .ok()
            .filter(|progress: &Self| progress.v == VERSION)
            .ok_or_else(|| expired("the checkpoint is of another version; read from the beginning"))
    }

    /// The checkpoint to store.
    pub(crate) fn write(&self) -> Checkpoint {
        Checkpoint(serde_json::to_string(self).expect("times and texts can be written as JSON"))
    }
}

/// The caller has to begin again.
pub(crate) fn expired(message: &'static str) -> AdapterError {
    AdapterError::new(ErrorKind::CheckpointExpired, RetryAdvice::Now, "read", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_what_was_written() {
        let mut progress = Progress::up_to("2026-01-01T00:00:07Z".parse().unwrap());
        let read = Read {
            mark: "W/\"1\"".into(),
            nested: true,
        };
        progress.groups.insert("g1".into(), read);
        assert_eq!(Progress::read(&progress.write()).unwrap(), progress);
    }

    #[test]
    fn a_checkpoint_of_another_version_has_expired() {
        for text in ["", "{}", r#"{"v":2,"users":"2026-01-01T00:00:07Z"}"#] {
            let error = Progress::read(&Checkpoint(text.into())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CheckpointExpired, "{text}");
        }
    }
}
