//! TLS for those without a proxy in front: rustls, with certificates that are read again when their files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(20);

/// The certificate that connections are served with. Clones share it.
#[derive(Clone)]
pub(crate) struct Tls(Arc<Shared>);

struct Shared {
    files: Files,
    present: RwLock<Present>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

struct Present {
    config: Arc<ServerConfig>,
    written: Option<[SystemTime; 2]>,
}

/// Why connections cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {reason}; give a file in PEM", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key does not fit the certificate, or is of a kind that is not taken.
    #[error("the certificate and the key do not work together: {0}")]
    Pair(rustls::Error),
}

impl Tls {
    /// Reads the certificate, with those of its authorities behind it, and its key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        let written = files.written();
        let config = files.read()?;
        let present = RwLock::new(Present { config, written });
        Ok(Self(Arc::new(Shared { files, present })))
    }

    /// What the next connection is accepted with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let present = self.0.present.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&present.config))
    }

    /// Reads the files again, unless they are those that were read. What cannot be used leaves things as they are.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(crate) fn renew(&self, even_if_unchanged: bool) -> Result<bool, TlsError> {
        let written = self.0.files.written();
        let is_known = {
            let present = self.0.present.read().unwrap_or_else(PoisonError::into_inner);
            present.written == written
        };
        if is_known && !even_if_unchanged {
            return Ok(false);
        }
        let config = self.0.files.read()?;
        *self.0.present.write().unwrap_or_else(PoisonError::into_inner) = Present { config, written };
        Ok(true)
    }

    /// Looks at the files now and then, and at each signal to do so, until `stopping` is cancelled.
    pub(crate) async fn watch(self, stopping: CancellationToken) {
        let mut hangups = Hangups::new();
        loop {
            let asked = tokio::select! {
                () = hangups.next() => true,
                () = tokio::time::sleep(LOOK) => false,
                () = stopping.cancelled() => return,
            };
            let tls = self.clone();
            let renewed = tokio::task::spawn_blocking(move || tls.renew(asked)).await;
            match renewed {
                Ok(Ok(true)) => {
                    tracing::info!("new connections are served with the certificate that was read now");
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "the certificate is not renewed; the old one stays");
                }
                Err(error) => tracing::error!(%error, "the certificate could not be looked at"),
            }
        }
    }
}

impl Files {
    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let unfit = |path: &Path, reason: String| TlsError::File {
            path: path.to_owned(),
            reason,
        };
        let of = |error: rustls_pki_types::pem::Error| error.to_string();
        let certificates = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unfit(&self.certificate, of(error)))?;
        if certificates.is_empty() {
            return Err(unfit(&self.certificate, "it holds no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unfit(&self.key, of(error)))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
            .map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn written(&self) -> Option<[SystemTime; 2]> {
        let at = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
        Some([at(&self.certificate)?, at(&self.key)?])
    }
}

/// Signals to read the files again.
#[cfg(unix)]
struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::hangup()).ok())
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    const fn new() -> Self {
        Self
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;
    use crate::lanes::Lanes;
    use crate::lifecycle::{self, Limits};

    /// Writes a certificate for 127.0.0.1; its PEM.
    fn write(folder: &Path) -> String {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
        made.cert.pem()
    }

    fn read(folder: &Path) -> Result<Tls, TlsError> {
        Tls::read(&folder.join("certificate.pem"), &folder.join("key.pem"))
    }

    /// Whether a server shows this certificate on a new connection.
    async fn shows(address: SocketAddr, certificate: &str) -> bool {
        let trusted = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([trusted])
            .no_proxy()
            .build()
            .unwrap();
        match client.get(format!("https://{address}/")).send().await {
            Ok(answer) => answer.text().await.unwrap() == "here",
            Err(_) => false,
        }
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_shown_to_new_connections() {
        let folder = tempfile::tempdir().unwrap();
        let first = write(folder.path());
        let tls = read(folder.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, dropping) = (CancellationToken::new(), CancellationToken::new());
        let limits = Limits {
            connections: 8,
            header_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(30),
        };
        let (stop, drop, served) = (stopping.clone(), dropping.clone(), tls.clone());
        let router = Router::new().route("/", get(async || "here"));
        let server = tokio::spawn(async move {
            lifecycle::serve(
                listener,
                &Lanes::none(),
                router,
                Some(served),
                limits,
                &stop,
                &drop,
            )
            .await;
        });
        assert!(shows(address, &first).await);
        assert!(!tls.renew(false).unwrap());

        let second = write(folder.path());
        assert!(!shows(address, &second).await);
        assert!(tls.renew(true).unwrap());
        assert!(shows(address, &second).await);
        assert!(!shows(address, &first).await);

        // What cannot be used changes nothing.
        std::fs::write(folder.path().join("key.pem"), "nonsense").unwrap();
        assert!(tls.renew(true).is_err());
        assert!(shows(address, &second).await);
        stopping.cancel();
        server.await.unwrap();
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(folder.path());
        write(other.path());
        std::fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
        assert!(matches!(read(folder.path()), Err(TlsError::Pair(_))));
        std::fs::write(folder.path().join("certificate.pem"), "").unwrap();
        assert!(matches!(read(folder.path()), Err(TlsError::File { .. })));
    }
}
