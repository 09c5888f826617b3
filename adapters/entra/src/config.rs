//! The settings of a source of this kind.

use std::path::PathBuf;
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

/// How long an assertion is good for; Microsoft asks for 5 to 10 minutes.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(300);

/// The most members on one page that Graph gives.
const LARGEST_PAGE: u16 = 999;

/// Which of Microsoft's clouds a tenant is in (<https://learn.microsoft.com/graph/deployments>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// The global service, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGovL4,
    /// US Government L5 (DoD).
    UsGovL5,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// The roots of the login host and of Graph.
    const fn roots(self) -> (&'static str, &'static str) {
        match self {
            Self::Global => ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
            Self::UsGovL4 => ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
            Self::UsGovL5 => (
                "https://login.microsoftonline.us",
                "https://dod-graph.microsoft.us",
            ),
            Self::China => (
                "https://login.chinacloudapi.cn",
                "https://microsoftgraph.chinacloudapi.cn",
            ),
        }
    }
}

/// The settings of a source of this kind; the README explains each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntraConfig {
    /// Memberships of a user inactive for longer go dormant.
    pub dormant_after_days: u32,
    /// Whether a user's `externalId` is believed to be immutable where it is a GUID.
    pub trusts_external_id: bool,
    /// Values of `userType` that mark a guest, in any case.
    pub guest_user_types: Vec<String>,
    /// The tenant's id or one of its domains.
    pub tenant_id: Option<String>,
    /// The id of the application that reads.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<SecretString>,
    /// Its certificate together with the private key, in PEM.
    pub client_certificate: Option<SecretString>,
    /// A file with a token of another issuer that a federated credential of the application accepts.
    pub federated_token_file: Option<PathBuf>,
    /// The cloud of the tenant.
    pub cloud: Cloud,
    /// The root of the login host, in place of the cloud's.
    pub login_url: Option<String>,
    /// The root of Graph without the version, in place of the cloud's.
    pub graph_url: Option<String>,
    /// The application id of the enterprise application to which groups are assigned.
    pub application_id: Option<String>,
    /// The most members asked for on one page.
    pub page_size: u16,
}

impl Default for EntraConfig {
    fn default() -> Self {
        Self {
            dormant_after_days: 90,
            trusts_external_id: true,
            guest_user_types: vec!["Guest".into()],
            tenant_id: None,
            client_id: None,
            client_secret: None,
            client_certificate: None,
            federated_token_file: None,
            cloud: Cloud::Global,
            login_url: None,
            graph_url: None,
            application_id: None,
            page_size: LARGEST_PAGE,
        }
    }
}

impl From<&EntraConfig> for PushProfile {
    fn from(config: &EntraConfig) -> Self {
        let types = config.guest_user_types.iter().cloned().map(GuestMark::UserType);
        let marks = [GuestMark::AddressContains("#EXT#".into())];
        Self {
            reactivation: Reactivation::Restore,
            dormant_after: Duration::from_secs(u64::from(config.dormant_after_days) * 86_400),
            header: HeaderSpelling::Bearer,
            tombstone_renames: true,
            guest_marks: marks.into_iter().chain(types).collect(),
            trusts_external_id: config.trusts_external_id,
            only_guids: true,
            group_identity: GroupIdentity::ExternalId,
            ..Self::default()
        }
    }
}

/// What reading needs.
#[derive(Debug, Clone)]
pub(crate) struct PullConfig {
    /// The tenant as configured.
    pub(crate) tenant: String,
    /// The root of Graph, version included.
    pub(crate) root: Url,
    pub(crate) credentials: Credentials,
    pub(crate) application: Option<String>,
    pub(crate) page_size: u16,
}

impl EntraConfig {
    /// What reading needs, where any of it is configured.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for settings that cannot work together.
    pub(crate) fn pull(&self) -> Result<Option<PullConfig>, AdapterError> {
        let credentials = [
            self.client_secret.is_some(),
            self.client_certificate.is_some(),
            self.federated_token_file.is_some(),
        ];
        let given = credentials.into_iter().filter(|given| *given).count();
        if given == 0 && self.tenant_id.is_none() && self.client_id.is_none() {
            return Ok(None);
        }
        let (Some(tenant), Some(client_id)) = (&self.tenant_id, &self.client_id) else {
            return Err(invalid(
                "tenant_id and client_id are needed to read Microsoft Graph",
            ));
        };
        if !is_host_like(tenant) {
            return Err(invalid(
                "tenant_id is neither a GUID nor a domain of the tenant, such as contoso.onmicrosoft.com",
            ));
        }
        if given != 1 {
            return Err(invalid(
                "give exactly one of client_secret, client_certificate and federated_token_file",
            ));
        }
        if !(1..=LARGEST_PAGE).contains(&self.page_size) {
            return Err(invalid("page_size is from 1 to 999"));
        }
        if self
            .application_id
            .as_ref()
            .is_some_and(|id| uuid::Uuid::try_parse(id).is_err())
        {
            return Err(invalid(
                "application_id is the enterprise application's application id, a GUID",
            ));
        }
        let (login, graph) = self.cloud.roots();
        let login = root("login_url", self.login_url.as_deref().unwrap_or(login))?;
        let graph = root("graph_url", self.graph_url.as_deref().unwrap_or(graph))?;
        let token_url = joined(&login, &[tenant, "oauth2", "v2.0", "token"]);
        let scope = format!("{}/.default", graph.origin().ascii_serialization());
        Ok(Some(PullConfig {
            tenant: tenant.clone(),
            root: joined(&graph, &["v1.0"]),
            credentials: Credentials::OAuth(ClientCredentials {
                token_url,
                client_id: client_id.clone(),
                scopes: vec![scope],
                authentication: self.authentication()?,
                dpop: Dpop::Never,
            }),
            application: self.application_id.clone(),
            page_size: self.page_size,
        }))
    }

