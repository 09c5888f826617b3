//! The settings of a source of this kind.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;
use usher_core::{
    AdapterError, ErrorKind, GroupIdentity, GuestMark, HeaderSpelling, PushProfile, Reactivation, RetryAdvice,
};
use usher_outbound::{
    ClientAuthentication, ClientCredentials, Credentials, Dpop, PrivateKeyJwt, SigningAlgorithm,
};

use crate::status::{ACTIVE_BY_DEFAULT, StatusPolicy};

/// How long an assertion is good for; Okta takes at most an hour.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(300);

/// The largest page that Okta recommends for groups and users.
const MOST_ON_A_PAGE: u32 = 200;

/// The settings of a source of this kind; the README explains each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OktaConfig {
    /// The org's URL, such as `https://contoso.okta.com`; without it the source is pushed to only.
    pub org_url: Option<Url>,
    /// An API token (SSWS).
    pub api_token: Option<SecretString>,
    /// The client id of an "API Services" application, instead of an API token.
    pub client_id: Option<String>,
    /// Its private key in PEM.
    pub private_key: Option<SecretString>,
    /// The id that Okta shows for the key.
    pub key_id: Option<String>,
    /// The algorithm that the key signs with.
    pub algorithm: Algorithm,
    /// Whether access tokens are bound to a key of the running process.
    pub dpop: DpopUse,
    /// The id of the application whose assigned groups are read.
    pub application_id: Option<String>,
    /// Statuses of a user that count as an account that may be used.
    pub active_statuses: Vec<String>,
    /// How many groups or users are asked for at once.
    pub page_limit: u32,
    /// Whether the number of members that Okta tells has to equal the number of members read.
    pub check_counts: bool,
    /// Whether the System Log is asked which groups and people to read again.
    pub system_log: bool,
    /// What Okta sends in `Authorization` when it calls the event hook.
    pub event_hook_secret: Option<SecretString>,
    /// Texts in a name or address that mark a guest, in any case.
    pub guest_address_contains: Vec<String>,
    /// Values of `userType` that mark a guest, in any case.
    pub guest_user_types: Vec<String>,
}

/// The algorithm of a private key. Okta takes no RSASSA-PSS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Algorithm {
    /// RSA with SHA-256.
    #[default]
    RS256,
    /// RSA with SHA-384.
    RS384,
    /// RSA with SHA-512.
    RS512,
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// ECDSA on P-521.
    ES512,
}

/// Whether access tokens are bound to a key (RFC 9449).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DpopUse {
    /// As soon as Okta asks for it.
    #[default]
    WhenAsked,
    /// From the first request.
    Always,
    /// Never; the application has to be set up so.
    Never,
}

impl Default for OktaConfig {
    fn default() -> Self {
        Self {
            org_url: None,
            api_token: None,
            client_id: None,
            private_key: None,
            key_id: None,
            algorithm: Algorithm::default(),
            dpop: DpopUse::default(),
            application_id: None,
            active_statuses: ACTIVE_BY_DEFAULT.map(String::from).to_vec(),
            page_limit: MOST_ON_A_PAGE,
            check_counts: true,
            system_log: false,
            event_hook_secret: None,
            guest_address_contains: Vec::new(),
            guest_user_types: Vec::new(),
        }
    }
}

/// What is needed to pull.
#[derive(Debug, Clone)]
pub(crate) struct PullSettings {
    pub(crate) org_url: Url,
    pub(crate) login: Login,
    pub(crate) application_id: Option<String>,
    pub(crate) statuses: StatusPolicy,
    pub(crate) guests: GuestMarks,
    pub(crate) page_limit: u32,
    pub(crate) check_counts: bool,
    pub(crate) system_log: bool,
}

/// How Usher authenticates at Okta.
#[derive(Clone)]
pub(crate) enum Login {
    ApiToken(SecretString),
    ServiceApp {
        client_id: String,
        key: PrivateKeyJwt,
        dpop: Dpop,
    },
}

/// What marks a guest.
#[derive(Debug, Clone, Default)]
pub(crate) struct GuestMarks {
    addresses: Vec<String>,
    types: Vec<String>,
}

impl GuestMarks {
    /// Whether a user with these names and this `userType` is a guest.
    pub(crate) fn mark(&self, names: &[&str], user_type: Option<&str>) -> bool {
        let marked = |name: &&str| {
            let name = name.to_lowercase();
            self.addresses.iter().any(|text| name.contains(text))
        };
        let kind = user_type.map(str::to_lowercase).unwrap_or_default();
        names.iter().any(marked) || self.types.contains(&kind)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiToken(_) => f.write_str("ApiToken"),
            Self::ServiceApp { client_id, dpop, .. } => f
                .debug_struct("ServiceApp")
                .field("client_id", client_id)
                .field("dpop", dpop)
                .finish_non_exhaustive(),
        }
    }
}

