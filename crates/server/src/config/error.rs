//! What is wrong with a configuration, and where.

use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A key or value is wrong.
    #[error("{place}: {problem}")]
    Wrong {
        /// File, line and column, or the environment variable.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A secret that lives elsewhere is not there.
    #[error("{place}: {problem}")]
    Secret {
        /// The key that refers to it.
        place: String,
        /// What is missing.
        problem: String,
    },
    /// Each value is fine by itself, and they do not work together.
    #[error("{key}: {problem}")]
    Invalid {
        /// The key.
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl ConfigError {
    pub(crate) fn invalid(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid {
            key: key.into(),
            problem: problem.into(),
        }
    }
}
