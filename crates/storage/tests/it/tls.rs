//! Encrypted connections to PostgreSQL: what the address asks for is what there is, and whoever is not trusted hears no password.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::NamedTempFile;
use usher_storage::{Storage, StorageConfig, StorageError};
use usher_testpg::{Certificate, Cluster, Database, Options, is_left_out};

use crate::world::POSTGRES_SCHEMA;

/// Whether the server encrypts the connection that asks.
const IS_ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// Somebody who signs certificates, and a file that says so.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.pem()).unwrap();
        Self { issuer, file }
    }

    fn signs(&self, name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        Certificate {
            chain: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// The parameter of an address that trusts this one.
    fn trusted(&self) -> String {
        format!("sslrootcert={}", self.file.path().display())
    }
}

/// A server on the loopback with this certificate, and a database on it.
struct Remote {
    database: Database,
    _cluster: Cluster,
}

impl Remote {
    /// `None` where PostgreSQL was left out by name.
    async fn with(certificate: Option<Certificate>) -> Option<Self> {
        if is_left_out() {
            return None;
        }
        let cluster = Cluster::start(Options {
            tcp: true,
            certificate,
            ..Options::default()
        })
        .unwrap();
        Some(Self {
            database: cluster.database().await.unwrap(),
            _cluster: cluster,
        })
    }

    /// The address by the name `localhost`, with this query.
    fn url(&self, query: &str) -> String {
        let url = self.database.url().replace("127.0.0.1", "localhost");
        format!("{url}?{query}")
    }

    fn password(&self) -> String {
        let url = self.database.url();
        let (before, _) = url.split_once('@').unwrap();
        before.rsplit_once(':').unwrap().1.to_owned()
    }

    /// Why this address is refused, which says no password.
    async fn refuses(&self, url: &str) -> StorageError {
        let error = open(url).await.err().unwrap();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&self.password()), "{error:?}");
        assert!(!shown.contains("wrong-password"), "{error:?}");
        error
    }
}

async fn open(url: &str) -> Result<Storage, StorageError> {
    Storage::open(StorageConfig {
        migrations: POSTGRES_SCHEMA,
        busy_timeout: Duration::from_secs(60),
        ..StorageConfig::new(url)
    })
    .await
}

async fn is_encrypted(url: &str) -> bool {
    let storage = open(url).await.unwrap();
    let work = storage.read(|tx| Box::pin(async move { tx.query_one(IS_ENCRYPTED, &[]).await?.get(0) }));
    let encrypted: Result<bool, StorageError> = work.await;
    encrypted.unwrap()
}

#[tokio::test]
async fn a_connection_is_encrypted_as_its_address_asks() {
    let authority = Authority::named("ours");
    let Some(remote) = Remote::with(Some(authority.signs("localhost"))).await else {
        return;
    };
    let trusted = authority.trusted();
    for (query, expected) in [
        ("sslmode=disable", false),
        ("sslmode=prefer", true),
        ("application_name=unnamed", true),
        ("sslmode=require", true),
        (&format!("sslmode=require&{trusted}"), true),
        (&format!("sslmode=verify-full&{trusted}"), true),
    ] {
        assert_eq!(is_encrypted(&remote.url(query)).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_certificate_may_be_for_an_address() {
    let authority = Authority::named("ours");
    let Some(remote) = Remote::with(Some(authority.signs("127.0.0.1"))).await else {
        return;
    };
    let url = remote.database.url();
    let trusted = authority.trusted();
    assert!(is_encrypted(&format!("{url}?sslmode=verify-full&{trusted}")).await);
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_refused_at_once() {
    let (authority, other) = (Authority::named("ours"), Authority::named("another"));
    let Some(remote) = Remote::with(Some(authority.signs("localhost"))).await else {
        return;
    };
    let (trusted, untrusted) = (authority.trusted(), other.trusted());
    let by_address = remote.database.url();
    for (url, expected) in [
        (
            remote.url(&format!("sslmode=verify-full&{untrusted}")),
            "signed by nobody who is trusted; name the file with its authority's certificate in sslrootcert",
        ),
        (
            remote.url(&format!("sslmode=require&{untrusted}")),
            "signed by nobody who is trusted",
        ),
        (
            format!("{by_address}?sslmode=verify-full&{trusted}"),
            "for another name: certificate not valid for name \"127.0.0.1\"",
        ),
    ] {
        let error = remote.refuses(&url).await;
        assert!(matches!(error, StorageError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_refused_where_that_is_required() {
    let Some(remote) = Remote::with(None).await else {
        return;
    };
    assert!(!is_encrypted(&remote.url("sslmode=prefer")).await);
    let url = remote.url("sslmode=require");
    let config = StorageConfig {
        busy_timeout: Duration::from_millis(300),
        ..StorageConfig::new(url)
    };
    let error = Storage::open(config).await.err().unwrap();
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("does not support TLS"), "{error}");
    assert!(!format!("{error:?}").contains(&remote.password()), "{error:?}");
}

#[tokio::test]
async fn no_password_is_in_what_is_said_of_an_address() {
    let authority = Authority::named("ours");
    let Some(remote) = Remote::with(Some(authority.signs("localhost"))).await else {
        return;
    };
    let query = format!("sslmode=verify-full&{}", authority.trusted());
    let url = remote.url(&query);
    let wrong = url.replace(&remote.password(), "wrong-password");
    let error = remote.refuses(&wrong).await;
    assert!(matches!(error, StorageError::Url { .. }), "{error:?}");
    assert!(
        error.to_string().contains("password authentication failed"),
        "{error}"
    );
    let file = format!("{url}&passfile=/run/secrets/pgpass");
    let error = remote.refuses(&file).await;
    assert!(error.to_string().contains("passfile"), "{error}");
    let config = StorageConfig::new(url);
    assert!(!format!("{config:?}").contains(&remote.password()));
}
