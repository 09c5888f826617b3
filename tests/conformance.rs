//! scim2-tester, a conformance suite that is not ours, against the binary.

use std::process::Command;

use crate::harness::{World, python};

#[tokio::test]
async fn scim2_tester_reports_no_failed_check() {
    let Some(python) = python() else { return };
    let world = World::new();
    let server = world.serve().await;
    let run = Command::new(python)
        .args([
            "-B",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/conformance.py"),
        ])
        .arg(format!("{}/scim/idp/v2", server.address()))
        .env("SCIM_TOKEN", world.source_token("idp"))
        .output()
        .expect("the Python that was found runs");
    let report = String::from_utf8_lossy(&run.stdout);
    println!("{report}");
    assert!(
        run.status.success(),
        "{report}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    assert!(
        report.lines().count() > 100,
        "the suite ran hardly anything:\n{report}"
    );
}
