//! Access tokens: asked for when needed, kept until shortly before they expire.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RequestTokenError, Scope, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use usher_core::{AdapterError, Timestamp};

use crate::assertion::Identity;
use crate::authority::field;
use crate::client::invalid;
use crate::credentials::{ClientAuthentication, ClientCredentials, Dpop};
use crate::dpop::{self, Binding};
use crate::origin::{self, Origin};
use crate::patience::{self, Attempts};
use crate::refusal;
use crate::wire::{Broken, Next, Received, Wire};

/// What errors and metrics call a token request.
pub(crate) const OPERATION: &str = "token";

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long a token is kept when the provider does not say.
const UNSAID_LIFETIME: Duration = Duration::from_secs(300);

/// A token is renewed this long before it expires, or a tenth of its life before if that is shorter.
const MARGIN: Duration = Duration::from_secs(300);

type Endpoint = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Where a client gets its access tokens.
pub(crate) struct TokenSource {
    url: Url,
    endpoint: Endpoint,
    scopes: Vec<Scope>,
    identity: Identity,
    /// The key for bound tokens, unless there never is to be one.
    binding: Option<Binding>,
    always_bound: bool,
    /// Whether token requests carry a proof.
    bound: AtomicBool,
    /// Held while a token is asked for, so that one request is made and the others wait.
    current: tokio::sync::Mutex<Option<Arc<Grant>>>,
}

/// An access token.
pub(crate) struct Grant {
    pub(crate) token: SecretString,
    /// The `Authorization` field.
    pub(crate) field: HeaderValue,
    /// Whether requests need a proof beside it.
    pub(crate) bound: bool,
    renew_at: Timestamp,
}

impl TokenSource {
    pub(crate) fn new(credentials: ClientCredentials) -> Result<Self, AdapterError> {
        let ClientCredentials {
            token_url,
            client_id,
            scopes,
            authentication,
            dpop,
        } = credentials;
        origin::configured("token_url", &token_url)?;
        if client_id.is_empty() {
            return Err(invalid("the client id is empty"));
        }
        let mut endpoint = BasicClient::new(ClientId::new(client_id.clone()))
            .set_token_uri(TokenUrl::from_url(token_url.clone()))
            .set_auth_type(AuthType::RequestBody);
        if let ClientAuthentication::SecretBasic(_) = authentication {
            endpoint = endpoint.set_auth_type(AuthType::BasicAuth);
        }
        let identity = Identity::new(authentication, &client_id, &token_url)?;
        if let Some(secret) = identity.client_secret() {
            endpoint = endpoint.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        Ok(Self {
            url: token_url,
            endpoint,
            scopes: scopes.into_iter().map(Scope::new).collect(),
            identity,
            binding: match dpop {
                Dpop::Never => None,
                Dpop::WhenAsked | Dpop::Always => Some(Binding::new()?),
            },
            always_bound: dpop == Dpop::Always,
            bound: AtomicBool::new(dpop == Dpop::Always),
            current: tokio::sync::Mutex::default(),
        })
    }

    /// The origin of the token endpoint.
    pub(crate) fn origin(&self) -> Result<Origin, AdapterError> {
        origin::configured("token_url", &self.url)
    }

    /// The key to which tokens are bound.
    pub(crate) const fn binding(&self) -> Option<&Binding> {
        self.binding.as_ref()
    }

    /// A token that is good for a while.
    pub(crate) async fn grant(&self, wire: &Wire) -> Result<Arc<Grant>, AdapterError> {
        let mut current = self.current.lock().await;
        if let Some(grant) = current.as_ref()
            && wire.clock.now() < grant.renew_at
        {
            return Ok(Arc::clone(grant));
        }
        let grant = Arc::new(self.request(wire).await?);
        *current = Some(Arc::clone(&grant));
        Ok(grant)
    }

    /// Forgets a token that was refused, unless another took its place meanwhile.
    pub(crate) async fn forget(&self, refused: &Arc<Grant>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|grant| Arc::ptr_eq(grant, refused)) {
            *current = None;
        }
    }

