//! One OpenID Connect provider: a sign-in begun, and ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, HttpRequest,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, TokenResponse,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;
use usher_core::{Role, Timestamp};

use crate::claims::Person;
use crate::connection::{CallError, Connection, may_be_called};
use crate::discovery::{Discovery, Known};
use crate::{Attempt, LocalPath, ProviderError, Returned, RoleRules, SignInError};

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How far the provider's clock may be from ours.
const SKEW: Duration = Duration::from_secs(60);
/// What ID tokens may be signed with: `none` and what needs a shared secret are not among them.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// How a provider is set up.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// What it is called here.
    pub name: String,
    /// The issuer, exactly as its discovery document says it.
    pub issuer: String,
    /// What Usher is called there.
    pub client_id: String,
    /// The secret of that name; providers that know public clients do without.
    pub client_secret: Option<SecretString>,
    /// What is asked for; `openid` is among it.
    pub scopes: Vec<String>,
    /// Which role a claim gives.
    pub rules: RoleRules,
    /// Whether claims are also read from the UserInfo endpoint.
    pub user_info: bool,
    /// Certificates in PEM of authorities to trust beside those of the operating system.
    pub extra_ca: Option<String>,
}

/// A provider that people sign in with.
pub struct Provider {
    settings: ProviderSettings,
    issuer: IssuerUrl,
    discovery: Discovery,
}

/// A sign-in that was begun.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where to send the browser.
    pub url: Url,
    /// What to remember until it comes back.
    pub attempt: Attempt,
}

/// Somebody whom a provider vouches for, and whom a rule gives a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who they are to the provider; never given to anybody else there.
    pub subject: String,
    /// The name to show.
    pub name: String,
    /// Their address, where the provider says one and does not doubt it.
    pub email: Option<String>,
    /// What they may do.
    pub role: Role,
}

