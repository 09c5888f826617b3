//! The settings of a source of this kind.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;
use usher_core::{AdapterError, ErrorKind, RetryAdvice};
use usher_outbound::{Client, Credentials, Patience};

/// The settings of a source of this kind. Without them Acme pushes and is not read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeConfig {
    /// Where the API is.
    pub base_url: Option<String>,
    /// The API's token.
    pub token: Option<SecretString>,
}

impl AcmeConfig {
    /// The connection that these settings describe, and where it begins; `None` without settings.
    pub(crate) fn connection(
        &self,
        patience: Patience,
        timeout: Duration,
    ) -> Result<Option<(Client, Url)>, AdapterError> {
        let (base_url, token) = match (&self.base_url, &self.token) {
            (None, None) => return Ok(None),
            (Some(base_url), Some(token)) => (base_url, token),
            (None, Some(_)) => return Err(invalid("base_url is missing: say where the API is")),
            (Some(_), None) => return Err(invalid("token is missing: make one under Acme > API access")),
        };
        let mut url =
            Url::parse(base_url).map_err(|error| invalid(&format!("base_url is no URL: {error}")))?;
        url.path_segments_mut()
            .map_err(|()| invalid("base_url is no URL that paths can follow"))?
            .pop_if_empty();
        let client = Client::builder(vec![url.clone()])
            .credentials(Credentials::Bearer(token.clone()))
            .patience(patience)
            .timeout(timeout)
            .build()?;
        Ok(Some((client, url)))
    }
}

fn invalid(message: &str) -> AdapterError {
    AdapterError::new(ErrorKind::InvalidConfig, RetryAdvice::Never, "settings", message)
}
