//! What a form sent: read by one extractor, which refuses what did not come from a page of this session.

use axum::RequestExt;
use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Multipart, Request};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Uri};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Failure, Viewer};

/// The most bytes of a form without a file.
const MAX_FORM: usize = 64 * 1024;
/// The most fields of a form.
const MAX_FIELDS: usize = 2_000;

/// A form of this session.
///
/// Fields become text; those whose name ends with `[]` become lists of texts, in the order of the form. `T` names what it
/// wants with `#[serde(default)]` and lets the others be.
#[derive(Debug)]
pub struct Posted<T> {
    /// The fields.
    pub form: T,
    /// The form's own value: the `Idempotency-Key` of what it asks for.
    pub once: Option<String>,
    /// Files that were chosen.
    pub files: Vec<File>,
}

/// A file that was chosen in a form.
#[derive(Debug, Clone)]
pub struct File {
    /// The name of the field.
    pub field: String,
    /// The bytes. Name and type that the browser says are not kept: nothing may be believed of them.
    pub bytes: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Posted<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failure> {
        if !is_from_here(request.headers(), request.uri()) {
            return Err(Failure::Foreign);
        }
        let viewer = request.extensions().get::<Viewer>().cloned();
        let viewer = viewer.ok_or(Failure::Foreign)?;
        let (pairs, files) = read(request).await?;
        let field = |name: &str| {
            pairs
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value)
        };
        if !field("csrf").is_some_and(|brought| viewer.csrf.matches(brought)) {
            return Err(Failure::Foreign);
        }
        let once = field("once").filter(|once| is_key(once)).cloned();
        let form = serde_json::from_value(object(pairs)).map_err(|error| Failure::Form(error.to_string()))?;
        Ok(Self { form, once, files })
    }
}

/// Whether a browser says that the request comes from a page of this origin. `Sec-Fetch-Site` is the better witness;
/// browsers leave it out on plain http, where `Origin` has to do.
#[must_use]
pub fn is_from_here(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = text(HOST).or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://"));
    match (host, origin) {
        (Some(host), Some(("http" | "https", origin))) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

async fn read(request: Request) -> Result<(Vec<(String, String)>, Vec<File>), Failure> {
    let media_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let (pairs, files) = if media_type.starts_with("multipart/form-data") {
        parts(request).await?
    } else if media_type.starts_with("application/x-www-form-urlencoded") {
        let bytes = to_bytes(request.into_body(), MAX_FORM)
            .await
            .map_err(|_| Failure::Form("it is larger than forms may be".into()))?;
        let pairs = url::form_urlencoded::parse(&bytes)
            .take(MAX_FIELDS + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()));
        (pairs.collect(), Vec::new())
    } else {
        return Err(Failure::Form("it is not sent as a form is".into()));
    };
    if pairs.len() + files.len() > MAX_FIELDS {
        return Err(Failure::Form("it has more fields than forms may have".into()));
    }
    Ok((pairs, files))
}

/// Forms with files end at the 2 MB that axum reads of any body; the API says no to a file that is too large for what it is.
async fn parts(request: Request) -> Result<(Vec<(String, String)>, Vec<File>), Failure> {
    let broken = |_| Failure::Form("the file is too large, or the form was cut off".into());
    let mut multipart: Multipart = request
        .extract()
        .await
        .map_err(|_| Failure::Form("its parts cannot be told apart".into()))?;
    let (mut pairs, mut files) = (Vec::new(), Vec::new());
    while let Some(part) = multipart.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let bytes = part.bytes().await.map_err(broken)?;
        if is_file {
            // A file field that nobody filled in is sent as an empty file.
            if !bytes.is_empty() {
                files.push(File { field: name, bytes });
            }
        } else {
            pairs.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
        if pairs.len() + files.len() > MAX_FIELDS {
            break;
        }
    }
    Ok((pairs, files))
}

/// The fields as the JSON object that a form's type is read from.
fn object(pairs: Vec<(String, String)>) -> Value {
    let mut fields = Map::new();
    for (name, value) in pairs {
        if name.ends_with("[]") {
            let list = fields.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(Value::String(value));
            }
        } else {
            fields.insert(name, Value::String(value));
        }
    }
    Value::Object(fields)
}

/// Whether a text is fit to be an idempotency key.
fn is_key(text: &str) -> bool {
    (16..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_a_request_of_this_origin_is_from_here() {
        let host = ("host", "usher.example");
        for (others, expected) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (
                vec![
                    ("sec-fetch-site", "same-site"),
                    ("origin", "https://usher.example"),
                ],
                false,
            ),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("origin", "https://usher.example")], true),
            (vec![("origin", "http://usher.example")], true),
            (vec![("origin", "https://usher.example.evil.example")], false),
            (vec![("origin", "https://usher.example:8443")], false),
            (vec![("origin", "null")], false),
            (vec![], false),
        ] {
            let mut all = vec![host];
            all.extend(others);
            assert_eq!(
                is_from_here(&headers(&all), &Uri::from_static("/orders")),
                expected,
                "{all:?}"
            );
        }
    }

    #[test]
    fn a_list_is_a_list_even_with_one_item() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let read = object(vec![
            pair("drop[]", "1"),
            pair("level", "user"),
            pair("level", "guest"),
        ]);
        assert_eq!(read, serde_json::json!({ "drop[]": ["1"], "level": "guest" }));
    }
}
