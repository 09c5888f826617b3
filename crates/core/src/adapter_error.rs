//! What an adapter says when a call to its identity provider failed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What went wrong. Callers branch on this and on [`RetryAdvice`], never on text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The credential was refused.
    Unauthorised,
    /// The credential is good and lacks a permission.
    Forbidden,
    /// The thing asked for is not there. For one group of a read this is not yet a removal.
    NotFound,
    /// The identity provider asks for patience.
    RateLimited,
    /// No answer, or an answer that says "later".
    Unavailable,
    /// The settings cannot work; a person has to change them.
    InvalidConfig,
    /// The answer was not what the provider's documentation promises.
    Protocol,
    /// The checkpoint is too old; read again without one.
    CheckpointExpired,
    /// The adapter does not offer this; its capabilities say so.
    Unsupported,
    /// Anything else.
    Unexpected,
}

impl ErrorKind {
    /// A stable word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::InvalidConfig => "invalid_config",
            Self::Protocol => "protocol",
            Self::CheckpointExpired => "checkpoint_expired",
            Self::Unsupported => "unsupported",
            Self::Unexpected => "unexpected",
        }
    }
}

/// Whether and when the same call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAdvice {
    /// Repeating gives the same error until somebody changes something.
    Never,
    /// Repeat no sooner than after this time.
    After(Duration),
    /// Repeat at once, within the caller's own bounds.
    Now,
}

/// An error of an adapter: kind, advice, what was attempted and on what.
///
/// Neither the operation nor the context ever holds a credential.
#[derive(Debug)]
pub struct AdapterError {
    kind: ErrorKind,
    advice: RetryAdvice,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl AdapterError {
    /// An error of `operation` with a lower-case message for an operator.
    #[must_use]
    pub fn new(
        kind: ErrorKind,
        advice: RetryAdvice,
        operation: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            advice,
            operation,
            message: message.into(),
            context: Vec::new(),
            source: None,
        }
    }

    /// The answer to a call that the adapter's capabilities exclude.
    #[must_use]
    pub fn unsupported(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, RetryAdvice::Never, operation, message)
    }

    /// Adds a fact, for instance the group that was read.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.context.push((key, value.into()));
        self
    }

    /// Keeps the error underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether and when to try again.
    #[must_use]
    pub const fn advice(&self) -> RetryAdvice {
        self.advice
    }

    /// The trait's method, or the step of it, that failed.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// The facts that were added, in order.
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)?;
        for (key, value) in &self.context {
            write!(f, " ({key} {value})")?;
        }
        Ok(())
    }
}

impl Error for AdapterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_attempted_and_on_what() {
        let error = AdapterError::new(
            ErrorKind::Forbidden,
            RetryAdvice::Never,
            "read",
            "the group may not be read",
        )
        .with("group", "g1")
        .because(std::io::Error::other("403"));
        assert_eq!(error.to_string(), "read: the group may not be read (group g1)");
        assert_eq!(
            (error.kind(), error.advice()),
            (ErrorKind::Forbidden, RetryAdvice::Never)
        );
        assert!(error.source().is_some());
    }
}