    fn authentication(&self) -> Result<ClientAuthentication, AdapterError> {
        if let Some(secret) = &self.client_secret {
            return Ok(ClientAuthentication::SecretInBody(secret.clone()));
        }
        if let Some(file) = &self.federated_token_file {
            return Ok(ClientAuthentication::FederatedTokenFile(file.clone()));
        }
        let pem = self.client_certificate.clone().unwrap_or_default();
        let certificate = certificate(pem.expose_secret()).ok_or_else(|| {
            invalid(
                "client_certificate holds no certificate: put certificate and private key into one PEM text",
            )
        })?;
        Ok(ClientAuthentication::PrivateKeyJwt(PrivateKeyJwt {
            algorithm: SigningAlgorithm::Ps256,
            key_pem: pem,
            key_id: None,
            certificate_pem: Some(certificate),
            lifetime: ASSERTION_LIFETIME,
            audience: None,
        }))
    }
}

/// The first certificate of a PEM text.
fn certificate(pem: &str) -> Option<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let start = pem.find(BEGIN)?;
    let end = pem[start..].find(END)? + start + END.len();
    Some(format!("{}\n", &pem[start..end]))
}

/// Whether a text can stand in a path as one part of it: a GUID or a domain.
fn is_host_like(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    !text.is_empty() && text.len() <= 253 && text.chars().all(fits) && !text.starts_with('.')
}

fn root(setting: &'static str, text: &str) -> Result<Url, AdapterError> {
    let url = Url::parse(text).ok().filter(|url| !url.cannot_be_a_base());
    url.ok_or_else(|| invalid("the URL cannot be read").with("setting", setting))
}

/// A URL with more parts at the end of its path.
pub(crate) fn joined(url: &Url, parts: &[&str]) -> Url {
    let mut url = url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

fn invalid(message: &str) -> AdapterError {
    AdapterError::new(ErrorKind::InvalidConfig, RetryAdvice::Never, "settings", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> EntraConfig {
        serde_json::from_str(json).expect("known settings")
    }

    #[test]
    fn without_settings_it_pushes_as_entra_does() {
        let config = EntraConfig::default();
        assert!(config.pull().expect("nothing to refuse").is_none());
        let profile = PushProfile::from(&config);
        assert_eq!(profile.reactivation, Reactivation::Restore);
        assert_eq!(profile.dormant_after, Duration::from_secs(90 * 86_400));
        assert_eq!(profile.group_identity, GroupIdentity::ExternalId);
        assert!(profile.tombstone_renames && profile.trusts_external_id && profile.only_guids);
        assert!(profile.guest_marks.contains(&GuestMark::UserType("Guest".into())));
    }

    #[test]
    fn each_cloud_has_its_hosts_and_its_scope() {
        for (cloud, login, graph) in [
            (
                "global",
                "login.microsoftonline.com",
                "https://graph.microsoft.com",
            ),
            (
                "us_gov_l4",
                "login.microsoftonline.us",
                "https://graph.microsoft.us",
            ),
            (
                "us_gov_l5",
                "login.microsoftonline.us",
                "https://dod-graph.microsoft.us",
            ),
            (
                "china",
                "login.chinacloudapi.cn",
                "https://microsoftgraph.chinacloudapi.cn",
            ),
        ] {
            let config = config(&format!(
                r#"{{"cloud": "{cloud}", "tenant_id": "t", "client_id": "c", "client_secret": "s"}}"#
            ));
            let pull = config.pull().expect("complete").expect("configured");
            assert_eq!(pull.root.as_str(), format!("{graph}/v1.0"));
            let Credentials::OAuth(credentials) = pull.credentials else {
                panic!("tokens are fetched");
            };
            let token_url = format!("https://{login}/t/oauth2/v2.0/token");
            assert_eq!(credentials.token_url.as_str(), token_url);
            assert_eq!(credentials.scopes, [format!("{graph}/.default")]);
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for json in [
            r#"{"tenant_id": "t"}"#,
            r#"{"client_secret": "s"}"#,
            r#"{"tenant_id": "t", "client_id": "c"}"#,
            r#"{"tenant_id": "t", "client_id": "c", "client_secret": "s", "federated_token_file": "/f"}"#,
            r#"{"tenant_id": "t/../u", "client_id": "c", "client_secret": "s"}"#,
            r#"{"tenant_id": "..", "client_id": "c", "client_secret": "s"}"#,
            r#"{"tenant_id": "t", "client_id": "c", "client_certificate": "no pem"}"#,
            r#"{"tenant_id": "t", "client_id": "c", "client_secret": "s", "page_size": 1000}"#,
            r#"{"tenant_id": "t", "client_id": "c", "client_secret": "s", "application_id": "Board"}"#,
            r#"{"tenant_id": "t", "client_id": "c", "client_secret": "s", "graph_url": "no url"}"#,
        ] {
            let error = config(json).pull().expect_err(json);
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{json}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = config(r#"{"client_secret": "s3cret", "client_certificate": "k3y"}"#);
        let shown = format!("{config:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("k3y"), "{shown}");
    }
}
