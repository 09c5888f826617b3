//! `[notifications]`: what is told by e-mail, to whom, and how it is sent.

use std::collections::BTreeMap;
use std::net::IpAddr;

use lettre::Address;
use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use usher_mail::{Audience, Language, Notice};

use super::{ConfigError, Hidden, Period};

/// What is told by e-mail, to whom, and how it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notifications {
    /// Who the e-mails are from, such as `Usher <usher@contoso.com>`.
    pub from: Option<String>,
    /// The language of those for whom `languages` says nothing: `en` or `de`.
    #[schemars(with = "LanguageWord")]
    pub language: Language,
    /// A folder with templates in the place of the shipped ones.
    pub templates: Option<String>,
    /// The addresses of the customer's IT.
    pub it: Vec<String>,
    /// The addresses of the vendor's support.
    pub support: Vec<String>,
    /// The addresses of those who run Usher.
    pub admin: Vec<String>,
    /// Notices that are not sent, such as `first_arrivals`.
    pub without: Vec<String>,
    /// How long one attempt to send may take.
    pub timeout: Period,
    /// How long after a failure an e-mail is first tried again; each wait is three times the one before.
    pub retry_first: Period,
    /// The longest wait.
    pub retry_most: Period,
    /// After so long without success an e-mail is given up. What happened longer ago is not told any more.
    pub retry_for: Period,
    /// The language of single addresses, and of `requester`, `it`, `support` and `admin`.
    #[schemars(with = "BTreeMap<String, LanguageWord>")]
    pub languages: BTreeMap<String, Language>,
    /// The mail server. Without it nothing is sent.
    pub smtp: Option<Smtp>,
}

/// The mail server that takes e-mails for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Its name, which its certificate has to have.
    pub host: String,
    /// Its port; by `tls` 587, 465 or 25 when left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: Protection,
    /// The name to sign in with; nobody signs in when left out.
    #[serde(default)]
    pub user: Option<String>,
    /// The password of that name.
    #[serde(default)]
    pub password: Option<Hidden>,
    /// Certificates in PEM of authorities to trust beside those of the operating system.
    #[serde(default)]
    pub extra_ca: Option<String>,
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// TLS after a greeting in clear (STARTTLS); without TLS nothing is sent.
    #[default]
    Starttls,
    /// TLS from the beginning.
    Tls,
    /// None; only for a mail server on the same machine.
    None,
}

/// The codes of languages.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(
    dead_code,
    reason = "only its schema is used; the type that is read lives in usher-mail"
)]
enum LanguageWord {
    En,
    De,
}

impl Notifications {
    /// The addresses of a role.
    pub(crate) fn addresses(&self, audience: Audience) -> &[String] {
        match audience {
            Audience::Requester => &[],
            Audience::It => &self.it,
            Audience::Support => &self.support,
            Audience::Admin => &self.admin,
        }
    }

    /// Checks what can be checked without opening or calling anything.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let invalid =
            |key: &str, problem: String| Err(ConfigError::invalid(format!("notifications.{key}"), problem));
        for audience in Audience::ALL {
            for address in self.addresses(*audience) {
                if let Err(error) = address.parse::<Address>() {
                    return invalid(
                        audience.as_str(),
                        format!("'{address}' is not an e-mail address: {error}"),
                    );
                }
            }
        }
        for key in self.languages.keys() {
            let is_role = Audience::ALL.iter().any(|audience| audience.as_str() == key);
            if !is_role && key.parse::<Address>().is_err() {
                return invalid(
                    "languages",
                    format!("'{key}' is neither an e-mail address nor one of requester, it, support, admin"),
                );
            }
        }
        for word in &self.without {
            if Notice::named(word).is_none() {
                let known: Vec<_> = Notice::ALL.iter().map(|notice| notice.as_str()).collect();
                return invalid(
                    "without",
                    format!("'{word}' is no notice; they are {}", known.join(", ")),
                );
            }
        }
        let second = Period::seconds(1);
        for (key, value, least) in [
            ("timeout", self.timeout, second),
            ("retry_first", self.retry_first, second),
            ("retry_most", self.retry_most, self.retry_first),
            ("retry_for", self.retry_for, self.retry_most),
        ] {
            if value < least {
                return invalid(key, format!("{value} is too short; at least {least} is needed"));
            }
        }
        match (&self.from, &self.smtp) {
            (None, Some(_)) => invalid(
                "from",
                "is needed to send, such as Usher <usher@contoso.com>".to_owned(),
            ),
            (Some(from), _) if from.parse::<Mailbox>().is_err() => invalid(
                "from",
                format!("'{from}' is not an address such as Usher <usher@contoso.com>"),
            ),
            (_, Some(smtp)) => smtp.check(),
            _ => Ok(()),
        }
    }
}

