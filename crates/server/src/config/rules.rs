//! From the configuration to what the program works with: adapters, levels and the engine's rules.

use std::sync::Arc;
use std::time::Duration;

use usher_core::{Levels, Mode, ProvisioningAdapter, PushProfile, Registry, SourceName};
use usher_engine::{BrakePolicy, Policy, SourcePolicy};

use super::{Config, ConfigError, Period, Pull};

/// A checked configuration, ready to be used. Making it opens and calls nothing.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The engine's rules.
    pub policy: Policy,
    /// The sources with their adapters.
    pub sources: Vec<ConfiguredSource>,
}

/// A source with its adapter.
#[derive(Debug, Clone)]
pub struct ConfiguredSource {
    /// Its name.
    pub name: SourceName,
    /// The kind of its adapter.
    pub kind: String,
    /// Who starts a change.
    pub mode: Mode,
    /// The adapter.
    pub adapter: Arc<dyn ProvisioningAdapter>,
    /// How its SCIM client behaves.
    pub profile: PushProfile,
    /// How it is read, if it is.
    pub pull: Option<Pull>,
}

impl Config {
    /// Checks everything that can be checked without opening or calling anything.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the key and what would be right.
    pub fn check(&self, registry: &Registry) -> Result<Rules, ConfigError> {
        self.check_limits()?;
        let sources = self.build_sources(registry)?;
        let policy = Policy {
            domains: self.domains()?,
            levels: Levels::new(self.levels.clone())
                .map_err(|error| ConfigError::invalid("level", error.to_string()))?,
            brake: BrakePolicy {
                enabled: self.brake.enabled,
                endings: self.brake.endings,
                percent: self.brake.percent,
                window_secs: self.brake.window.duration().as_secs(),
                hold_for_secs: self.brake.hold_for.duration().as_secs(),
            },
            finalise: self.orders.finalise,
            arrival_margin_percent: self.orders.arrival_margin_percent,
            sso_url: self.organisation.sso_url.clone(),
            bootstrap_due_days: self.orders.bootstrap_due_days,
            sources: sources
                .iter()
                .map(|source| (source.name.clone(), SourcePolicy::from(&source.profile)))
                .collect(),
        };
        Ok(Rules { policy, sources })
    }

    fn domains(&self) -> Result<Vec<String>, ConfigError> {
        let key = "organisation.domains";
        let domains = &self.organisation.domains;
        if domains.is_empty() {
            return Err(ConfigError::invalid(
                key,
                "name the company's e-mail domains, such as [\"contoso.com\"]; [\"*\"] lets everybody in",
            ));
        }
        domains
            .iter()
            .map(|domain| {
                let domain = domain.trim().to_lowercase();
                let is_domain = domain == "*"
                    || !domain.is_empty()
                        && domain.len() <= 253
                        && !domain.starts_with(['.', '-'])
                        && domain
                            .chars()
                            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
                if is_domain {
                    Ok(domain)
                } else {
                    let problem =
                        format!("'{domain}' is not a domain; write what follows the @, such as contoso.com");
                    Err(ConfigError::invalid(key, problem))
                }
            })
            .collect()
    }

    fn build_sources(&self, registry: &Registry) -> Result<Vec<ConfiguredSource>, ConfigError> {
        let mut sources: Vec<ConfiguredSource> = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            let key = format!("source '{}'", source.name);
            if sources.iter().any(|other| other.name == source.name) {
                return Err(ConfigError::invalid(
                    key,
                    "is configured twice; give each source a name of its own",
                ));
            }
            let adapter = registry
                .build(&source.kind, &source.settings)
                .map_err(|error| ConfigError::invalid(&key, error.to_string()))?;
            if !adapter.describe().modes.contains(&source.mode) {
                let problem = format!("an adapter of kind '{}' does not offer this mode", source.kind);
                return Err(ConfigError::invalid(format!("{key}, mode"), problem));
            }
            if source.pull.is_some() && !source.mode.pulls() {
                let problem = "says how a source is read, and this one is only pushed to: set mode to pull or both, or \
                               leave the table out";
                return Err(ConfigError::invalid(format!("{key}, pull"), problem));
            }
            let pull = source.mode.pulls().then(|| source.pull.unwrap_or_default());
            if let Some(pull) = &pull {
                check_pull(&key, pull)?;
            }
            let profile = adapter.push_profile();
            sources.push(ConfiguredSource {
                name: source.name.clone(),
                kind: source.kind.clone(),
                mode: source.mode,
                adapter,
                profile,
                pull,
            });
        }
        Ok(sources)
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        self.webhooks.check()?;
        self.notifications.check()?;
        self.sign_in.check()?;
        self.server.proxies()?;
        for (key, url) in [
            ("server.public_url", &self.server.public_url),
            ("organisation.sso_url", &self.organisation.sso_url),
        ] {
            let Some(url) = url else { continue };
            let absolute = url.parse::<http::Uri>().ok().filter(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https"))
                    && uri.authority().is_some()
                    && uri.query().is_none()
            });
            if absolute.is_none() || url.ends_with('/') && key == "server.public_url" {
                let problem =
                    "write an absolute URL such as https://usher.contoso.com, without a slash at its end";
                return Err(ConfigError::invalid(key, problem));
            }
        }
        let scim = &self.scim;
        for (key, value) in [
            ("server.max_connections", self.server.max_connections),
            ("server.max_body_bytes", self.server.max_body_bytes),
            ("scim.max_operations", scim.max_operations),
            ("scim.max_members", scim.max_members),
            ("scim.max_json_depth", scim.max_json_depth),
            ("scim.max_filter_bytes", scim.max_filter_bytes),
            ("scim.page_size", scim.page_size),
            ("scim.max_scan", scim.max_scan),
            ("storage.readers", self.storage.readers),
        ] {
            if value == 0 {
                return Err(ConfigError::invalid(key, "has to be at least 1"));
            }
        }
        if self.storage.connections < 2 {
            return Err(ConfigError::invalid(
                "storage.connections",
                "has to be at least 2",
            ));
        }
        if scim.page_size > scim.max_page_size {
            return Err(ConfigError::invalid(
                "scim.page_size",
                "is above scim.max_page_size",
            ));
        }
        Ok(())
    }
}

