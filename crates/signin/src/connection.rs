//! The one way in which a provider is called: to known hosts, by https, bounded.

use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use url::{Host, Url};

use crate::ProviderError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read: key sets of large providers have some ten kilobytes.
const LONGEST: usize = 1024 * 1024;

/// Calls to one provider.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    http: reqwest::Client,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{0} is not called: it is not among the hosts of this provider, or not https")]
    Elsewhere(String),
    #[error("the answer is longer than {LONGEST} bytes")]
    TooLong,
    #[error("{}", said(.0))]
    Http(reqwest::Error),
    #[error("the request cannot be made: {0}")]
    Unmade(#[from] http::Error),
}

impl Connection {
    pub(crate) fn new(issuer: &Url, extra_ca: Option<&str>) -> Result<Self, ProviderError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("usher/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .retry(reqwest::retry::never());
        if is_loopback(issuer) {
            // Calls on this machine are not shown to a proxy.
            builder = builder.no_proxy();
        }
        if issuer.scheme() == "http" {
            // Nothing is checked against certificates, so there need not be any.
            builder = builder.tls_certs_only([]);
        }
        if let Some(pem) = extra_ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or(ProviderError::Certificates)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder
            .build()
            .map_err(|error| ProviderError::Client(error.without_url().to_string()))?;
        Ok(Self { http })
    }

    /// Sends a request to one of these origins.
    ///
    /// # Errors
    /// [`CallError`]. Any answer is one, whatever its status: a redirect too.
    pub(crate) async fn call(
        &self,
        origins: &[Url],
        request: HttpRequest,
    ) -> Result<HttpResponse, CallError> {
        let target = request.uri().to_string();
        let url = Url::parse(&target).ok().filter(may_be_called);
        if !url.is_some_and(|url| origins.iter().any(|known| known.origin() == url.origin())) {
            return Err(CallError::Elsewhere(target.chars().take(200).collect()));
        }
        let request = reqwest::Request::try_from(request).map_err(CallError::Http)?;
        let mut response = self.http.execute(request).await.map_err(CallError::Http)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(CallError::Http)? {
            if body.len() + chunk.len() > LONGEST {
                return Err(CallError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            *headers = response.headers().clone();
        }
        Ok(answer.body(body)?)
    }
}

/// Whether a URL is https, or http to this machine, and holds no credentials.
pub(crate) fn may_be_called(url: &Url) -> bool {
    let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_loopback(url);
    is_safe && url.has_host() && url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What went wrong, down to its cause, without the address: it may hold a code.
fn said(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the call failed"
    };
    let mut text = kind.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_called() {
        for (url, expected) in [
            ("https://idp.example/", true),
            ("http://idp.example/", false),
            ("http://localhost:8080/", true),
            ("http://127.0.0.1:1/", true),
            ("http://[::1]:1/", true),
            ("http://localhost.evil.example/", false),
            ("https://user:password@idp.example/", false),
            ("javascript:alert(1)", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(may_be_called(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn other_hosts_are_not_called() {
        let issuer: Url = "http://127.0.0.1:1/".parse().unwrap();
        let connection = Connection::new(&issuer, None).unwrap();
        for target in [
            "http://127.0.0.1:2/",
            "https://127.0.0.1:1/",
            "http://idp.example/",
        ] {
            let request = http::Request::get(target).body(Vec::new()).unwrap();
            let refused = connection.call(std::slice::from_ref(&issuer), request).await;
            assert!(matches!(refused, Err(CallError::Elsewhere(_))), "{target}");
        }
    }
}
