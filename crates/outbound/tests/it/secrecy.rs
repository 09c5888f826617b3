//! No secret is in a log, an error or a debug text, at any level of any crate.

use std::fmt::{Debug, Write as _};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::KeyPair;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;
use usher_core::AdapterError;
use usher_outbound::{
    Answer, Client, ClientAuthentication, Credentials, Dpop, PrivateKeyJwt, SigningAlgorithm,
};

use crate::provider::{Provider, Seen, eager, reply, secret, token, token_error};

/// Everything that was written so far.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn note(&self, thing: &impl Debug) {
        let mut text = String::new();
        write!(text, "{thing:?} {thing:#?}").unwrap();
        self.0.lock().unwrap().extend(text.bytes());
    }

    fn outcome(&self, outcome: Result<Answer, AdapterError>) {
        match outcome {
            Ok(answer) => {
                self.note(&answer);
                self.error(&answer.refused("read"));
                if let Err(error) = answer.json::<u32>() {
                    self.error(&error);
                }
            }
            Err(error) => self.error(&error),
        }
    }

    fn error(&self, error: &AdapterError) {
        self.note(error);
        let mut source: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = source {
            self.0.lock().unwrap().extend(error.to_string().bytes());
            source = error.source();
        }
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Gives out a token, then fails in every way there is, repeating in its answers what it was shown.
fn talkative(seen: &Seen) -> crate::provider::Reply {
    let shown = ["authorization", "dpop"].map(|name| seen.header(name).unwrap_or_default().to_owned());
    let assertion = seen.form("client_assertion").unwrap_or_default();
    let password = seen.form("client_secret").unwrap_or_default();
    let said = format!(
        "you sent '{}' ({}) \"{assertion}\" {password}",
        shown[0], shown[1]
    );
    let body = serde_json::json!({"error": {"code": said, "message": said}}).to_string();
    match seen.path() {
        "/bound/token" if seen.header("dpop").is_none() => token_error(400, &[], "invalid_dpop_proof", &said),
        "/bound/token" => token("DPoP", "s3cret-access-token", 3600),
        "/refused/token" => token_error(401, &[], &said, &said),
        "/broken/token" => reply(
            200,
            &[],
            format!("{{\"access_token\": \"s3cret-access-token\", {said}"),
        ),
        "/token" => token("Bearer", "s3cret-access-token", 3600),
        "/200" => reply(200, &[], body),
        "/302" => reply(302, &[("location", "https://evil.example/?x=s3cret-query")], ""),
        "/401" => reply(401, &[("www-authenticate", &said)], ""),
        "/429" => reply(429, &[("retry-after", "0")], body),
        other => reply(other[1..].parse().unwrap(), &[], body),
    }
}

fn authentications(pem: &str) -> Vec<ClientAuthentication> {
    vec![
        secret(),
        ClientAuthentication::SecretBasic("client-secret".into()),
        ClientAuthentication::PrivateKeyJwt(PrivateKeyJwt {
            algorithm: SigningAlgorithm::Es256,
            key_pem: pem.into(),
            key_id: Some("kid".into()),
            certificate_pem: None,
            lifetime: Duration::from_secs(60),
            audience: None,
        }),
    ]
}

async fn exercise(written: &Written, provider: &Provider, client: &Client) {
    // Other tests, which keep no log, may just now have switched places in the code off.
    tracing::callsite::rebuild_interest_cache();
    written.note(client);
    for path in [
        "/200", "/302", "/400", "/401", "/403", "/404", "/429", "/500", "/503",
    ] {
        let url = provider.at(&format!("{path}?x=s3cret-query"));
        let call = client.get("read", &url);
        written.note(&call);
        written.outcome(call.send().await);
    }
    let elsewhere = "https://user:s3cret-query@elsewhere.example/?s3cret-query";
    written.error(&client.follow("read", elsewhere).unwrap_err());
    let url = "http://127.0.0.1:1/?x=s3cret-query".parse().unwrap();
    written.outcome(client.get("read", &url).send().await);
}

#[tokio::test]
async fn nothing_secret_is_written_anywhere() {
    let written = Written::default();
    // For this thread, on which everything here runs.
    let _log = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(written.clone())
        .finish()
        .set_default();
    let provider = Provider::start(|seen, _| talkative(seen)).await;
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = pair.serialize_pem();
    let fixed = [
        Credentials::Bearer("s3cret-bearer".into()),
        Credentials::Scheme {
            scheme: "SSWS",
            token: "s3cret-ssws".into(),
        },
        Credentials::Basic {
            username: "ann".into(),
            password: "s3cret-password".into(),
        },
    ];
    for credentials in fixed {
        let builder = provider.builder(credentials).patience(eager(2));
        written.note(&builder);
        exercise(&written, &provider, &builder.build().unwrap()).await;
    }
    for authentication in authentications(&pem) {
        for path in ["/token", "/bound/token", "/refused/token", "/broken/token"] {
            let Credentials::OAuth(mut credentials) = provider.oauth(authentication.clone(), Dpop::WhenAsked)
            else {
                unreachable!("the function makes this kind");
            };
            credentials.token_url = provider.at(path);
            written.note(&credentials);
            let builder = provider
                .builder(Credentials::OAuth(credentials))
                .patience(eager(2));
            written.note(&builder);
            exercise(&written, &provider, &builder.build().unwrap()).await;
        }
    }

    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("called the provider"));
    assert!(text.contains("hyper"), "the libraries underneath log as well");
    assert!(text.contains("you sent"), "errors show what the provider says");
    let mut secrets: Vec<String> = ["s3cret", "client-secret", "BEGIN PRIVATE KEY", "YW5uOn"]
        .map(str::to_owned)
        .into();
    secrets.extend(pem.lines().map(str::to_owned));
    for seen in provider.seen() {
        let proofs = ["dpop", "authorization"].map(|name| seen.header(name).map(str::to_owned));
        for shown in proofs.into_iter().flatten().chain(seen.form("client_assertion")) {
            let credential = shown.rsplit(' ').next().unwrap().to_owned();
            secrets.extend(credential.split('.').map(str::to_owned));
        }
    }
    assert!(secrets.len() > 100);
    for secret in secrets {
        let found = text.find(&secret).map(|at| &text[at.saturating_sub(60)..at]);
        assert_eq!(found, None, "{secret}");
    }
}
