//! What the engine answers when it does not do what was asked.

use usher_storage::StorageError;

/// Why something was not done. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A guard said no; repeating the same call gives the same answer until somebody does the next step.
    #[error("{}: {}", .0.message, .0.next)]
    Refused(Box<Refusal>),
    /// There is no such thing, or it belongs to another source.
    #[error("{what} '{id}' does not exist")]
    NotFound {
        /// The kind of thing, such as `room`.
        what: &'static str,
        /// The id or name that was given.
        id: String,
    },
    /// The input cannot be right.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field of the input.
        field: &'static str,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// Something else has this name or id already.
    #[error("{0}")]
    Conflict(String),
    /// The plan that was confirmed is not what would happen now.
    #[error("the directory moved since this plan was shown: look at the new plan and confirm that one")]
    PlanChanged {
        /// The digest of the plan as it is now.
        digest: String,
    },
    /// Another process reads the source now: nothing of this read is written any more.
    #[error("another process took over the reading of this source; this one writes nothing any more")]
    LeaseLost,
    /// The database said no.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A guard's answer: what was refused, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word for programs, such as `not_in_group`.
    pub code: &'static str,
    /// What was refused and why.
    pub message: String,
    /// What to do next.
    pub next: String,
}

impl EngineError {
    /// A guard's answer.
    pub fn refused(code: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Refused(Box::new(Refusal {
            code,
            message: message.into(),
            next: next.into(),
        }))
    }

    /// There is no such thing.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "ids are small and often made on the spot"
    )]
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            what,
            id: id.to_string(),
        }
    }

    /// The input cannot be right.
    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            problem: problem.into(),
        }
    }
}
