//! The token endpoint of the Microsoft identity platform, for the client credentials grant.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use usher_core::{Clock as _, SystemClock};

use super::Options;
use super::request::{Reply, form};

/// How long an assertion signed with a certificate may live.
const LONGEST_ASSERTION_SECONDS: i64 = 600;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The credential that a token request carried.
enum Refusal {
    Scope,
    Secret,
    Assertion(&'static str),
    Federation,
    Form(&'static str),
}

/// Whether a token may be given for this request.
pub(super) fn check(options: &Options, tenant: &str, root: &str, body: &[u8]) -> Result<(), Reply> {
    judge(options, tenant, root, body).map_err(|refusal| {
        let (status, error, code, text) = match refusal {
            Refusal::Form(text) => (StatusCode::BAD_REQUEST, "invalid_request", 900_144, text),
            Refusal::Scope => (
                StatusCode::BAD_REQUEST,
                "invalid_scope",
                70_011,
                "The provided value for the input parameter 'scope' is not valid.",
            ),
            Refusal::Secret => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_215,
                "Invalid client secret provided.",
            ),
            Refusal::Assertion(text) => (StatusCode::UNAUTHORIZED, "invalid_client", 700_027, text),
            Refusal::Federation => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                70_021,
                "No matching federated identity record found for presented assertion.",
            ),
        };
        Reply {
            status,
            location: None,
            body: json!({
                "error": error,
                "error_description": format!("AADSTS{code}: {text}"),
                "error_codes": [code],
                "timestamp": "2026-01-01 00:00:00Z",
                "trace_id": "255d1aef-8c98-452f-ac51-23d051240864",
                "correlation_id": "fb3d2015-bc17-4bb9-bb85-30c5cf1aaaa7",
            }),
        }
    })
}

fn judge(options: &Options, tenant: &str, root: &str, body: &[u8]) -> Result<(), Refusal> {
    let fields = form(body).ok_or(Refusal::Form("The body is not a form."))?;
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    if field("grant_type") != Some("client_credentials") {
        return Err(Refusal::Form("The request body must contain 'grant_type'."));
    }
    if tenant != options.tenant || field("client_id") != Some(&options.client_id) {
        return Err(Refusal::Form("The application was not found in the directory."));
    }
    if field("scope") != Some(&format!("{root}/.default")) {
        return Err(Refusal::Scope);
    }
    if let Some(secret) = field("client_secret") {
        return if options.secret.as_deref() == Some(secret) {
            Ok(())
        } else {
            Err(Refusal::Secret)
        };
    }
    let assertion =
        field("client_assertion").filter(|_| field("client_assertion_type") == Some(ASSERTION_TYPE));
    let assertion = assertion.ok_or(Refusal::Form("No client credential was presented."))?;
    if options.federated_assertion.as_deref() == Some(assertion) {
        return Ok(());
    }
    let Some(certificate) = &options.certificate_pem else {
        return Err(Refusal::Federation);
    };
    signed(
        options,
        certificate,
        &format!("{root}/{tenant}/oauth2/v2.0/token"),
        assertion,
    )
    .map_err(Refusal::Assertion)
}

/// Whether an assertion was signed with the registered certificate for this endpoint and is fresh.
fn signed(options: &Options, certificate: &str, endpoint: &str, assertion: &str) -> Result<(), &'static str> {
    let header = decode_header(assertion).map_err(|_| "The assertion is malformed.")?;
    if header.alg != Algorithm::PS256 {
        return Err("The assertion is not signed with PS256.");
    }
    if header.x5t_s256.as_deref()
        != Some(
            thumbprint(certificate)
                .ok_or("The certificate is damaged.")?
                .as_str(),
        )
    {
        return Err("The certificate with this thumbprint is not registered.");
    }
    let key = DecodingKey::from_rsa_pem(certificate.as_bytes()).map_err(|_| "The certificate is damaged.")?;
    let mut rules = Validation::new(Algorithm::PS256);
    rules.set_audience(&[endpoint]);
    rules.set_issuer(&[&options.client_id]);
    rules.set_required_spec_claims(&["exp", "aud", "iss", "sub", "nbf"]);
    rules.sub = Some(options.client_id.clone());
    rules.validate_nbf = true;
    let claims = decode::<Value>(assertion, &key, &rules)
        .map_err(|_| "The signature or a claim of the assertion is wrong.")?
        .claims;
    let now = SystemClock.now().as_micros() / 1_000_000;
    let expires = claims["exp"].as_i64().unwrap_or(i64::MAX);
    if expires > now.saturating_add(LONGEST_ASSERTION_SECONDS) {
        return Err("The assertion lives too long.");
    }
    match claims["jti"].as_str() {
        Some(id) if !id.is_empty() => Ok(()),
        _ => Err("The assertion has no jti."),
    }
}

/// `x5t#S256` of a certificate in PEM (RFC 7515 §4.1.8).
fn thumbprint(pem: &str) -> Option<String> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (text, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let letters: String = text.split_whitespace().collect();
    let der = STANDARD.decode(letters).ok()?;
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(der)))
}
