//! Reading: the file, then the environment over it, then the secrets that both refer to.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Config, ConfigError};

/// Variables with this in front override keys: `USHER_SERVER__LISTEN` is `server.listen`.
const PREFIX: &str = "USHER_";

/// A configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file; `None` when the built-in try-out configuration is used.
    pub file: Option<PathBuf>,
}

/// Reads the file, or takes the try-out configuration without one, and applies the overrides among `environment`.
///
/// # Errors
/// [`ConfigError`] with the place of the first thing that is wrong.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    let (text, name) = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable {
                path: path.to_owned(),
                reason,
            })?;
            (text, path.display().to_string())
        }
        None => {
            let text =
                toml::to_string(&Config::try_out()).expect("the built-in configuration can be written");
            (text, "the built-in configuration".to_owned())
        }
    };
    let config = read(&text, &name, &environment)?;
    Ok(Loaded {
        config,
        file: file.map(Path::to_owned),
    })
}

/// Reads a configuration that the program made itself, and applies the overrides among `environment`.
///
/// # Errors
/// As [`load`].
#[cfg(feature = "demo")]
pub(crate) fn load_text(
    text: &str,
    name: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    Ok(Loaded {
        config: read(text, name, &environment)?,
        file: None,
    })
}

fn read(text: &str, name: &str, environment: &BTreeMap<String, String>) -> Result<Config, ConfigError> {
    let overrides: Vec<(&String, &String)> = environment
        .iter()
        .filter(|(key, _)| key.strip_prefix(PREFIX).is_some_and(|key| key.contains("__")))
        .collect();
    let places = Places {
        text,
        name,
        overrides: &overrides,
    };
    let mut document = DeTable::parse(text).map_err(|error| places.wrong(&error))?;
    for (index, (variable, value)) in overrides.iter().enumerate() {
        // Where the file ends, each variable has a place of one byte, so that an error leads back to it.
        let place = text.len() + index..text.len() + index;
        set(document.get_mut(), variable, value, place)?;
    }
    resolve_table(document.get_mut(), &places, environment)?;
    Config::deserialize(toml::Deserializer::from(document)).map_err(|error| places.wrong(&error))
}

fn set<'i>(
    document: &mut DeTable<'i>,
    variable: &'i str,
    value: &'i str,
    place: Range<usize>,
) -> Result<(), ConfigError> {
    let wrong = |problem: &str| ConfigError::Wrong {
        place: variable.to_owned(),
        problem: problem.to_owned(),
    };
    let mut path: Vec<String> = variable[PREFIX.len()..]
        .split("__")
        .map(str::to_lowercase)
        .collect();
    let last = path.pop().unwrap_or_default();
    let mut table = document;
    for key in path {
        let entry = table
            .entry(Spanned::new(place.clone(), Cow::Owned(key)))
            .or_insert_with(|| Spanned::new(place.clone(), DeValue::Table(DeTable::new())));
        let DeValue::Table(inner) = entry.get_mut() else {
            return Err(wrong(
                "only keys of tables can be overridden; lists such as [[source]] stay in the file",
            ));
        };
        table = inner;
    }
    let mut value = parse_override(value).map_err(|error| wrong(error.message()))?;
    move_to(&mut value, &place);
    table.remove(last.as_str());
    table.insert(Spanned::new(place, Cow::Owned(last)), value);
    Ok(())
}

/// TOML where the value can only be that: lists, tables, quoted text, numbers, booleans. Else plain text.
fn parse_override(value: &str) -> Result<Spanned<DeValue<'_>>, toml::de::Error> {
    let is_toml = value.starts_with(['[', '{', '"', '\''])
        || matches!(value, "true" | "false")
        || value.parse::<i64>().is_ok();
    if is_toml {
        DeValue::parse(value)
    } else {
        Ok(Spanned::new(0..0, DeValue::String(Cow::Borrowed(value))))
    }
}

fn move_to(value: &mut Spanned<DeValue<'_>>, place: &Range<usize>) {
    match value.get_mut() {
        DeValue::Array(elements) => elements.iter_mut().for_each(|element| move_to(element, place)),
        DeValue::Table(table) => table.iter_mut().for_each(|(_, element)| move_to(element, place)),
        _ => {}
    }
    let inner = std::mem::replace(value.get_mut(), DeValue::Boolean(false));
    *value = Spanned::new(place.clone(), inner);
}

fn resolve_table(
    table: &mut DeTable<'_>,
    places: &Places<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    table
        .iter_mut()
        .try_for_each(|(_, value)| resolve(value, places, environment))
}

/// Puts the secret in place of `{ env = "NAME" }` or `{ file = "path" }`.
fn resolve(
    value: &mut Spanned<DeValue<'_>>,
    places: &Places<'_>,
    environment: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    let span = value.span();
    match value.get_mut() {
        DeValue::Array(elements) => elements
            .iter_mut()
            .try_for_each(|element| resolve(element, places, environment)),
        DeValue::Table(table) => match reference(table) {
            Some(reference) => {
                let secret = fetch(&reference, environment).map_err(|problem| ConfigError::Secret {
                    place: places.name(&span),
                    problem,
                })?;
                *value = Spanned::new(span, DeValue::String(Cow::Owned(secret)));
                Ok(())
            }
            None => resolve_table(table, places, environment),
        },
        _ => Ok(()),
    }
}

