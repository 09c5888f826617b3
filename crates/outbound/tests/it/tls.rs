//! Certificates of the provider.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use url::Url;
use usher_core::ErrorKind;
use usher_outbound::{Client, Credentials, Patience};

/// Answers 200 over TLS to everybody who trusts the certificate that it also gives out.
async fn encrypted() -> (Url, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port())
        .parse()
        .unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever does not trust the certificate hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut start = [0; 1024];
            let _read = stream.read(&mut start).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (url, certificate.pem())
}

#[tokio::test]
async fn a_certificate_is_trusted_by_an_authority_that_was_added() {
    let (url, authority) = encrypted().await;
    let client = Client::builder(vec![url.clone()])
        .credentials(Credentials::Bearer("t0ken".into()))
        .extra_ca(authority)
        .build()
        .unwrap();
    assert_eq!(client.get("read", &url).send().await.unwrap().body(), b"{}");
}

#[tokio::test]
async fn a_certificate_of_nobody_is_not_trusted() {
    let (url, _) = encrypted().await;
    let (_, another) = encrypted().await;
    let client = Client::builder(vec![url.clone()])
        .patience(Patience::none())
        .extra_ca(another)
        .build()
        .unwrap();
    let error = client.get("read", &url).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn an_authority_must_be_one() {
    for pem in [
        "",
        "nothing",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let url = "https://127.0.0.1".parse().unwrap();
        let error = Client::builder(vec![url]).extra_ca(pem).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{pem}");
    }
}
