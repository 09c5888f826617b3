//! TLS to the server: rustls with the project's one provider of cryptography.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::{io, iter};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::socket::{Shared, Socket};

/// Whose certificate is accepted.
pub(super) enum Trust {
    /// Anyone's: the connection is encrypted, and that is all (`sslmode=prefer` and `require`).
    Anyone,
    /// One for the host's name, signed by somebody whom the system trusts.
    System,
    /// One for the host's name, signed by one of those in this file.
    Roots(PathBuf),
}

/// Makes connections encrypted.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
}

impl Tls {
    /// # Errors
    /// Why the trusted certificates could not be read.
    pub(super) fn new(trust: &Trust) -> Result<Self, String> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match trust {
            Trust::Anyone => Arc::new(Unverified(Arc::clone(&provider))),
            Trust::System => Arc::new(
                rustls_platform_verifier::Verifier::new(Arc::clone(&provider))
                    .map_err(|error| format!("the system's trusted certificates cannot be read: {error}"))?,
            ),
            Trust::Roots(file) => {
                WebPkiServerVerifier::builder_with_provider(roots(file)?.into(), Arc::clone(&provider))
                    .build()
                    .map_err(|error| format!("sslrootcert {} cannot be used: {error}", file.display()))?
            }
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

fn roots(file: &Path) -> Result<RootCertStore, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("sslrootcert {}: {error}", file.display());
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))? {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        store.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if store.is_empty() {
        return Err(unreadable(&"there is no certificate in it"));
    }
    Ok(store)
}

impl Tls {
    /// What encrypts one connection to a server of this name.
    ///
    /// # Errors
    /// When it cannot be a server's name.
    pub(super) fn connector(&self, host: Option<&str>) -> Result<Connector, InvalidDnsNameError> {
        // A socket in the file system has no name, and is not encrypted.
        let name = host.unwrap_or("localhost");
        Ok(Connector {
            config: Arc::clone(&self.config),
            name: ServerName::try_from(name)?.to_owned(),
            made: Made::default(),
        })
    }
}

/// An encrypted connection.
pub(super) type Encrypted = Shared<tokio_rustls::client::TlsStream<Shared<Socket>>>;

/// Where an encrypted connection is found once it is made.
type Made = Arc<OnceLock<Encrypted>>;

/// Makes one connection encrypted.
pub(super) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    made: Made,
}

impl Connector {
    /// Where the encrypted connection will be found; it stays empty where the server does not encrypt.
    pub(super) fn made(&self) -> Made {
        Arc::clone(&self.made)
    }
}

impl TlsConnect<Shared<Socket>> for Connector {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, socket: Shared<Socket>) -> Self::Future {
        let handshake = tokio_rustls::TlsConnector::from(self.config).connect(self.name, socket);
        Box::pin(async move {
            let encrypted = Shared::new(handshake.await?);
            Ok(self.made.get_or_init(|| encrypted).clone())
        })
    }
}

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Why the server's certificate is not trusted, and what to do, if that is what went wrong.
pub(super) fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    let untrusted = iter::successors(Some(error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref())
        .find_map(|error| match error {
            rustls::Error::InvalidCertificate(untrusted) => Some(untrusted),
            _ => None,
        })?;
    Some(match untrusted {
        CertificateError::UnknownIssuer => {
            "the server's certificate is signed by nobody who is trusted; name the file \
            with its authority's certificate in sslrootcert"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "the server's certificate is for another name: {untrusted}; connect to the host by a name that its certificate has"
        ),
        other => format!("the server's certificate is not accepted: {other}; renew it"),
    })
}

/// Accepts every certificate whose key signed the handshake.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