    async fn request(&self, wire: &Wire) -> Result<Grant, AdapterError> {
        let mut attempts = Attempts::new(wire.patience);
        let mut nonce_given = false;
        loop {
            let assertion = self.identity.assertion(wire.clock.now()).await?;
            let bound = self.bound.load(Ordering::Relaxed);
            attempts.begin();
            let (outcome, token) = self.ask(wire, assertion.as_ref(), bound).await?;
            if let (Some(binding), Ok(received)) = (&self.binding, &outcome) {
                binding.learn_from_token(&received.headers);
            }
            let status = match wire.judge(OPERATION, &self.url, outcome, &mut attempts, true) {
                Next::Deliver(received) => received.status,
                Next::Repeat(time) => {
                    patience::wait(time).await;
                    continue;
                }
                Next::GiveUp(error) => return Err(error),
            };
            let refused = match token {
                Ok(token) => return self.accept(wire, status, &token, bound),
                Err(RequestTokenError::ServerResponse(refused)) => refused,
                Err(_) => return Err(refusal::unreadable(&self.url, status)),
            };
            match refused.error().as_ref() {
                dpop::USE_NONCE | dpop::INVALID_PROOF if self.binding.is_some() && !bound => {
                    self.bound.store(true, Ordering::Relaxed);
                }
                dpop::USE_NONCE if bound && !nonce_given => nonce_given = true,
                error => {
                    let description = refused.error_description().map(String::as_str);
                    let secrets = self.identity.secrets(assertion.as_ref());
                    return Err(refusal::of_token(&self.url, status, error, description, &secrets));
                }
            }
        }
    }

    /// Makes one request: what became of it, and what the answer says.
    async fn ask(
        &self,
        wire: &Wire,
        assertion: Option<&SecretString>,
        bound: bool,
    ) -> Result<(Result<Received, Broken>, Result<BasicTokenResponse, Failure>), AdapterError> {
        let proof = match &self.binding {
            Some(binding) if bound => Some(binding.for_token(&self.url, wire.clock.now())?),
            _ => None,
        };
        let bridge = Bridge {
            wire,
            proof,
            outcome: Mutex::default(),
        };
        let mut request = self
            .endpoint
            .exchange_client_credentials()
            .add_scopes(self.scopes.iter().cloned());
        if let Some(assertion) = assertion {
            request = request
                .add_extra_param("client_assertion_type", ASSERTION_TYPE)
                .add_extra_param("client_assertion", assertion.expose_secret());
        }
        let token = request.request_async(&bridge).await;
        match bridge
            .outcome
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
        {
            Some(outcome) => Ok((outcome, token)),
            None => Err(refusal::unmade(&self.url)),
        }
    }

    fn accept(
        &self,
        wire: &Wire,
        status: StatusCode,
        token: &BasicTokenResponse,
        bound: bool,
    ) -> Result<Grant, AdapterError> {
        let wrong = |what: &str| Err(refusal::unusable(&self.url, status, what));
        let (scheme, bound) = match token.token_type().as_ref() {
            name if name.eq_ignore_ascii_case("dpop") && bound => ("DPoP", true),
            name if name.eq_ignore_ascii_case("bearer") && !self.always_bound => ("Bearer", false),
            name if name.eq_ignore_ascii_case("bearer") => {
                return wrong("an access token that is not bound to the key");
            }
            _ => return wrong("an access token of a kind that was not asked for"),
        };
        let lifetime = token.expires_in().unwrap_or(UNSAID_LIFETIME);
        let margin = MARGIN.min(lifetime / 10);
        let secret = SecretString::from(token.access_token().secret().as_str());
        let Some(field) = field(scheme, secret.expose_secret()) else {
            return wrong("an access token that cannot be sent");
        };
        Ok(Grant {
            token: secret,
            field,
            bound,
            renew_at: wire.clock.now().plus(lifetime.saturating_sub(margin)),
        })
    }
}

type Failure = RequestTokenError<NoAnswer, BasicErrorResponse>;

/// Carries the OAuth library's request over the same connections as every other, and keeps what became of it.
struct Bridge<'a> {
    wire: &'a Wire,
    proof: Option<HeaderValue>,
    outcome: Mutex<Option<Result<Received, Broken>>>,
}

impl Bridge<'_> {
    async fn carry(&self, request: HttpRequest) -> Result<Received, Broken> {
        let mut request = reqwest::Request::try_from(request)?;
        let headers = request.headers_mut();
        if let Some(credential) = headers.get_mut(header::AUTHORIZATION) {
            credential.set_sensitive(true);
        }
        if let Some(proof) = &self.proof {
            headers.insert(dpop::PROOF, proof.clone());
        }
        self.wire.exchange(OPERATION, request).await
    }
}

impl<'c> AsyncHttpClient<'c> for Bridge<'_> {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let outcome = self.carry(request).await;
            let response = outcome.as_ref().map_or(Err(NoAnswer), |received| {
                let mut response = HttpResponse::new(received.body.clone());
                *response.status_mut() = received.status;
                *response.headers_mut() = received.headers.clone();
                Ok(response)
            });
            *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            response
        })
    }
}

/// Stands where the OAuth library wants an error; what really happened is kept beside it.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer")
    }
}

impl Error for NoAnswer {}
