//! The config file of a test: what most tests want, with the parts open that some change.

/// The contents of the config file.
#[derive(Clone, Debug)]
pub struct Config {
    /// The organisation's e-mail domains.
    pub domains: Vec<String>,
    /// The sources; the first is the one most tests push to.
    pub sources: Vec<Source>,
    /// Where the data are, if not in a place of the test's own.
    pub storage: Option<String>,
    /// TOML lines of `[server]` beside the address.
    pub server: String,
    /// TOML that follows, for what has no field here.
    pub more: String,
}

/// One `[[source]]`.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, which is in its SCIM address.
    pub name: String,
    /// The kind of its adapter.
    pub kind: String,
    /// `push`, `pull` or `both`.
    pub mode: String,
    /// TOML lines of its `[source.pull]`; none at all when empty.
    pub pull: String,
    /// TOML lines of its `[source.settings]`.
    pub settings: String,
}

impl Source {
    /// A source of kind `scim` that is pushed to, with the settings' defaults.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: "scim".to_owned(),
            mode: "push".to_owned(),
            pull: String::new(),
            settings: String::new(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domains: vec!["contoso.com".to_owned()],
            sources: vec![Source::named("idp")],
            storage: None,
            server: String::new(),
            more: String::new(),
        }
    }
}

impl Config {
    /// The file's text, with the data at this address unless it names another.
    pub(super) fn text(&self, place: &str) -> String {
        let storage = self.storage.as_deref().unwrap_or(place);
        let domains: Vec<String> = self
            .domains
            .iter()
            .map(|domain| format!("\"{domain}\""))
            .collect();
        let mut text = format!(
            "[organisation]\n\
             name = \"Contoso AG\"\n\
             domains = [{}]\n\
             sso_url = \"https://portal.example/sso/contoso\"\n\n\
             [storage]\n\
             url = \"{storage}\"\n\n\
             [server]\n\
             listen = \"127.0.0.1:0\"\n\
             {server}\n\n",
            domains.join(", "),
            server = self.server,
        );
        for Source {
            name,
            kind,
            mode,
            pull,
            settings,
        } in &self.sources
        {
            text.push_str(&format!(
                "[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\nmode = \"{mode}\"\n"
            ));
            if !pull.is_empty() {
                text.push_str(&format!("[source.pull]\n{pull}\n"));
            }
            text.push_str(&format!("[source.settings]\n{settings}\n\n"));
        }
        text.push_str(&self.more);
        text
    }
}