/// Reads too often help nobody and are throttled by the provider.
const SHORTEST: Duration = Duration::from_secs(30);

fn check_pull(key: &str, pull: &Pull) -> Result<(), ConfigError> {
    for (name, period, least) in [
        ("every", pull.every, SHORTEST),
        ("full_every", pull.full_every, pull.every.duration()),
        ("timeout", pull.timeout, SHORTEST),
    ] {
        if period.duration() < least {
            let least = Period::seconds(least.as_secs());
            let problem = format!("{period} is too short; at least {least} is needed");
            return Err(ConfigError::invalid(format!("{key}, pull.{name}"), problem));
        }
    }
    if pull.jitter_percent > 100 {
        let problem = format!("{} is no share; write 0 to 100", pull.jitter_percent);
        return Err(ConfigError::invalid(
            format!("{key}, pull.jitter_percent"),
            problem,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::new();
        usher_adapter_scim::register(&mut registry);
        registry
    }

    fn check(text: &str) -> Result<Rules, ConfigError> {
        toml::from_str::<Config>(text).expect(text).check(&registry())
    }

    #[test]
    fn the_try_out_configuration_is_complete() {
        let rules = Config::try_out().check(&registry()).unwrap();
        assert!(rules.policy.owns_address("anybody@anywhere.example"));
        assert_eq!(rules.sources[0].name.as_str(), "idp");
        assert!(rules.policy.sources.contains_key(&rules.sources[0].name));
    }

    #[test]
    fn what_does_not_work_together_is_named() {
        let source = "[[source]]\nname = \"idp\"\nkind = \"scim\"\nmode = \"push\"\n";
        let domains = "[organisation]\ndomains = [\"contoso.com\"]\n";
        for (text, key) in [
            (String::new(), "organisation.domains"),
            (
                "[organisation]\ndomains = [\"@contoso.com\"]\n".into(),
                "organisation.domains",
            ),
            (format!("{domains}{source}{source}"), "source 'idp'"),
            (
                format!("{domains}{}", source.replace("\"scim\"", "\"okta\"")),
                "source 'idp'",
            ),
            (
                format!("{domains}{}", source.replace("push", "pull")),
                "source 'idp', mode",
            ),
            (
                format!("{domains}{source}[source.settings]\nreactivation = \"maybe\"\n"),
                "source 'idp'",
            ),
            (
                format!("{domains}{source}[source.pull]\nevery = \"1h\"\n"),
                "source 'idp', pull",
            ),
            (
                format!("{domains}[server]\npublic_url = \"usher.contoso.com\"\n"),
                "server.public_url",
            ),
            (format!("{domains}[scim]\npage_size = 5000\n"), "scim.page_size"),
            (
                format!("{domains}[[level]]\nkey = \"user\"\nlabel = \"User\"\nrank = 1\n"),
                "level",
            ),
        ] {
            let error = check(&text).expect_err(&text).to_string();
            assert!(error.starts_with(&format!("{key}: ")), "{text}\n{error}");
        }
    }

    #[test]
    fn the_examples_are_complete() {
        let text = include_str!("../../../../config/examples/scim.toml");
        check(text).unwrap();
    }
}
