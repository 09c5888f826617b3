//! A first visit is light, and stays with us.

use std::sync::Arc;

use usher_core::Role;

use crate::canned::{Canned, get};
use crate::pages::SHOWN;

#[tokio::test]
async fn a_first_load_is_below_100_kilobytes_and_asks_nobody_else() {
    let canned = Arc::new(Canned::new());
    for (path, role) in SHOWN {
        let page = get(&canned, *role, path).await;
        let mut bytes = page.text.len();
        for part in ["src=\"", "href=\""] {
            for address in page
                .text
                .split(part)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                let elsewhere = address.starts_with("//") || address.contains("://");
                if part == "src=\"" {
                    assert!(!elsewhere, "{path} loads {address}");
                }
            }
        }
        let mut files: Vec<_> = page
            .text
            .split('"')
            .filter(|text| text.starts_with("/assets/"))
            .collect();
        files.sort_unstable();
        files.dedup();
        assert_eq!(files.len(), 3, "{path}: {files:?}");
        for file in files {
            let shown = get(&canned, Role::Viewer, file).await;
            assert!(shown.status.is_success(), "{file}");
            assert!(
                shown.headers["cache-control"]
                    .to_str()
                    .expect("text")
                    .contains("immutable")
            );
            let loads = ["url(", "@import", "http://", "https://", "import("];
            let elsewhere = loads.iter().any(|word| {
                shown
                    .text
                    .replace("http://www.w3.org/2000/svg", "")
                    .contains(word)
            });
            assert!(!elsewhere, "{file} loads something");
            bytes += shown.text.len();
        }
        assert!(bytes < 100_000, "{path} takes {bytes} bytes");
    }
}
