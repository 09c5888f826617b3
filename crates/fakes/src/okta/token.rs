//! The token endpoint of the org's authorization server.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::answer::{Refusal, oauth_error};
use super::behaviour::Ungranted;
use super::jwt::{self, Flaw, Use};
use super::org::Org;
use super::rights::Rights;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An access token that was given out.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) rights: Rights,
    /// The thumbprint of the key that it is bound to.
    pub(super) key: Option<String>,
}

/// `POST /oauth2/v1/token`.
pub(super) async fn token(
    State(org): State<Org>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| {
        let mut found = form.iter().filter(|(key, _)| key == name);
        found.next().map_or("", |(_, value)| value.as_str())
    };
    if field("grant_type") != "client_credentials" {
        return Err(refuse(
            "unsupported_grant_type",
            "Only client_credentials is allowed.",
        ));
    }
    if field("client_assertion_type") != ASSERTION_TYPE {
        return Err(unknown_client("Client authentication has to be private_key_jwt."));
    }
    let assertion = field("client_assertion");
    let app = issuer(assertion).and_then(|id| org.with(|state| state.apps.get(&id).cloned()));
    let app = app.ok_or_else(|| unknown_client("The client is not known."))?;
    jwt::assertion(&org, &app, assertion).map_err(unknown_client)?;
    let key = bound_to(&org, &headers, app.dpop)?;
    let asked = || field("scope").split_ascii_whitespace();
    let rights = app.rights.narrowed_to(asked());
    let missing = rights.scopes().len() < asked().count();
    let refused = missing && org.behaviour().ungranted == Ungranted::Refused;
    if refused || rights.scopes().len() == 0 {
        return Err(refuse(
            "invalid_scope",
            "One or more scopes are not configured for the authorization server resource.",
        ));
    }
    let scope = rights.scopes().collect::<Vec<_>>().join(" ");
    let kind = if key.is_some() { "DPoP" } else { "Bearer" };
    let token = org.with(|state| {
        state.issued += 1;
        let token = format!("eyJfake.access.token-{}", state.issued);
        state.access_tokens.insert(token.clone(), Issued { rights, key });
        token
    });
    Ok(Json(json!({
        "token_type": kind,
        "expires_in": 3600,
        "access_token": token,
        "scope": scope,
    }))
    .into_response())
}

/// The key that the token will be bound to.
fn bound_to(org: &Org, headers: &HeaderMap, required: bool) -> Result<Option<String>, Refusal> {
    let Some(proof) = headers.get("dpop") else {
        return if required {
            Err(refuse(
                "invalid_dpop_proof",
                "The DPoP proof JWT header is missing.",
            ))
        } else {
            Ok(None)
        };
    };
    let nonce = org.behaviour().dpop_nonce;
    let url = format!("{}/oauth2/v1/token", org.base());
    let used = Use {
        method: "POST",
        url: &url,
        token: None,
        nonce: nonce.as_deref(),
    };
    match jwt::proof(org, proof.to_str().unwrap_or_default(), &used) {
        Ok(key) => Ok(Some(key)),
        Err(Flaw::Invalid(what)) => Err(refuse("invalid_dpop_proof", what)),
        Err(Flaw::Nonce) => {
            let mut answer = refuse(
                "use_dpop_nonce",
                "Authorization server requires nonce in DPoP proof.",
            );
            let nonce = nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok());
            if let Some(nonce) = nonce {
                answer.headers().insert("dpop-nonce", nonce);
            }
            Err(answer)
        }
    }
}

/// The issuer of an assertion, not checked yet.
fn issuer(assertion: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Claims {
        iss: String,
    }
    jsonwebtoken::dangerous::insecure_decode::<Claims>(assertion)
        .ok()
        .map(|data| data.claims.iss)
}

fn unknown_client(what: &str) -> Refusal {
    oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", what)
}

fn refuse(code: &str, what: &str) -> Refusal {
    oauth_error(StatusCode::BAD_REQUEST, code, what)
}
