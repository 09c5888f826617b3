//! How a promise ends: kept, excluded by a capability, or broken.

use std::fmt::Display;

/// What a test of a promise found where nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The promise is kept.
    Kept,
    /// A capability that the adapter does not claim, or a thing that the provider does not have, leaves the promise
    /// without an object; the text says which.
    Excluded(&'static str),
}

/// What an adapter did that its contract forbids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

impl Broken {
    /// With what was seen.
    pub fn new(seen: impl Into<String>) -> Self {
        Self(seen.into())
    }

    /// A call failed that nothing was wrong with.
    pub fn failed(call: &str, error: &impl Display) -> Self {
        Self(format!("{call} failed though nothing was wrong: {error}"))
    }
}

/// What each promise's test answers.
pub type Outcome = Result<Verdict, Broken>;

/// Answers with [`Broken`] unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::Broken::new(format!($($text)+)));
        }
    };
}
pub(crate) use ensure;

/// Runs the test of one promise on a runtime of its own.
///
/// # Panics
/// When the promise is broken, with what was seen.
#[expect(
    clippy::print_stdout,
    reason = "a test that has no object says so where its result is shown"
)]
pub fn run(promise: &str, test: impl Future<Output = Outcome>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime on this thread");
    match runtime.block_on(test) {
        Ok(Verdict::Kept) => {}
        Ok(Verdict::Excluded(why)) => println!("not run: {promise}: {why}"),
        Err(broken) => panic!("the promise {promise} is broken: {broken}"),
    }
}
