//! What some tests need beyond the binary. `cargo xtask test` provides it and says where it is.
//!
//! A test whose need was left out *by name* says so and ends; a need that is simply missing fails the test.

use std::path::PathBuf;

/// A Python with the packages of `tests/python/requirements.txt`.
pub fn python() -> Option<PathBuf> {
    let beside = || {
        Some(PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../target/tools/py/bin/python"
        )))
    };
    wanted("python", || {
        from_environment("USHER_TEST_PYTHON")
            .or_else(beside)
            .filter(|path| path.exists())
    })
}

/// The folder of the npm packages of `tests/browser/package.json`; a browser is there too.
pub fn browser() -> Option<PathBuf> {
    let beside = || {
        Some(PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../target/tools/npm"
        )))
    };
    wanted("browser", || {
        from_environment("USHER_TEST_NPM")
            .or_else(beside)
            .filter(|path| path.join("node_modules").exists())
    })
}

/// Where screenshots go.
pub fn pictures() -> PathBuf {
    from_environment("USHER_TEST_PICTURES")
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/screenshots")))
}

/// A build of the binary that acknowledges before it commits.
pub fn seeded_binary() -> Option<PathBuf> {
    wanted("seeded", || {
        from_environment("USHER_SEEDED_BIN").filter(|path| path.exists())
    })
}

/// The system call tracer, with the right to trace.
pub fn strace() -> Option<PathBuf> {
    wanted("strace", || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("strace"))
            .find(|path| path.exists())
    })
}

fn from_environment(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[expect(
    clippy::print_stdout,
    reason = "a test that does not run says so where its result is shown"
)]
fn wanted(name: &str, find: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    let left_out = std::env::var("USHER_TEST_WITHOUT").unwrap_or_default();
    if left_out.split(',').any(|left_out| left_out.trim() == name) {
        println!("not run: {name} was left out");
        return None;
    }
    let found = find();
    assert!(
        found.is_some(),
        "this test needs {name}: run `cargo xtask test`, which provides it, or leave it out by name with USHER_TEST_WITHOUT={name}"
    );
    found
}
