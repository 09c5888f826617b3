//! Who gets an e-mail, and in which language.

use std::collections::BTreeMap;

use usher_mail::{Audience, Language, Notice};

use super::Mail;

impl Mail {
    /// The addresses that a notice goes to, each once, with its language.
    pub(super) fn recipients(&self, notice: Notice, requester: Option<&str>) -> Vec<(String, Language)> {
        let mut found: BTreeMap<String, (String, Language)> = BTreeMap::new();
        for audience in notice.audience() {
            let addresses = self.0.config.addresses(*audience).iter().map(String::as_str);
            let requester = requester.filter(|_| *audience == Audience::Requester);
            for address in addresses.chain(requester) {
                found
                    .entry(address.to_lowercase())
                    .or_insert_with(|| (address.to_owned(), self.language(address, Some(*audience))));
            }
        }
        found.into_values().collect()
    }

    /// The language of an address: its own, that of its role, or that of everybody.
    pub(super) fn language(&self, address: &str, audience: Option<Audience>) -> Language {
        let config = &self.0.config;
        let own = config
            .languages
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(address));
        let role = || config.languages.get(audience?.as_str());
        own.map(|(_, language)| language)
            .or_else(role)
            .copied()
            .unwrap_or(config.language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn mail(text: &str) -> Mail {
        let config: Config = toml::from_str(text).unwrap();
        Mail::new(&config, "https://usher.example").unwrap()
    }

    #[test]
    fn each_address_gets_one_in_its_own_language() {
        let mail = mail(
            "[notifications]\nlanguage = \"de\"\nit = [\"It@contoso.com\", \"rita@contoso.com\"]\n\
             support = [\"support@vendor.example\"]\n\
             [notifications.languages]\nsupport = \"en\"\n\"IT@contoso.com\" = \"en\"\n",
        );
        let confirmed = mail.recipients(Notice::MappingConfirmed, Some("Rita@contoso.com"));
        let expected = [
            ("It@contoso.com", Language::En),
            ("Rita@contoso.com", Language::De),
        ];
        assert_eq!(
            confirmed,
            expected.map(|(address, language)| (address.to_owned(), language))
        );
        let submitted = mail.recipients(Notice::OrderSubmitted, Some("rita@contoso.com"));
        assert_eq!(submitted, [("support@vendor.example".to_owned(), Language::En)]);
    }

    #[test]
    fn nobody_is_told_of_what_nobody_is_named_for() {
        assert!(mail("").recipients(Notice::HoldOpened, None).is_empty());
    }
}