impl Login {
    /// Credentials for calls that need these scopes. An API token has what its administrator's role has.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] when the org's URL has no token endpoint.
    pub(crate) fn credentials(&self, org_url: &Url, scopes: &[&str]) -> Result<Credentials, AdapterError> {
        match self {
            Self::ApiToken(token) => Ok(Credentials::Scheme {
                scheme: "SSWS",
                token: token.clone(),
            }),
            Self::ServiceApp { client_id, key, dpop } => {
                let token_url = org_url
                    .join("/oauth2/v1/token")
                    .map_err(|error| invalid(format!("org_url cannot be used: {error}")))?;
                Ok(Credentials::OAuth(ClientCredentials {
                    token_url,
                    client_id: client_id.clone(),
                    scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
                    authentication: ClientAuthentication::PrivateKeyJwt(key.clone()),
                    dpop: *dpop,
                }))
            }
        }
    }
}

impl OktaConfig {
    /// What is needed to pull; `None` when nothing of it is set.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] naming the setting that is missing or cannot work.
    pub(crate) fn pull(&self) -> Result<Option<PullSettings>, AdapterError> {
        let statuses = StatusPolicy::new(&self.active_statuses).map_err(invalid)?;
        let Some(org_url) = &self.org_url else {
            let only_for_pull = [
                (self.api_token.is_some(), "api_token"),
                (self.client_id.is_some(), "client_id"),
                (self.private_key.is_some(), "private_key"),
                (self.application_id.is_some(), "application_id"),
                (self.system_log, "system_log"),
                (self.event_hook_secret.is_some(), "event_hook_secret"),
            ];
            return match only_for_pull.iter().find(|(set, _)| *set) {
                Some((_, name)) => Err(invalid(format!(
                    "{name} is set and org_url is not; add org_url, or remove {name} if Okta only pushes"
                ))),
                None => Ok(None),
            };
        };
        if !(1..=MOST_ON_A_PAGE).contains(&self.page_limit) {
            return Err(invalid(format!(
                "page_limit is {}; choose 1 to {MOST_ON_A_PAGE}",
                self.page_limit
            )));
        }
        if self.application_id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(invalid(
                "application_id is not an id; copy it from the address of the application's page, it begins with 0oa",
            ));
        }
        if self
            .event_hook_secret
            .as_ref()
            .is_some_and(|secret| secret.expose_secret().len() < 16)
        {
            return Err(invalid(
                "event_hook_secret is shorter than 16 characters; take a random one",
            ));
        }
        Ok(Some(PullSettings {
            org_url: checked_org(org_url)?,
            login: self.login()?,
            application_id: self.application_id.clone(),
            statuses,
            guests: self.guests(),
            page_limit: self.page_limit,
            check_counts: self.check_counts,
            system_log: self.system_log,
        }))
    }

    fn login(&self) -> Result<Login, AdapterError> {
        match (&self.api_token, &self.client_id, &self.private_key) {
            (Some(token), None, None) if !token.expose_secret().is_empty() => {
                Ok(Login::ApiToken(token.clone()))
            }
            (Some(_), None, None) => Err(invalid("api_token is empty")),
            (Some(_), ..) => Err(invalid(
                "api_token and client_id or private_key are set; keep the ones of the way that is used",
            )),
            (None, Some(client_id), Some(key)) => Ok(Login::ServiceApp {
                client_id: client_id.clone(),
                key: PrivateKeyJwt {
                    algorithm: self.algorithm.into(),
                    key_pem: key.clone(),
                    key_id: self.key_id.clone(),
                    certificate_pem: None,
                    lifetime: ASSERTION_LIFETIME,
                    audience: None,
                },
                dpop: self.dpop.into(),
            }),
            (None, Some(_), None) => Err(invalid(
                "client_id is set and private_key is not; add its private key",
            )),
            (None, None, Some(_)) => Err(invalid(
                "private_key is set and client_id is not; add the client id",
            )),
            (None, None, None) => Err(invalid(
                "org_url is set and no credential; add api_token, or client_id and private_key",
            )),
        }
    }

    fn guests(&self) -> GuestMarks {
        let lower = |texts: &[String]| texts.iter().map(|text| text.to_lowercase()).collect();
        GuestMarks {
            addresses: lower(&self.guest_address_contains),
            types: lower(&self.guest_user_types),
        }
    }
}

impl From<&OktaConfig> for PushProfile {
    /// How Okta behaves as a SCIM client: it does not send the removals of a user who is inactive, and sends
    /// `externalId` (its user id) for users and none for groups.
    fn from(config: &OktaConfig) -> Self {
        let addresses = config.guest_address_contains.iter().cloned();
        let types = config.guest_user_types.iter().cloned();
        Self {
            reactivation: Reactivation::Dormant,
            header: HeaderSpelling::RawOrBearer,
            tombstone_renames: false,
            guest_marks: addresses
                .map(GuestMark::AddressContains)
                .chain(types.map(GuestMark::UserType))
                .collect(),
            trusts_external_id: true,
            group_identity: GroupIdentity::DisplayName,
            honours_if_match: true,
            ..Self::default()
        }
    }
}

impl From<Algorithm> for SigningAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::RS256 => Self::Rs256,
            Algorithm::RS384 => Self::Rs384,
            Algorithm::RS512 => Self::Rs512,
            Algorithm::ES256 => Self::Es256,
            Algorithm::ES384 => Self::Es384,
            Algorithm::ES512 => Self::Es512,
        }
    }
}

