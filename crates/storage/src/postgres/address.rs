//! The address of a database, and what is asked of it beside what the driver knows.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::tls::{Tls, Trust};
use crate::StorageError;

/// How long one attempt to connect may take.
pub(super) const CONNECT_AT_MOST: Duration = Duration::from_secs(5);

/// Where the database is, and how to speak to it.
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// The address without its password.
    pub(super) shown: String,
}

/// Whether this is an address of PostgreSQL.
pub(crate) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

impl Address {
    /// Reads an address in the form of libpq, several hosts, `target_session_attrs`, `sslmode` and `sslrootcert` included.
    pub(super) fn parse(url: &str) -> Result<Self, StorageError> {
        let shown = without_password(url);
        let refuse = |reason: String| StorageError::Url {
            url: shown.clone(),
            reason,
        };
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut kept, mut mode, mut root) = (Vec::new(), None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("sslmode", value) => mode = Some(value.to_owned()),
                ("sslrootcert", value) => root = Some(PathBuf::from(decoded(value))),
                _ => kept.push(pair),
            }
        }
        let plain = if kept.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{}", kept.join("&"))
        };
        let mut config = Config::from_str(&plain).map_err(|error| refuse(super::error::reason(&error)))?;
        if config.get_dbname().is_none() {
            return Err(refuse("the name of the database is missing".to_owned()));
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(refuse("the host is missing".to_owned()));
        }
        let (ssl, trust) = match (mode.as_deref().unwrap_or("prefer"), root) {
            ("disable", _) => (SslMode::Disable, Trust::Anyone),
            ("prefer", None) => (SslMode::Prefer, Trust::Anyone),
            ("require", None) => (SslMode::Require, Trust::Anyone),
            ("prefer" | "require" | "verify-full", Some(root)) => (SslMode::Require, Trust::Roots(root)),
            ("verify-full", None) => (SslMode::Require, Trust::System),
            (other, _) => {
                return Err(refuse(format!(
                    "sslmode is disable, prefer, require or verify-full, not {other}"
                )));
            }
        };
        let tls = Tls::new(&trust).map_err(refuse)?;
        config.ssl_mode(ssl);
        if config.get_application_name().is_none() {
            config.application_name("usher");
        }
        // A server that went away without a word is noticed within half a minute.
        config
            .connect_timeout(CONNECT_AT_MOST)
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(30));
        Ok(Self { config, tls, shown })
    }
}

/// An address as it may be shown.
fn without_password(url: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let base = match (base.find("://"), base.rfind('@')) {
        (Some(scheme), Some(at)) if base[..at].len() > scheme + 3 => {
            let user = &base[scheme + 3..at];
            let name = user.split_once(':').map_or(user, |(name, _)| name);
            format!("{}{name}{}", &base[..scheme + 3], &base[at..])
        }
        _ => base.to_owned(),
    };
    let kept: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("password="))
        .collect();
    if kept.is_empty() {
        base
    } else {
        format!("{base}?{}", kept.join("&"))
    }
}

/// The text behind `%2F` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let code = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    fn is_remote(address: &Address) -> bool {
        address
            .config
            .get_hosts()
            .iter()
            .any(|host| matches!(host, Host::Tcp(_)))
    }

    #[test]
    fn addresses_are_those_of_libpq() {
        let one = Address::parse("postgres://usher:secret@db.example:5433/usher?sslmode=disable").unwrap();
        assert!(is_remote(&one));
        assert_eq!(one.config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(
            one.shown,
            "postgres://usher@db.example:5433/usher?sslmode=disable"
        );

        let two = "postgresql://a:5432,b:5432/usher?target_session_attrs=read-write&user=u&password=secret";
        let two = Address::parse(two).unwrap();
        assert_eq!(two.config.get_hosts().len(), 2);
        assert_eq!(two.config.get_ssl_mode(), SslMode::Prefer);
        assert!(!two.shown.contains("secret"), "{}", two.shown);

        let local = Address::parse("postgres:///usher?host=/run/postgresql&user=usher").unwrap();
        assert!(!is_remote(&local));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for url in [
            "postgres://db.example",
            "postgres:///usher",
            "postgres://db.example/usher?sslmode=verify-ca",
            "postgres://db.example/usher?colour=red",
            "postgres://db.example/usher?sslmode=verify-full&sslrootcert=/does/not/exist.pem",
        ] {
            let refused = Address::parse(url).map(|address| address.shown);
            assert!(
                matches!(refused, Err(StorageError::Url { .. })),
                "{url}: {refused:?}"
            );
        }
    }

    #[test]
    fn percent_signs_are_decoded() {
        assert_eq!(decoded("%2Fetc%2Froot%20ca.pem"), "/etc/root ca.pem");
        assert_eq!(decoded("100%"), "100%");
    }
}
