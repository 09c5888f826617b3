//! Which URLs and addresses may be called, so that nobody reaches what only this machine should reach.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use url::{Host, Url};

use crate::network::{self, Network};

/// The longest URL.
const MAX_URL: usize = 2048;

/// Ports that no HTTP server should be on, among those that are not refused anyway: the Fetch standard's port blocking.
const BAD_PORTS: &[u16] = &[
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679,
    6697, 10080,
];

/// The rules for URLs and addresses. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Arc<[Network]>,
    allow_http: bool,
}

/// Why a URL is not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It cannot be one to call.
    #[error("{0}")]
    Url(String),
    /// Its host has an address that is not called.
    #[error(
        "{host} leads to {address}, which is {what}; webhooks.allow_networks can name networks that may be called"
    )]
    Address {
        /// The host as it is in the URL.
        host: String,
        /// The address.
        address: IpAddr,
        /// What the address is.
        what: &'static str,
    },
    /// Its host has no address.
    #[error("{host} cannot be resolved: {reason}")]
    Unresolved {
        /// The host as it is in the URL.
        host: String,
        /// What the resolver said.
        reason: String,
    },
}

impl Guard {
    /// Rules that also allow these networks, and URLs without TLS if `allow_http` says so.
    #[must_use]
    pub fn new(allowed: Vec<Network>, allow_http: bool) -> Self {
        Self {
            allowed: allowed.into(),
            allow_http,
        }
    }

    /// Reads a URL that may be called, as far as that can be told without asking the DNS.
    ///
    /// # Errors
    /// [`GuardError::Url`] or [`GuardError::Address`].
    pub fn url(&self, text: &str) -> Result<Url, GuardError> {
        let refuse = |why: &str| Err(GuardError::Url(why.to_owned()));
        if text.len() > MAX_URL {
            return refuse("the URL is longer than 2048 bytes");
        }
        let url = Url::parse(text).map_err(|error| GuardError::Url(format!("this is no URL: {error}")))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return refuse("the URL is not https; webhooks.allow_http allows others for tests"),
            _ => return refuse("the URL is not https"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("the URL holds a user name or password; receivers check the signature instead");
        }
        if url.fragment().is_some() {
            return refuse("the URL has a fragment (#), which is never sent; leave it out");
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !matches!(port, 80 | 443 | 1024..) || BAD_PORTS.contains(&port) {
            return Err(GuardError::Url(format!(
                "port {port} is not called: use 443, or a port from 1024 on that no other protocol has"
            )));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.address(url.host_str().unwrap_or_default(), address.into())?,
            Some(Host::Ipv6(address)) => self.address(url.host_str().unwrap_or_default(), address.into())?,
            Some(Host::Domain(name)) if !name.is_empty() => {}
            _ => return refuse("the URL names no host"),
        }
        Ok(url)
    }

    /// Whether an address may be called.
    ///
    /// # Errors
    /// [`GuardError::Address`].
    pub fn address(&self, host: &str, address: IpAddr) -> Result<(), GuardError> {
        let plain = network::plain(address);
        let Some(what) = network::special(address) else {
            return Ok(());
        };
        if self.allowed.iter().any(|network| network.contains(plain)) {
            return Ok(());
        }
        Err(GuardError::Address {
            host: host.to_owned(),
            address,
            what,
        })
    }

    /// The addresses of a host, each of which may be called. One that may not spoils all: a name that leads to the inside
    /// and to the outside is a trap.
    ///
    /// # Errors
    /// [`GuardError::Address`] or [`GuardError::Unresolved`].
    pub async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, GuardError> {
        let unresolved = |reason: String| GuardError::Unresolved {
            host: host.to_owned(),
            reason,
        };
        let addresses: Vec<_> = tokio::net::lookup_host((host, 0))
            .await
            .map_err(|error| unresolved(error.to_string()))?
            .collect();
        if addresses.is_empty() {
            return Err(unresolved("it has no address".to_owned()));
        }
        for address in &addresses {
            self.address(host, address.ip())?;
        }
        Ok(addresses)
    }

    /// Whether a URL leads to addresses that may be called, as the DNS says now.
    ///
    /// # Errors
    /// As [`Guard::url`] and [`Guard::resolve`].
    pub async fn look(&self, text: &str) -> Result<Url, GuardError> {
        let url = self.url(text)?;
        if let Some(Host::Domain(name)) = url.host() {
            self.resolve(name).await?;
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(networks: &[&str], allow_http: bool) -> Guard {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        Guard::new(networks, allow_http)
    }

    #[test]
    fn public_https_urls_may_be_called() {
        for url in [
            "https://hooks.example/usher",
            "https://hooks.example:8443/usher?tenant=1",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(Guard::default().url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn other_urls_may_not() {
        for (url, why) in [
            ("http://hooks.example/", "not https"),
            ("ftp://hooks.example/", "not https"),
            ("hooks.example", "no URL"),
            ("https://", "no URL"),
            ("https://ada:pw@hooks.example/", "user name or password"),
            ("https://hooks.example/#x", "fragment"),
            ("https://hooks.example:22/", "port 22"),
            ("https://hooks.example:6667/", "port 6667"),
            ("https://127.0.0.1/", "this machine"),
            ("https://0x7f.1/", "this machine"),
            ("https://2130706433/", "this machine"),
            ("https://017700000001/", "this machine"),
            ("https://169.254.169.254/latest", "the local link"),
            ("https://[::1]/", "this machine"),
            ("https://[::ffff:10.0.0.1]/", "a private network"),
        ] {
            let error = Guard::default().url(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
        let long = format!("https://hooks.example/{}", "x".repeat(MAX_URL));
        assert!(Guard::default().url(&long).is_err());
    }

    #[test]
    fn networks_that_the_configuration_names_may_be_called() {
        let inside = guard(&["10.0.0.0/8", "127.0.0.1"], true);
        for url in [
            "http://10.2.3.4:8080/",
            "http://127.0.0.1:9000/",
            "https://[::ffff:10.0.0.1]/",
        ] {
            assert!(inside.url(url).is_ok(), "{url}");
        }
        for url in ["http://192.168.0.1/", "http://127.0.0.2/", "http://[::1]/"] {
            assert!(inside.url(url).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn names_are_judged_by_all_their_addresses() {
        let refused = Guard::default().look("https://localhost/").await.unwrap_err();
        assert!(matches!(refused, GuardError::Address { .. }), "{refused}");
        let both = guard(&["127.0.0.0/8", "::1"], false);
        assert!(both.look("https://localhost/").await.is_ok());
        let none = Guard::default().look("https://hooks.invalid/").await.unwrap_err();
        assert!(matches!(none, GuardError::Unresolved { .. }), "{none}");
    }
}
