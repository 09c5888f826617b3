//! `[sign_in]`: who may use the console, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use usher_core::Role;
use usher_signin::{ProviderSettings, RoleRule, RoleRules};

use super::{ConfigError, Hidden, Period, schema};

/// Who may use the console, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignIn {
    /// Whether local administrators may sign in with a password, for when no provider can be asked.
    pub password: bool,
    /// A session ends when it was not used for this time.
    pub idle: Period,
    /// A session ends this long after signing in, however much it is used. The role is the one of the sign-in.
    pub lifetime: Period,
    /// The OpenID Connect providers.
    #[serde(rename = "provider", skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<SignInProvider>,
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInProvider {
    /// Its name: lower-case letters, digits and hyphens. Part of the redirect URI, `<public_url>/sign-in/<name>/callback`.
    pub name: String,
    /// What people call it; on the button. The name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The issuer, exactly as its discovery document says it.
    pub issuer: String,
    /// What Usher is called there.
    pub client_id: String,
    /// The secret of that name, in a file or an environment variable. Left out for a public client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Hidden>,
    /// What is asked for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that the rules look into: its name, or a path of names with dots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles_claim: Option<String>,
    /// Whether claims are also read from the UserInfo endpoint.
    #[serde(default)]
    pub user_info: bool,
    /// Certificates in PEM of authorities to trust beside those of the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_ca: Option<String>,
    /// Which role a value gives; the first rule that matches wins, and without any nobody comes in.
    #[serde(rename = "role", default)]
    pub roles: Vec<SignInRule>,
}

/// Which role a value gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRule {
    /// The value that the claim is or has; everybody who signs in at this provider when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The role: viewer, requester, it, support or admin.
    #[schemars(with = "schema::PersonRoleWord")]
    pub role: Role,
}

impl SignIn {
    /// The providers with what people call them.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub(crate) fn build(&self) -> Result<Vec<(String, usher_signin::Provider)>, ConfigError> {
        self.providers.iter().map(SignInProvider::build).collect()
    }

    /// Checks what can be checked without opening or calling anything.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let least = Period::seconds(60);
        for (key, value, least) in [
            ("sign_in.idle", self.idle, least),
            ("sign_in.lifetime", self.lifetime, self.idle),
        ] {
            if value < least {
                let problem = format!("{value} is too short; at least {least} is needed");
                return Err(ConfigError::invalid(key, problem));
            }
        }
        for (at, provider) in self.providers.iter().enumerate() {
            if self.providers[..at]
                .iter()
                .any(|other| other.name == provider.name)
            {
                let problem = "is configured twice; give each provider a name of its own";
                return Err(ConfigError::invalid(provider.key(), problem));
            }
        }
        self.build().map(drop)
    }
}

impl SignInProvider {
    fn key(&self) -> String {
        format!("sign_in.provider '{}'", self.name)
    }

    fn build(&self) -> Result<(String, usher_signin::Provider), ConfigError> {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=40).contains(&self.name.len()) || !self.name.bytes().all(letters) {
            let problem = "is no name; use 1 to 40 lower-case letters, digits and hyphens";
            return Err(ConfigError::invalid(self.key(), problem));
        }
        if self.client_id.is_empty() {
            let problem = "is empty; write what the provider calls Usher, its client or application id";
            return Err(ConfigError::invalid(
                format!("{}, client_id", self.key()),
                problem,
            ));
        }
        let wrong = |error: usher_signin::ProviderError| ConfigError::invalid(self.key(), error.to_string());
        let rules = self.roles.iter().map(|rule| RoleRule {
            value: rule.value.clone(),
            role: rule.role,
        });
        let rules = RoleRules::new(self.roles_claim.clone(), rules.collect()).map_err(wrong)?;
        let provider = usher_signin::Provider::new(ProviderSettings {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.as_ref().map(|secret| secret.secret().clone()),
            scopes: self.scopes.clone(),
            rules,
            user_info: self.user_info,
            extra_ca: self.extra_ca.clone(),
        })
        .map_err(wrong)?;
        let label = self.label.as_ref().unwrap_or(&self.name);
        Ok((label.clone(), provider))
    }
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            password: true,
            idle: Period::seconds(8 * 3600),
            lifetime: Period::seconds(12 * 3600),
            providers: Vec::new(),
        }
    }
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVIDER: &str =
        "[[provider]]\nname = \"entra\"\nissuer = \"https://idp.example/\"\nclient_id = \"usher\"\n";

    fn check(text: &str) -> Result<(), String> {
        let sign_in: SignIn = toml::from_str(text).expect(text);
        sign_in.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_work_is_named() {
        let rule = "[[provider.role]]\nrole = \"viewer\"\n";
        for (text, key) in [
            ("idle = \"5s\"".to_owned(), "sign_in.idle"),
            ("idle = \"2h\"\nlifetime = \"1h\"".to_owned(), "sign_in.lifetime"),
            (
                PROVIDER.to_owned(),
                "sign_in.provider 'entra': no rule gives a role",
            ),
            (
                format!("{PROVIDER}[[provider.role]]\nvalue = \"x\"\nrole = \"admin\"\n"),
                "sign_in.provider 'entra': a rule looks for 'x', but no claim is named",
            ),
            (
                format!("{PROVIDER}[[provider.role]]\nrole = \"app\"\n"),
                "sign_in.provider 'entra': the role 'app' is for programs",
            ),
            (
                format!("{PROVIDER}{rule}{PROVIDER}{rule}"),
                "sign_in.provider 'entra': is configured twice",
            ),
            (
                format!("{}{rule}", PROVIDER.replace("https", "http")),
                "sign_in.provider 'entra': the issuer 'http://idp.example/' cannot be used",
            ),
            (
                format!("{PROVIDER}scopes = [\"email\"]\n{rule}"),
                "sign_in.provider 'entra': the scopes lack 'openid'",
            ),
            (
                format!("{}{rule}", PROVIDER.replace("entra", "En/tra")),
                "sign_in.provider 'En/tra': is no name",
            ),
            (
                format!("{}{rule}", PROVIDER.replace("\"usher\"", "\"\"")),
                "sign_in.provider 'entra', client_id: is empty",
            ),
        ] {
            let error = check(&text).expect_err(&text);
            assert!(error.starts_with(key), "{text}\n{error}");
        }
        assert_eq!(check(&format!("{PROVIDER}{rule}")), Ok(()));
        assert_eq!(
            SignIn::default().check().map_err(|error| error.to_string()),
            Ok(())
        );
    }

    #[test]
    fn the_secret_is_shown_nowhere() {
        let rule = "[[provider.role]]\nrole = \"viewer\"\n";
        let text = format!("{PROVIDER}client_secret = \"s3cret\"\n{rule}");
        let sign_in: SignIn = toml::from_str(&text).unwrap();
        assert!(!format!("{sign_in:?} {:?}", sign_in.build().unwrap()).contains("s3cret"));
        assert!(!toml::to_string(&sign_in).unwrap().contains("s3cret"));
    }
}
