//! The console in a browser: Chromium, driven by Playwright, with people who sign in at oidc-provider.

mod attacks;
mod lived_in;
mod pages;
mod sign_in;
mod stories;
mod watch;

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::harness::{Browser, CLIENT, CLIENT_SECRET, Config, Manner, OpenId, Stage};

/// What the provider is called on the page where people sign in.
const PROVIDER: &str = "Contoso";

/// Accounts of the provider: id, name, and what the claim `roles` says.
const ACCOUNTS: [(&str, &str, &str); 5] = [
    ("victor", "Victor Lang", "Usher.Viewer"),
    ("rita", "Rita Sommer", "Usher.Requester"),
    ("ivo", "Ivo Brand", "Usher.It"),
    ("sven", "Sven Support", "Usher.Support"),
    ("admin", "Alma Admin", "Usher.Admin"),
];

/// Another origin on the same machine: the same site for cookies, and a stranger all the same.
const NEIGHBOUR: &str = "http://127.0.0.1:9";

/// Another site.
const STRANGER: &str = "http://prizes.example";

/// A deployment with its console, a provider to sign in at, and a browser.
struct Console {
    stage: Stage,
    provider: OpenId,
    browser: Browser,
    /// The config file names it, and commands beside the server read it too.
    _secret: NamedTempFile,
}

impl Console {
    /// With the usual config; `None` where a part was left out by name.
    async fn new() -> Option<Self> {
        Self::with(Config::default()).await
    }

    /// With this config, to which the provider is added.
    async fn with(mut config: Config) -> Option<Self> {
        let mut provider = OpenId::start()?;
        let mut secret = NamedTempFile::new().expect("a temporary file");
        secret
            .write_all(CLIENT_SECRET.as_bytes())
            .expect("the file is ours");
        config
            .more
            .push_str(&sign_in_config(provider.issuer(), secret.path()));
        // Thirty-two bytes to seal the webhooks' secrets with.
        config
            .more
            .push_str("[webhooks]\nkey = \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"\nallow_networks = [\"127.0.0.0/8\"]\n");
        let stage = Stage::with(&config).await?;
        provider.register("http://127.0.0.1/sign-in/contoso/callback");
        for (id, name, role) in ACCOUNTS {
            let claims = json!({
                "name": name, "email": format!("{id}@contoso.com"), "email_verified": true, "roles": [role],
            });
            provider.account(id, &claims);
        }
        let browser = Browser::start(&[stage.server.address(), provider.issuer(), NEIGHBOUR, STRANGER])?;
        Some(Self {
            stage,
            provider,
            browser,
            _secret: secret,
        })
    }

    /// Opens a tab of that name for an account of that name, and signs in; what is shown then.
    #[track_caller]
    fn sign_in(&mut self, account: &str, manner: Manner) -> Value {
        self.browser.open(account, manner);
        let with = json!({ "label": PROVIDER, "account": account });
        self.browser.step(account, "sign_in.provider", &with)
    }
}

/// The provider's part of the config file.
fn sign_in_config(issuer: &str, secret: &Path) -> String {
    let mut text = format!(
        "[[sign_in.provider]]\nname = \"contoso\"\nlabel = \"{PROVIDER}\"\nissuer = \"{issuer}\"\n\
         client_id = \"{CLIENT}\"\nclient_secret = {{ file = \"{}\" }}\nroles_claim = \"roles\"\n",
        secret.display()
    );
    for role in ["admin", "support", "it", "requester", "viewer"] {
        let (first, rest) = role.split_at(1);
        let value = format!("Usher.{}{rest}", first.to_uppercase());
        text.push_str(&format!(
            "[[sign_in.provider.role]]\nvalue = \"{value}\"\nrole = \"{role}\"\n"
        ));
    }
    text
}