impl From<DpopUse> for Dpop {
    fn from(dpop: DpopUse) -> Self {
        match dpop {
            DpopUse::WhenAsked => Self::WhenAsked,
            DpopUse::Always => Self::Always,
            DpopUse::Never => Self::Never,
        }
    }
}

/// The org's URL without a path. A path, even a slash too many, would make the addresses in DPoP proofs differ from what
/// Okta expects (okta/okta-sdk-nodejs#453).
fn checked_org(url: &Url) -> Result<Url, AdapterError> {
    let host = url.host_str().unwrap_or_default();
    let first = host.split('.').next().unwrap_or_default();
    if first.ends_with("-admin") && host.contains(".okta") {
        return Err(invalid(
            "org_url is the address of the admin console; leave out -admin",
        ));
    }
    if !url.path().trim_matches('/').is_empty() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(
            "org_url has more than scheme and host; write it as https://contoso.okta.com",
        ));
    }
    let mut url = url.clone();
    url.set_path("/");
    Ok(url)
}

/// Okta's ids are letters and digits.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn invalid(message: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorKind::InvalidConfig, RetryAdvice::Never, "settings", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &str) -> Result<Option<PullSettings>, String> {
        let config: OktaConfig = serde_json::from_str(settings).map_err(|error| error.to_string())?;
        config.pull().map_err(|error| error.to_string())
    }

    #[test]
    fn the_profile_is_that_of_okta() {
        let profile = PushProfile::from(&OktaConfig::default());
        assert_eq!(profile.reactivation, Reactivation::Dormant);
        assert_eq!(profile.header, HeaderSpelling::RawOrBearer);
        assert_eq!(profile.group_identity, GroupIdentity::DisplayName);
        assert!(profile.trusts_external_id && profile.honours_if_match && !profile.tombstone_renames);
        assert!(profile.guest_marks.is_empty());
    }

    #[test]
    fn half_of_a_credential_is_named() {
        for (settings, expected) in [
            (r#"{"api_token": "t"}"#, "org_url is not"),
            (r#"{"org_url": "https://x.okta.com"}"#, "no credential"),
            (
                r#"{"org_url": "https://x.okta.com", "client_id": "c"}"#,
                "private_key is not",
            ),
            (
                r#"{"org_url": "https://x.okta.com", "private_key": "k"}"#,
                "client_id is not",
            ),
            (
                r#"{"org_url": "https://x.okta.com", "api_token": "t", "client_id": "c"}"#,
                "keep the ones",
            ),
            (r#"{"org_url": "https://x.okta.com", "api_token": ""}"#, "empty"),
            (
                r#"{"org_url": "https://x-admin.okta.com", "api_token": "t"}"#,
                "-admin",
            ),
            (
                r#"{"org_url": "https://x.okta.com/api/v1", "api_token": "t"}"#,
                "scheme and host",
            ),
            (
                r#"{"org_url": "https://x.okta.com", "api_token": "t", "page_limit": 500}"#,
                "1 to 200",
            ),
            (
                r#"{"org_url": "https://x.okta.com", "api_token": "t", "application_id": "a/b"}"#,
                "0oa",
            ),
            (
                r#"{"org_url": "https://x.okta.com", "api_token": "t", "event_hook_secret": "s"}"#,
                "16",
            ),
            (
                r#"{"org_url": "https://x.okta.com", "api_token": "t", "active_statuses": ["ON"]}"#,
                "'ON'",
            ),
        ] {
            let error = read(settings).expect_err(settings);
            assert!(error.contains(expected), "{settings}: {error}");
        }
    }

    #[test]
    fn the_address_of_the_org_has_no_path() {
        for text in [
            "https://x.okta.com",
            "https://x.okta.com/",
            "https://x.okta.com//",
        ] {
            let pull = read(&format!(r#"{{"org_url": "{text}", "api_token": "t"}}"#))
                .unwrap()
                .unwrap();
            assert_eq!(pull.org_url.as_str(), "https://x.okta.com/");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let config: OktaConfig = serde_json::from_str(
            r#"{"org_url": "https://x.okta.com", "client_id": "c", "private_key": "s3cret", "event_hook_secret": "s3cret-and-more-of-it"}"#,
        )
        .unwrap();
        let pull = config.pull().unwrap();
        assert!(!format!("{config:?} {pull:?}").contains("s3cret"));
    }

    #[test]
    fn guests_are_told_by_address_and_type_in_any_case() {
        let config = OktaConfig {
            guest_address_contains: vec!["@Partner.".into()],
            guest_user_types: vec!["Contractor".into()],
            ..OktaConfig::default()
        };
        let marks = config.guests();
        assert!(marks.mark(&["ann@partner.example"], None));
        assert!(marks.mark(&["ann@contoso.example"], Some("CONTRACTOR")));
        assert!(!marks.mark(&["ann@contoso.example"], Some("Employee")));
        assert!(!marks.mark(&["ann@contoso.example"], None));
    }
}
