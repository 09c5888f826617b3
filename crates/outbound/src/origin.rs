//! Which hosts may be called: scheme, host and port, compared exactly.

use std::fmt;

use url::{Host, Url};
use usher_core::{AdapterError, ErrorKind, RetryAdvice};

/// The scheme, host and port of a URL (RFC 6454 §4).
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    scheme: String,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// The origin of a URL that calls may go to.
    ///
    /// # Errors
    /// What is wrong with the URL: it is neither https nor http to a loopback host, has no host, or carries a user name
    /// or password.
    pub(crate) fn of(url: &Url) -> Result<Self, &'static str> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL holds a user name or password; give credentials apart from it");
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err("the URL names no host");
        };
        let origin = Self {
            scheme: url.scheme().to_owned(),
            host: host.to_owned(),
            port,
        };
        match origin.scheme.as_str() {
            "https" => Ok(origin),
            "http" if origin.is_loopback() => Ok(origin),
            _ => Err("the URL is not https"),
        }
    }

    /// Whether calls stay on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    /// Whether calls are not encrypted.
    pub(crate) fn is_plain(&self) -> bool {
        self.scheme == "http"
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        let usual = if self.scheme == "https" { 443 } else { 80 };
        if self.port == usual {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A URL as it may be shown: without query, fragment, user name and password.
pub(crate) fn shown(url: &Url) -> String {
    match url.host_str() {
        Some(host) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        }
        None => format!("{}:", url.scheme()),
    }
}

/// The origin of a URL from the settings.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`], naming the setting.
pub(crate) fn configured(setting: &'static str, url: &Url) -> Result<Origin, AdapterError> {
    Origin::of(url).map_err(|what| {
        AdapterError::new(
            ErrorKind::InvalidConfig,
            RetryAdvice::Never,
            "settings",
            format!("cannot call {}: {what}", shown(url)),
        )
        .with("setting", setting)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Result<&str, &str>) {
        let found = Origin::of(&url.parse().unwrap()).map(|origin| origin.to_string());
        assert_eq!(found.as_deref().map_err(|what| &**what), expected, "{url}");
    }

    #[test]
    fn https_and_loopback_may_be_called() {
        check("https://graph.example/v1.0", Ok("https://graph.example"));
        check("https://Graph.Example:443/", Ok("https://graph.example"));
        check("https://graph.example:8443/", Ok("https://graph.example:8443"));
        check("http://localhost:8080/", Ok("http://localhost:8080"));
        check("http://127.0.0.9/", Ok("http://127.0.0.9"));
        check("http://[::1]:9/", Ok("http://[::1]:9"));
    }

    #[test]
    fn anything_else_may_not() {
        let plain = Err("the URL is not https");
        check("http://graph.example/", plain);
        check("http://localhost.graph.example/", plain);
        check("http://128.0.0.1/", plain);
        check("ftp://127.0.0.1/", plain);
        check("data:text/plain,x", Err("the URL names no host"));
        let named = Err("the URL holds a user name or password; give credentials apart from it");
        check("https://graph.example@evil.example/", named);
        check("https://:pw@graph.example/", named);
    }

    #[test]
    fn what_is_shown_of_a_url_has_no_query() {
        let url: Url = "https://a:b@graph.example:8443/v1.0/users?$filter=mail%20eq%20'x'#y"
            .parse()
            .unwrap();
        assert_eq!(shown(&url), "https://graph.example:8443/v1.0/users");
    }
}