impl Provider {
    /// Checks the settings. Nothing is called.
    ///
    /// # Errors
    /// [`ProviderError`] says what to set instead.
    pub fn new(settings: ProviderSettings) -> Result<Self, ProviderError> {
        let unfit = || ProviderError::Issuer(settings.issuer.chars().take(200).collect());
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| unfit())?;
        let url = issuer.url();
        if !may_be_called(url) || url.query().is_some() || url.fragment().is_some() {
            return Err(unfit());
        }
        if !settings.scopes.iter().any(|scope| scope == "openid") {
            return Err(ProviderError::Scopes);
        }
        let connection = Connection::new(url, settings.extra_ca.as_deref())?;
        Ok(Self {
            discovery: Discovery::new(issuer.clone(), connection),
            issuer,
            settings,
        })
    }

    /// What it is called here.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Begins a sign-in that comes back to `callback` and goes on to `next`.
    ///
    /// # Errors
    /// [`SignInError::Unreachable`].
    pub async fn start(
        &self,
        callback: &Url,
        next: LocalPath,
        now: Timestamp,
    ) -> Result<Started, SignInError> {
        let known = self.discovery.known(now).await?;
        let attempt = Attempt::draw(self.name(), next, now.plus(PATIENCE).as_micros());
        let client = CoreClient::from_provider_metadata(known.metadata.clone(), self.client_id(), None)
            .set_redirect_uri(RedirectUrl::from_url(callback.clone()));
        let verifier = PkceCodeVerifier::new(attempt.verifier.clone());
        let (state, nonce) = (attempt.state.clone(), attempt.nonce.clone());
        let others = self.settings.scopes.iter().filter(|scope| *scope != "openid");
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scopes(others.cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(Started { url, attempt })
    }

    /// Ends a sign-in: redeems the code, verifies the ID token, and finds the role. `callback` is the one that it was begun
    /// with.
    ///
    /// # Errors
    /// [`SignInError`]: nobody comes in.
    pub async fn finish(
        &self,
        attempt: &Attempt,
        returned: &Returned,
        callback: &Url,
        now: Timestamp,
    ) -> Result<Identity, SignInError> {
        let code = self.code(attempt, returned, now)?;
        let known = self.discovery.known(now).await?;
        let (id_token, access_token) = self.redeem(&known, code, attempt, callback).await?;
        let nonce = Nonce::new(attempt.nonce.clone());
        let mut claims = match self.verify(&known, &id_token, &nonce, now) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                // The provider may have begun to sign with a new key.
                let known = self.discovery.again(now).await?;
                self.verify(&known, &id_token, &nonce, now)
            }
            other => other,
        }
        .map_err(|error| SignInError::Token(error.to_string()))?;
        let subject = claims["sub"].as_str().unwrap_or_default().to_owned();
        if self.settings.user_info {
            let more = self.user_info(&known, &access_token, &subject).await?;
            for (name, value) in more {
                if claims.get(&name).is_none() {
                    claims[name] = value;
                }
            }
        }
        let person = Person::read(&subject, &claims);
        let role = self.settings.rules.role(&person, &claims)?;
        if role == Role::Requester && person.email.is_none() {
            return Err(SignInError::NoEmail { subject });
        }
        Ok(Identity {
            subject,
            name: person.name,
            email: person.email,
            role,
        })
    }

    /// Whether what came back is the end of this attempt, in time. Nothing is called.
    ///
    /// # Errors
    /// [`SignInError::Foreign`].
    pub fn belongs(&self, attempt: &Attempt, returned: &Returned, now: Timestamp) -> Result<(), SignInError> {
        if attempt.provider != self.settings.name {
            return Err(SignInError::Foreign("it was begun with another provider"));
        }
        attempt.belongs(returned)?;
        if now.as_micros() > attempt.until_us {
            return Err(SignInError::Foreign("it took too long"));
        }
        if let Some(issuer) = &returned.iss
            && issuer != self.issuer.as_str()
        {
            return Err(SignInError::Foreign("another issuer answers"));
        }
        Ok(())
    }

    /// The code, if this is the end of the sign-in that was begun.
    fn code(
        &self,
        attempt: &Attempt,
        returned: &Returned,
        now: Timestamp,
    ) -> Result<AuthorizationCode, SignInError> {
        self.belongs(attempt, returned, now)?;
        if let Some(code) = &returned.error {
            return Err(SignInError::Denied {
                code: bounded(code),
                description: bounded(returned.error_description.as_deref().unwrap_or_default()),
            });
        }
        let code = returned.code.as_ref().filter(|code| !code.is_empty());
        let code = code.ok_or(SignInError::Foreign("there is no code"))?;
        Ok(AuthorizationCode::new(code.clone()))
    }

    async fn redeem(
        &self,
        known: &Known,
        code: AuthorizationCode,
        attempt: &Attempt,
        callback: &Url,
    ) -> Result<(CoreIdToken, SecretString), SignInError> {
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client = CoreClient::from_provider_metadata(known.metadata.clone(), self.client_id(), secret)
            .set_redirect_uri(RedirectUrl::from_url(callback.clone()))
            .set_auth_type(authentication(known));
        let (connection, origins) = (self.discovery.connection().clone(), Arc::clone(&known.origins));
        let http = move |request: HttpRequest| {
            let (connection, origins) = (connection.clone(), Arc::clone(&origins));
            async move { connection.call(&origins, request).await }
        };
        let answer = client
            .exchange_code(code)
            .map_err(|error| SignInError::Unreachable(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()))
            .request_async(&http)
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(error) => SignInError::Unreachable(error.to_string()),
                RequestTokenError::ServerResponse(answer) => SignInError::Code(bounded(&answer.to_string())),
                RequestTokenError::Parse(error, _) => {
                    SignInError::Code(format!("its answer cannot be read: {error}"))
                }
                RequestTokenError::Other(what) => SignInError::Code(bounded(&what)),
            })?;
        let access_token = SecretString::from(answer.access_token().secret().as_str());
        let id_token = answer.id_token().cloned();
        let id_token = id_token.ok_or_else(|| SignInError::Token("there is none".to_owned()))?;
        Ok((id_token, access_token))
    }

    /// The claims of an ID token, checked as OpenID Connect Core 1.0 §3.1.3.7 wants it.
    fn verify(
        &self,
        known: &Known,
        token: &CoreIdToken,
        nonce: &Nonce,
        now: Timestamp,
    ) -> Result<Value, ClaimsVerificationError> {
        let client = CoreClient::from_provider_metadata(known.metadata.clone(), self.client_id(), None);
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_other_audience_verifier_fn(|_| false)
            .set_time_fn(move || moment(now.minus(SKEW)))
            .set_issue_time_verifier_fn(move |issued| {
                if issued <= moment(now.plus(SKEW)) {
                    Ok(())
                } else {
                    Err("it was issued in the future".to_owned())
                }
            });
        let claims = token.claims(&verifier, nonce)?;
        let party = claims.authorized_party();
        if party.is_some_and(|party| party.as_str() != self.settings.client_id) {
            let other = "it was issued to another client".to_owned();
            return Err(ClaimsVerificationError::InvalidAudience(other));
        }
        // What was verified, whole: rules may look into any claim.
        let text = token.to_string();
        let payload = text.split('.').nth(1).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.decode(payload).ok();
        payload
            .and_then(|payload| serde_json::from_slice(&payload).ok())
            .filter(Value::is_object)
            .ok_or_else(|| ClaimsVerificationError::Other("its claims cannot be read".to_owned()))
    }

    /// More claims about the same person (OpenID Connect Core 1.0 §5.3).
    async fn user_info(
        &self,
        known: &Known,
        access_token: &SecretString,
        subject: &str,
    ) -> Result<serde_json::Map<String, Value>, SignInError> {
        let unreachable = |what: String| SignInError::Unreachable(format!("UserInfo: {what}"));
        let endpoint = known.metadata.userinfo_endpoint();
        let endpoint = endpoint.ok_or_else(|| unreachable("the provider has no such endpoint".to_owned()))?;
        let request = http::Request::get(endpoint.as_str())
            .header(http::header::ACCEPT, "application/json")
            .header(
                http::header::AUTHORIZATION,
                format!("Bearer {}", access_token.expose_secret()),
            )
            .body(Vec::new())
            .map_err(|error| unreachable(error.to_string()))?;
        let answer = self.discovery.connection().call(&known.origins, request).await;
        let answer = answer.map_err(|error: CallError| unreachable(error.to_string()))?;
        if answer.status() != http::StatusCode::OK {
            return Err(unreachable(format!("it answered {}", answer.status())));
        }
        let claims: serde_json::Map<String, Value> =
            serde_json::from_slice(answer.body()).map_err(|error| unreachable(error.to_string()))?;
        if claims.get("sub").and_then(Value::as_str) == Some(subject) {
            Ok(claims)
        } else {
            Err(SignInError::Token("UserInfo speaks of somebody else".to_owned()))
        }
    }

    fn client_id(&self) -> ClientId {
        ClientId::new(self.settings.client_id.clone())
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How the client proves itself: in the header unless the provider takes it in the body alone (OpenID Connect Core 1.0 §9).
fn authentication(known: &Known) -> AuthType {
    let methods = known.metadata.token_endpoint_auth_methods_supported();
    let takes = |method| methods.is_some_and(|methods| methods.contains(&method));
    if takes(CoreClientAuthMethod::ClientSecretPost) && !takes(CoreClientAuthMethod::ClientSecretBasic) {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    }
}

fn moment(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.as_micros()).unwrap_or_default()
}

/// Somebody else's words, fit for a line of the log.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