enum Reference {
    Environment(String),
    File(String),
}

fn reference(table: &DeTable<'_>) -> Option<Reference> {
    let (key, value) = table.iter().next().filter(|_| table.len() == 1)?;
    let text = value.get_ref().as_str()?.to_owned();
    match key.get_ref().as_ref() {
        "env" => Some(Reference::Environment(text)),
        "file" => Some(Reference::File(text)),
        _ => None,
    }
}

fn fetch(reference: &Reference, environment: &BTreeMap<String, String>) -> Result<String, String> {
    match reference {
        Reference::Environment(name) => environment
            .get(name)
            .cloned()
            .ok_or_else(|| format!("the environment variable {name} is not set; set it to the secret")),
        Reference::File(path) => std::fs::read_to_string(path)
            .map(|secret| secret.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| format!("cannot read the secret from {path}: {error}")),
    }
}

/// Turns spans into places that a person finds.
struct Places<'a> {
    text: &'a str,
    name: &'a str,
    overrides: &'a [(&'a String, &'a String)],
}

impl Places<'_> {
    fn name(&self, span: &Range<usize>) -> String {
        if let Some((variable, _)) = span
            .start
            .checked_sub(self.text.len())
            .and_then(|index| self.overrides.get(index))
        {
            return (*variable).clone();
        }
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        format!("{}, line {line}, column {column}", self.name)
    }

    fn wrong(&self, error: &toml::de::Error) -> ConfigError {
        let place = error
            .span()
            .map_or_else(|| self.name.to_owned(), |span| self.name(&span));
        ConfigError::Wrong {
            place,
            problem: error.message().trim().replace('\n', "; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Period;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn refused(text: &str, pairs: &[(&str, &str)]) -> String {
        read(text, "usher.toml", &environment(pairs))
            .expect_err(text)
            .to_string()
    }

    #[test]
    fn without_a_file_the_built_in_configuration_is_read() {
        let loaded = load(None, []).unwrap();
        assert_eq!(loaded.config, Config::try_out());
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_place() {
        let error = refused("[server]\nlisten = \"127.0.0.1:0\"\nlissten = 1\n", &[]);
        assert!(
            error.starts_with("usher.toml, line 3, column 1: unknown field `lissten`"),
            "{error}"
        );
        let error = refused(
            "[[source]]\nname = \"a\"\nkind = \"scim\"\nmode = \"push\"\ntyp = 1\n",
            &[],
        );
        assert!(
            error.starts_with("usher.toml, line 5, column 1: unknown field `typ`"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_value_is_an_error_with_its_place() {
        let error = refused("[brake]\nwindow = \"1 fortnight\"\n", &[]);
        assert!(
            error.starts_with("usher.toml, line 2, column 10: '1 fortnight' is not"),
            "{error}"
        );
        assert!(refused("[server\n", &[]).starts_with("usher.toml, line 1"));
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let config = read(
            "[server]\nlisten = \"127.0.0.1:1\"\n",
            "usher.toml",
            &environment(&[
                ("USHER_SERVER__LISTEN", "127.0.0.1:2"),
                ("USHER_ORGANISATION__DOMAINS", "[\"a.example\", \"b.example\"]"),
                ("USHER_BRAKE__WINDOW", "2h"),
                ("USHER_SCIM__PAGE_SIZE", "7"),
                ("USHER_CONFIG", "is no override"),
            ]),
        )
        .unwrap();
        assert_eq!(config.server.listen.port(), 2);
        assert_eq!(config.organisation.domains, ["a.example", "b.example"]);
        assert_eq!(config.brake.window, Period::seconds(7200));
        assert_eq!(config.scim.page_size, 7);
    }

    #[test]
    fn an_error_in_the_environment_names_the_variable() {
        let error = refused("", &[("USHER_SCIM__PAGE_SIZE", "many")]);
        assert!(
            error.starts_with("USHER_SCIM__PAGE_SIZE: invalid type"),
            "{error}"
        );
        let error = refused("", &[("USHER_SERVER__LISSTEN", "x")]);
        assert!(
            error.starts_with("USHER_SERVER__LISSTEN: unknown field"),
            "{error}"
        );
        let source = "[[source]]\nname = \"a\"\nkind = \"scim\"\nmode = \"push\"\n";
        let error = refused(source, &[("USHER_SOURCE__NAME", "b")]);
        assert!(
            error.starts_with("USHER_SOURCE__NAME: only keys of tables"),
            "{error}"
        );
    }

    #[test]
    fn secrets_come_from_the_environment_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        std::fs::write(&path, "sqlite:elsewhere.db\n").unwrap();
        let text = format!("[storage]\nurl = {{ file = {:?} }}\n", path.display().to_string());
        assert_eq!(
            read(&text, "f", &BTreeMap::new()).unwrap().storage.url,
            "sqlite:elsewhere.db"
        );
        let text = "[storage]\nurl = { env = \"DATABASE\" }\n";
        let config = read(text, "f", &environment(&[("DATABASE", "sqlite:x.db")])).unwrap();
        assert_eq!(config.storage.url, "sqlite:x.db");
        assert_eq!(
            refused(text, &[]),
            "usher.toml, line 2, column 7: the environment variable DATABASE is not set; set it to the secret"
        );
    }
}
