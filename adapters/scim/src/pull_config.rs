//! The settings for reading a service provider.

use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;
use usher_core::{AdapterError, ErrorKind, RetryAdvice};
use usher_outbound::{ClientAuthentication, ClientCredentials, Credentials, Dpop};

/// What is accepted as a page size.
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 1..=1000;

/// How the provider is read; the README explains each setting.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullConfig {
    /// The URL that `/Users` and `/Groups` are under.
    pub base_url: String,
    /// A token that does not change.
    pub bearer_token: Option<SecretString>,
    /// Tokens from a token endpoint.
    pub oauth: Option<OAuthConfig>,
    /// How many resources to ask for at once.
    #[serde(default = "default_page_size")]
    pub page_size: usize,
    /// Where the members of a group stand.
    #[serde(default)]
    pub members: MembersFrom,
    /// Whether reads between complete ones may trust versions and times of change.
    #[serde(default = "default_true")]
    pub detect_changes: bool,
    /// The longest answer taken.
    #[serde(default = "default_max_answer")]
    pub max_answer_mib: usize,
}

/// The client credentials grant (RFC 6749 §4.4).
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthConfig {
    /// The token endpoint.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// Scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How the client shows its secret.
    #[serde(default)]
    pub authentication: SecretIn,
}

/// How a client shows its secret (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretIn {
    /// As user name and password of HTTP Basic.
    #[default]
    Basic,
    /// Among the form fields.
    Body,
}

/// Where the members of a group stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembersFrom {
    /// In the group, and where it shows none, in the users' `groups`.
    #[default]
    Auto,
    /// In the group alone.
    Groups,
    /// In the users' `groups` alone.
    Users,
}

const fn default_page_size() -> usize {
    100
}

const fn default_max_answer() -> usize {
    16
}

const fn default_true() -> bool {
    true
}

impl fmt::Debug for OAuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthConfig")
            .field("token_url", &self.token_url)
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl PullConfig {
    /// Where the endpoints are.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for text that is no URL of a folder.
    pub(crate) fn base(&self) -> Result<Url, AdapterError> {
        let url = parsed("pull.base_url", &self.base_url)?;
        if url.cannot_be_a_base() || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid(
                "pull.base_url is the URL that /Users and /Groups are under, without a query",
            ));
        }
        Ok(url)
    }

    /// How to authenticate.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] unless exactly one way is given.
    pub(crate) fn credentials(&self) -> Result<Credentials, AdapterError> {
        match (&self.bearer_token, &self.oauth) {
            (Some(token), None) => Ok(Credentials::Bearer(token.clone())),
            (None, Some(oauth)) => {
                let secret = oauth.client_secret.clone();
                Ok(Credentials::OAuth(ClientCredentials {
                    token_url: parsed("pull.oauth.token_url", &oauth.token_url)?,
                    client_id: oauth.client_id.clone(),
                    scopes: oauth.scopes.clone(),
                    authentication: match oauth.authentication {
                        SecretIn::Basic => ClientAuthentication::SecretBasic(secret),
                        SecretIn::Body => ClientAuthentication::SecretInBody(secret),
                    },
                    dpop: Dpop::WhenAsked,
                }))
            }
            _ => Err(invalid("give one of pull.bearer_token and pull.oauth")),
        }
    }

    /// Whether a read may report only what changed: a group whose members stand in its users does not change with them.
    pub(crate) fn tells_changes(&self) -> bool {
        self.detect_changes && self.members != MembersFrom::Users
    }

    /// Checks what has a range.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`], naming the setting.
    pub(crate) fn check(&self) -> Result<(), AdapterError> {
        if !PAGE_SIZES.contains(&self.page_size) {
            return Err(invalid("pull.page_size is 1 to 1000"));
        }
        if !(1..=1024).contains(&self.max_answer_mib) {
            return Err(invalid("pull.max_answer_mib is 1 to 1024"));
        }
        Ok(())
    }
}

fn parsed(setting: &str, text: &str) -> Result<Url, AdapterError> {
    Url::parse(text).map_err(|error| invalid(format!("{setting} is no URL: {error}")))
}

fn invalid(message: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorKind::InvalidConfig, RetryAdvice::Never, "settings", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        let config: PullConfig = serde_json::from_str(json).unwrap();
        let results = [
            config.check(),
            config.base().map(drop),
            config.credentials().map(drop),
        ];
        let error = results.into_iter().find_map(Result::err).expect("a refusal");
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        error.to_string()
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        for (json, named) in [
            (r#"{"base_url": "idp", "bearer_token": "t"}"#, "pull.base_url"),
            (
                r#"{"base_url": "https://idp.example/?x=1", "bearer_token": "t"}"#,
                "without a query",
            ),
            (
                r#"{"base_url": "https://idp.example/"}"#,
                "one of pull.bearer_token",
            ),
            (
                r#"{"base_url": "https://idp.example/", "bearer_token": "t", "page_size": 0}"#,
                "pull.page_size",
            ),
            (
                r#"{"base_url": "https://idp.example/", "oauth": {"token_url": "x", "client_id": "c", "client_secret": "s"}}"#,
                "pull.oauth.token_url",
            ),
        ] {
            let message = refused(json);
            assert!(message.contains(named), "{json}: {message}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let config: PullConfig = serde_json::from_str(
            r#"{"base_url": "https://idp.example/", "bearer_token": "s3cret",
                "oauth": {"token_url": "https://idp.example/t", "client_id": "c", "client_secret": "s3cret"}}"#,
        )
        .unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
