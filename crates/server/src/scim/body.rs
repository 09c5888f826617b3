//! Reading request bodies.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use usher_scim::ScimError;

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 when it is longer, 415 when it is no JSON by its type, 400 when it breaks off.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ScimError> {
    check_type(headers)?;
    let too_large = || {
        ScimError::payload_too_large(format!(
            "the body is larger than {limit} bytes; send the change in parts"
        ))
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ScimError::invalid_syntax(
            "the body broke off before its end; send it again",
        )),
    }
}

/// SCIM's own type, plain JSON, or anything else that says JSON; a missing type is taken as JSON.
fn check_type(headers: &HeaderMap) -> Result<(), ScimError> {
    let encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity");
    if encoded {
        return Err(ScimError::unsupported_media_type(
            "send the body without Content-Encoding",
        ));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let name = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_json = name.is_empty()
        || matches!(name.as_str(), "application/json" | "text/json")
        || name.ends_with("+json");
    if is_json {
        Ok(())
    } else {
        Err(ScimError::unsupported_media_type(
            "send JSON with Content-Type: application/scim+json",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_all_its_names_is_taken() {
        let check = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().expect("a header"));
            check_type(&headers).map_err(|error| error.status)
        };
        for good in [
            "application/scim+json",
            "application/json; charset=utf-8",
            "Application/SCIM+JSON;x=y",
            "",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(check(bad), Err(415), "{bad}");
        }
        assert!(check_type(&HeaderMap::new()).is_ok());
    }
}
