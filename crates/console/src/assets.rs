//! Stylesheet, script and picture: files of this crate, served under names that hold their hash.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

use crate::Failure;

/// Where the files are, each with its hash in the name.
#[derive(Debug)]
pub(crate) struct Assets {
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icon: String,
}

const STYLE: &[u8] = include_bytes!("../assets/usher.css");
const SCRIPT: &[u8] = include_bytes!("../assets/usher.js");
const ICON: &[u8] = include_bytes!("../assets/usher.svg");

/// The addresses of the files.
pub(crate) fn assets() -> &'static Assets {
    static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
        style: address("css", STYLE),
        script: address("js", SCRIPT),
        icon: address("svg", ICON),
    });
    &ASSETS
}

pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{file}", get(file))
}

async fn file(Path(name): Path<String>) -> Response {
    let assets = assets();
    let wanted = format!("/assets/{name}");
    let found = [
        (&assets.style, STYLE, "text/css; charset=utf-8"),
        (&assets.script, SCRIPT, "text/javascript; charset=utf-8"),
        (&assets.icon, ICON, "image/svg+xml"),
    ]
    .into_iter()
    .find(|(address, _, _)| **address == wanted);
    let Some((_, bytes, media_type)) = found else {
        return Failure::NotFound.into_response();
    };
    let headers = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, bytes).into_response()
}

fn address(extension: &str, bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let hash = Sha256::digest(bytes);
    let mut short = String::with_capacity(16);
    for byte in hash.iter().take(8) {
        let _always_works = write!(short, "{byte:02x}");
    }
    format!("/assets/usher-{short}.{extension}")
}
