//! `[webhooks]`: how events are delivered to endpoints.

use std::fmt;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use usher_webhook::{Network, SealingKey};

use super::{ConfigError, Period};

/// How events are delivered to endpoints. The endpoints themselves are in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// The key that signing secrets are sealed with in the database: 32 random bytes in base64, in a file or an environment
    /// variable. Without it there are no webhooks.
    pub key: Option<Hidden>,
    /// The key before, while secrets are still sealed with it.
    pub previous_key: Option<Hidden>,
    /// Networks inside the company that endpoints may be in, such as `10.0.0.0/8`.
    pub allow_networks: Vec<String>,
    /// Whether URLs without TLS are taken; for tests.
    pub allow_http: bool,
    /// Certificates in PEM of authorities to trust beside those of the operating system.
    pub extra_ca: Option<String>,
    /// How long one delivery may take.
    pub timeout: Period,
    /// How many deliveries to one endpoint run side by side; those of one room always go one after the other.
    pub in_flight: usize,
    /// How long after a failure a delivery is first tried again; each wait is three times the one before.
    pub retry_first: Period,
    /// The longest wait.
    pub retry_most: Period,
    /// After so long without success a delivery is given up, and an endpoint that took nothing at all is disabled.
    pub retry_for: Period,
    /// How long the old secret still signs beside a new one.
    pub secret_overlap: Period,
}

/// Text that is shown nowhere.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub struct Hidden(SecretString);

impl Webhooks {
    /// The keys that secrets are sealed with, the present one first.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub(crate) fn keys(&self) -> Result<Vec<SealingKey>, ConfigError> {
        if self.key.is_none() && self.previous_key.is_some() {
            let problem = "is set without webhooks.key; new secrets need a present key";
            return Err(ConfigError::invalid("webhooks.previous_key", problem));
        }
        [
            ("webhooks.key", &self.key),
            ("webhooks.previous_key", &self.previous_key),
        ]
        .into_iter()
        .filter_map(|(name, key)| Some((name, key.as_ref()?)))
        .map(|(name, key)| {
            SealingKey::parse(&key.0).map_err(|error| ConfigError::invalid(name, error.to_string()))
        })
        .collect()
    }

    /// The networks that endpoints may be in.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub(crate) fn networks(&self) -> Result<Vec<Network>, ConfigError> {
        self.allow_networks
            .iter()
            .map(|text| {
                text.parse().map_err(|error: usher_webhook::NetworkError| {
                    ConfigError::invalid("webhooks.allow_networks", error.to_string())
                })
            })
            .collect()
    }

    /// Checks what can be checked without opening or calling anything.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.keys()?;
        self.networks()?;
        let second = Period::seconds(1);
        for (key, value, least) in [
            ("webhooks.timeout", self.timeout, second),
            ("webhooks.retry_first", self.retry_first, second),
            ("webhooks.retry_most", self.retry_most, self.retry_first),
            ("webhooks.retry_for", self.retry_for, self.retry_most),
        ] {
            if value < least {
                return Err(ConfigError::invalid(
                    key,
                    format!("{value} is too short; at least {least} is needed"),
                ));
            }
        }
        if self.in_flight == 0 {
            return Err(ConfigError::invalid("webhooks.in_flight", "has to be at least 1"));
        }
        Ok(())
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            key: None,
            previous_key: None,
            allow_networks: Vec::new(),
            allow_http: false,
            extra_ca: None,
            timeout: Period::seconds(15),
            in_flight: 8,
            retry_first: Period::seconds(5),
            retry_most: Period::seconds(12 * 3600),
            retry_for: Period::seconds(5 * 24 * 3600),
            secret_overlap: Period::seconds(24 * 3600),
        }
    }
}

impl Hidden {
    /// The text, for whoever needs it.
    pub(crate) const fn secret(&self) -> &SecretString {
        &self.0
    }
}

impl PartialEq for Hidden {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for Hidden {}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl Serialize for Hidden {
    /// Not the text: what is written here is shown to people.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let webhooks: Webhooks = toml::from_str(text).expect(text);
        webhooks.check().expect_err(text).to_string()
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (text, key) in [
            ("key = \"short\"", "webhooks.key"),
            ("previous_key = \"AAAA\"", "webhooks.previous_key"),
            ("allow_networks = [\"10.0.0.0/40\"]", "webhooks.allow_networks"),
            ("retry_first = \"1h\"\nretry_most = \"1m\"", "webhooks.retry_most"),
            ("retry_for = \"1h\"", "webhooks.retry_for"),
            ("in_flight = 0", "webhooks.in_flight"),
        ] {
            let error = refused(text);
            assert!(error.starts_with(&format!("{key}: ")), "{text}\n{error}");
        }
        assert!(Webhooks::default().check().is_ok());
    }

    #[test]
    fn a_key_is_shown_nowhere() {
        let text = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let webhooks: Webhooks = toml::from_str(&format!("key = \"{text}\"")).unwrap();
        assert_eq!(webhooks.keys().unwrap().len(), 1);
        assert!(!format!("{webhooks:?}").contains("AQEB"));
        assert!(!toml::to_string(&webhooks).unwrap().contains("AQEB"));
    }
}