impl Smtp {
    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Protection::Starttls => 587,
            Protection::Tls => 465,
            Protection::None => 25,
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let invalid = |key: &str, problem: &str| {
            Err(ConfigError::invalid(format!("notifications.smtp.{key}"), problem))
        };
        if self.host.is_empty() || self.host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return invalid(
                "host",
                "write the name of the mail server, such as smtp.contoso.com",
            );
        }
        let is_here =
            self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.tls == Protection::None && !is_here {
            return invalid(
                "tls",
                "without TLS e-mails and passwords can be read on their way: use starttls or tls",
            );
        }
        if self.user.is_some() != self.password.is_some() {
            return invalid("password", "user and password go together");
        }
        Ok(())
    }
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            from: None,
            language: Language::default(),
            templates: None,
            it: Vec::new(),
            support: Vec::new(),
            admin: Vec::new(),
            without: Vec::new(),
            timeout: Period::seconds(30),
            retry_first: Period::seconds(60),
            retry_most: Period::seconds(6 * 3600),
            retry_for: Period::seconds(4 * 24 * 3600),
            languages: BTreeMap::new(),
            smtp: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), ConfigError> {
        toml::from_str::<Notifications>(text).expect(text).check()
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (text, key) in [
            ("it = [\"it at contoso\"]", "notifications.it"),
            (
                "support = [\"a@b.example\\r\\nBcc: c@d.example\"]",
                "notifications.support",
            ),
            ("without = [\"everything\"]", "notifications.without"),
            ("[languages]\nboss = \"de\"", "notifications.languages"),
            (
                "retry_first = \"1h\"\nretry_most = \"1m\"",
                "notifications.retry_most",
            ),
            ("from = \"nobody\"", "notifications.from"),
            ("[smtp]\nhost = \"smtp.contoso.com\"", "notifications.from"),
            (
                "from = \"u@c.example\"\n[smtp]\nhost = \"\"",
                "notifications.smtp.host",
            ),
            (
                "from = \"u@c.example\"\n[smtp]\nhost = \"smtp.c.example\"\ntls = \"none\"",
                "notifications.smtp.tls",
            ),
            (
                "from = \"u@c.example\"\n[smtp]\nhost = \"smtp.c.example\"\nuser = \"u\"",
                "notifications.smtp.password",
            ),
        ] {
            let error = checked(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("{key}: ")), "{text}\n{error}");
        }
        assert!(Notifications::default().check().is_ok());
    }

    #[test]
    fn the_port_follows_the_protection() {
        for (tls, port) in [("starttls", 587), ("tls", 465), ("none", 25)] {
            let smtp: Smtp = toml::from_str(&format!("host = \"localhost\"\ntls = \"{tls}\"")).unwrap();
            assert_eq!(smtp.port(), port);
            assert!(smtp.check().is_ok());
        }
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        let text = "from = \"Usher <u@c.example>\"\n[smtp]\nhost = \"smtp.c.example\"\nuser = \"u\"\npassword = \"s3cret\"";
        let notifications: Notifications = toml::from_str(text).unwrap();
        assert!(notifications.check().is_ok());
        assert!(!format!("{notifications:?}").contains("s3cret"));
        assert!(!toml::to_string(&notifications).unwrap().contains("s3cret"));
    }
}
