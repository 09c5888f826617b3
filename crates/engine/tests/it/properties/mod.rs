//! Whatever happens in whatever order, the promises are kept: random histories against a simple model of what
//! the directory asks for.

mod model;
mod order;
mod promises;
mod steps;

use proptest::prelude::ProptestConfig;

/// So many cases that the whole takes some seconds.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}

/// Runs an asynchronous case.
pub(crate) fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(case);
}
