//! From facts to a message.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context, escape_formatter};
use serde::Serialize;

use crate::blocks::blocks;
use crate::clean::{clean, clip};
use crate::facts::{Facts, Provider};
use crate::language::Language;
use crate::notice::Notice;
use crate::shipped::SHIPPED;

/// The longest subject, in characters.
const SUBJECT: usize = 200;
/// The largest file of a template, in bytes.
const LARGEST: u64 = 64 * 1024;
const LAYOUT: &str = "layout.html";
const FOOTER: &str = "footer";

/// An e-mail without its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// Plain text; lines end in `\n`.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// What is wrong with a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A folder or file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A file has the name of no template.
    #[error(
        "{} is no template: files are layout.html, and in the folders en and de NOTICE.txt, NOTICE.html and footer.txt",
        path.display()
    )]
    Unknown {
        /// Which.
        path: PathBuf,
    },
    /// A template cannot be used with the facts.
    #[error("template {name} cannot be used: {reason}")]
    Wrong {
        /// Which.
        name: String,
        /// Why, with the line.
        reason: String,
    },
}

/// The templates of all notices in all languages.
#[derive(Debug, Clone)]
pub struct Templates {
    shipped: Environment<'static>,
    /// Those of a folder over the shipped ones.
    own: Option<Environment<'static>>,
    replaced: BTreeSet<String>,
}

impl Templates {
    /// The shipped templates.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            shipped: environment(),
            own: None,
            replaced: BTreeSet::new(),
        }
    }

    /// The shipped templates with those of a folder in their place. Each is tried with made-up facts first, so that one
    /// that cannot be used is found here and not when it is needed.
    ///
    /// # Errors
    /// The first file that is wrong.
    pub fn with_folder(folder: &Path) -> Result<Self, TemplateError> {
        let mut own = environment();
        let mut replaced = BTreeSet::new();
        for path in files(folder)? {
            let name = known(folder, &path).ok_or_else(|| TemplateError::Unknown { path: path.clone() })?;
            let text = read(&path)?;
            own.add_template_owned(name.clone(), text)
                .map_err(|error| wrong(&name, &error))?;
            replaced.insert(name);
        }
        let templates = Self {
            shipped: environment(),
            own: Some(own),
            replaced,
        };
        templates.try_own()?;
        Ok(templates)
    }

    /// The names of the templates that come from the folder.
    #[must_use]
    pub const fn replaced(&self) -> &BTreeSet<String> {
        &self.replaced
    }

    /// Writes an e-mail.
    ///
    /// # Errors
    /// [`TemplateError::Wrong`] when a template asks for a fact that is not there. A template of the folder may do so for
    /// facts that only some notices of its kind have; see [`Templates::write_shipped`].
    pub fn write(&self, notice: Notice, language: Language, facts: &Facts) -> Result<Message, TemplateError> {
        write(
            self.own.as_ref().unwrap_or(&self.shipped),
            notice,
            language,
            facts,
        )
    }

    /// Writes an e-mail by the shipped templates alone.
    ///
    /// # Errors
    /// As [`Templates::write`].
    pub fn write_shipped(
        &self,
        notice: Notice,
        language: Language,
        facts: &Facts,
    ) -> Result<Message, TemplateError> {
        write(&self.shipped, notice, language, facts)
    }

    fn try_own(&self) -> Result<(), TemplateError> {
        for provider in [Provider::Entra, Provider::Okta, Provider::Generic] {
            let facts = Facts::sample(provider);
            for notice in Notice::ALL {
                for language in Language::ALL {
                    self.write(*notice, *language, &facts)?;
                }
            }
        }
        Ok(())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    environment.set_formatter(|out, state, value| {
        let cleaned = value.as_str().map(|text| Value::from(clean(text)));
        escape_formatter(out, state, cleaned.as_ref().unwrap_or(value))
    });
    environment.add_filter("time", |state: &minijinja::State<'_, '_>, moment: String| {
        let language = state.name().split('/').next().and_then(Language::named);
        let language = language
            .or_else(|| {
                state
                    .lookup("language")
                    .and_then(|code| Language::named(code.as_str()?))
            })
            .unwrap_or_default();
        let moment: jiff::Timestamp = moment.parse().map_err(|_| {
            minijinja::Error::new(
                minijinja::ErrorKind::InvalidOperation,
                "the filter time is for moments",
            )
        })?;
        Ok::<_, minijinja::Error>(language.moment(moment))
    });
    for (name, text) in SHIPPED {
        environment
            .add_template(name, text)
            .expect("the shipped templates are right; a test tries each");
    }
    environment
}

/// Facts, and what the frame adds.
#[derive(Serialize)]
struct Context<'f> {
    language: &'static str,
    #[serde(flatten)]
    facts: &'f Facts,
}

fn write(
    environment: &Environment<'_>,
    notice: Notice,
    language: Language,
    facts: &Facts,
) -> Result<Message, TemplateError> {
    let code = language.as_str();
    let facts_of = Value::from_serialize(Context {
        language: code,
        facts,
    });
    let text = render(environment, &format!("{code}/{}.txt", notice.as_str()), &facts_of)?;
    let footer = render(environment, &format!("{code}/{FOOTER}.txt"), &facts_of)?;
    let footer = clean(&footer);
    let (subject, body) = text.trim_start().split_once('\n').unwrap_or((text.trim(), ""));
    let (subject, body) = (clip(&clean(subject), SUBJECT), without_gaps(body));
    let own_html = format!("{code}/{}.html", notice.as_str());
    let name = match environment.get_template(&own_html) {
        Ok(_) => own_html.as_str(),
        Err(_) => LAYOUT,
    };
    let frame = context! {
        subject => subject, footer => footer, blocks => blocks(&body, &facts.links()), ..facts_of
    };
    let html = render(environment, name, &frame)?;
    Ok(Message {
        text: format!("{body}\n\n-- \n{footer}\n"),
        subject,
        html,
    })
}

fn render(environment: &Environment<'_>, name: &str, facts: &Value) -> Result<String, TemplateError> {
    environment
        .get_template(name)
        .and_then(|template| template.render(facts))
        .map_err(|error| wrong(name, &error))
}

fn wrong(name: &str, error: &minijinja::Error) -> TemplateError {
    let line = error
        .line()
        .map_or(String::new(), |line| format!(" in line {line}"));
    TemplateError::Wrong {
        name: name.to_owned(),
        reason: format!("{error}{line}"),
    }
}

/// Parts of a text apart by one empty line each.
fn without_gaps(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let is_gap = line.is_empty() && lines.last().is_none_or(|last| last.is_empty());
        if !is_gap {
            lines.push(line);
        }
    }
    while lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines.join("\n")
}

/// The templates in a folder: `.txt` and `.html`, in it and in the folders of languages.
fn files(folder: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |reason| TemplateError::Unreadable { path, reason }
    };
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), true)];
    while let Some((folder, is_first)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(unreadable(&folder))? {
            let path = entry.map_err(unreadable(&folder))?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if path.is_dir() && is_first {
                folders.push((path, false));
            } else if matches!(ending, Some("txt" | "html")) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The name of the template that a file is.
fn known(folder: &Path, path: &Path) -> Option<String> {
    let name = path.strip_prefix(folder).ok()?.to_str()?.replace('\\', "/");
    let is_html = name
        .strip_suffix(".html")
        .and_then(|name| name.split_once('/'))
        .is_some_and(|(code, notice)| Language::named(code).is_some() && Notice::named(notice).is_some());
    let is_shipped = SHIPPED.iter().any(|(shipped, _)| *shipped == name);
    (is_html || is_shipped).then_some(name)
}

fn read(path: &Path) -> Result<String, TemplateError> {
    let unreadable = |reason| TemplateError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    if fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
        let reason = io::Error::new(io::ErrorKind::FileTooLarge, "a template has at most 64 KiB");
        return Err(unreadable(reason));
    }
    fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::RoomFacts;

    fn written(notice: Notice, language: Language, provider: Provider) -> Message {
        Templates::shipped()
            .write(notice, language, &Facts::sample(provider))
            .unwrap()
    }

    fn with_file(name: &str, text: &str) -> Result<Templates, TemplateError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        Templates::with_folder(folder.path())
    }

    #[test]
    fn every_notice_is_written_in_every_language() {
        for notice in Notice::ALL {
            for language in Language::ALL {
                let message = written(*notice, *language, Provider::Generic);
                let Message { subject, text, html } = &message;
                assert!(
                    !subject.is_empty() && !subject.contains(['\n', '\r']),
                    "{subject}"
                );
                assert!(text.contains("https://usher.example/orders/1\n"), "{text}");
                assert!(text.contains("\n-- \nUsher "), "{text}");
                assert!(
                    html.contains("<a href=\"https:&#x2f;&#x2f;usher.example&#x2f;orders&#x2f;1\">"),
                    "{html}"
                );
                for unwanted in ["{{", "{%", "none", "undefined", "\n\n\n"] {
                    assert!(!text.contains(unwanted), "{unwanted:?} in {text}");
                }
                assert!(text.lines().all(|line| !line.starts_with(' ')), "{text}");
            }
        }
    }

    #[test]
    fn the_two_languages_are_two() {
        for notice in Notice::ALL {
            let [english, german] =
                [Language::En, Language::De].map(|language| written(*notice, language, Provider::Entra));
            assert_ne!(english.subject, german.subject);
            assert_ne!(english.text, german.text);
        }
        let german = written(Notice::MappingConfirmed, Language::De, Provider::Entra);
        assert_eq!(
            german.subject,
            "Die Gruppe darf jetzt zugewiesen werden: Raum „Supervisory Board“"
        );
        assert!(
            german.text.contains("Öffnen Sie „Benutzer und Gruppen“"),
            "{}",
            german.text
        );
        assert!(german.html.contains("lang=\"de\""));
    }

    #[test]
    fn how_a_group_is_given_to_the_application_depends_on_the_provider() {
        let text = |provider| written(Notice::MappingConfirmed, Language::En, provider).text;
        let entra = text(Provider::Entra);
        assert!(
            entra.contains("3. Choose group SG-Board (object id 7a1d2c3b-0000-4000-8000-00000000abcd)"),
            "{entra}"
        );
        assert!(
            entra.contains("Enterprise applications") && entra.contains("40 minutes"),
            "{entra}"
        );
        let okta = text(Provider::Okta);
        assert!(
            okta.contains("3. On the tab \"Push Groups\"") && okta.contains("two different groups"),
            "{okta}"
        );
        let generic = text(Provider::Generic);
        assert!(generic.contains("2. Assign group SG-Board to it"), "{generic}");
        let mut facts = Facts::sample(Provider::Entra);
        let order = facts.order.as_mut().unwrap();
        (order.pushed, order.pulled, order.group_name) = (false, true, None);
        let read = Templates::shipped()
            .write(Notice::MappingConfirmed, Language::En, &facts)
            .unwrap();
        assert!(
            read.text
                .contains("4. Usher sees the assignment at its next read"),
            "{}",
            read.text
        );
        assert!(!read.text.contains("object id"), "{}", read.text);
    }

    #[test]
    fn the_end_of_an_order_leads_to_the_portal() {
        let live = written(Notice::RoomLive, Language::En, Provider::Entra);
        assert!(
            live.text
                .contains("People sign in here:\n\nhttps://portal.example/sso/contoso\n"),
            "{}",
            live.text
        );
        assert!(
            live.html
                .contains("<a href=\"https:&#x2f;&#x2f;portal.example&#x2f;sso&#x2f;contoso\">")
        );
    }

    #[test]
    fn a_hold_names_people_and_its_end() {
        let held = written(Notice::HoldOpened, Language::En, Provider::Entra);
        assert_eq!(
            held.subject,
            "Stopped: 14 people would leave room \"Supervisory Board\""
        );
        for part in [
            "- Anna Abel\n- Bert Brecht\n- and 12 more\n",
            "5 March 2026, 07:04 UTC",
            "members were removed from group 'SG-Board'",
        ] {
            assert!(held.text.contains(part), "{}", held.text);
        }
        assert!(held.html.contains("<li>Anna Abel</li>"), "{}", held.html);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut facts = Facts::sample(Provider::Generic);
        facts.sso_url = None;
        facts.room = None;
        let order = facts.order.as_mut().unwrap();
        (order.reason, order.group_name, order.bootstrap_due) = (None, None, None);
        facts.source.as_mut().unwrap().reason = None;
        for (notice, part) in [
            (Notice::RoomLive, "sign in here"),
            (Notice::OrderRejected, "Reason"),
            (Notice::BootstrapOverdue, "by "),
            (Notice::SourceDegraded, "What it says"),
        ] {
            let text = Templates::shipped()
                .write(notice, Language::En, &facts)
                .unwrap()
                .text;
            assert!(
                !text.contains(part) || notice == Notice::BootstrapOverdue,
                "{text}"
            );
            assert!(!text.contains("none"), "{text}");
        }
    }

    #[test]
    fn no_value_ends_a_header_begins_a_line_or_becomes_markup() {
        let evil = "Board\r\nBcc: all@evil.example\n\n<img src=x onerror=alert(1)>\nhttps://evil.example/";
        let mut facts = Facts::sample(Provider::Generic);
        let order = facts.order.as_mut().unwrap();
        for field in [
            &mut order.room_name,
            &mut order.customer,
            &mut order.administrator,
            &mut order.requester,
            &mut order.group,
        ] {
            *field = evil.into();
        }
        (order.reason, order.group_name) = (Some(evil.into()), Some(evil.into()));
        facts.room = Some(RoomFacts {
            name: evil.into(),
            url: Some(format!("javascript:{evil}")),
        });
        let hold = facts.hold.as_mut().unwrap();
        (hold.cause, hold.names) = (evil.into(), vec![evil.into()]);
        facts.restore.as_mut().unwrap().person = evil.into();
        facts.token.as_mut().unwrap().label = evil.into();
        facts.source.as_mut().unwrap().reason = Some(evil.into());
        facts.organisation = evil.into();
        for notice in Notice::ALL {
            for language in Language::ALL {
                let message = Templates::shipped().write(*notice, *language, &facts).unwrap();
                assert!(!message.subject.contains(['\r', '\n']), "{}", message.subject);
                assert!(message.subject.chars().count() <= SUBJECT + 1);
                assert!(
                    message
                        .text
                        .lines()
                        .all(|line| !line.starts_with("Bcc") && !line.starts_with("https://evil"))
                );
                assert!(!message.html.contains("<img"), "{}", message.html);
                assert!(
                    !message.html.contains("href=\"https:&#x2f;&#x2f;evil"),
                    "{}",
                    message.html
                );
                assert!(!message.html.contains("href=\"javascript"), "{}", message.html);
            }
        }
    }

    #[test]
    fn a_folder_replaces_single_templates() {
        let templates = with_file(
            "de/room_live.txt",
            "Los geht's: {{ order.room_name }}\n\nSeit {{ at|time }}.\n",
        )
        .unwrap();
        let facts = Facts::sample(Provider::Okta);
        let live = templates.write(Notice::RoomLive, Language::De, &facts).unwrap();
        assert_eq!(live.subject, "Los geht's: Supervisory Board");
        assert!(
            live.text.starts_with("Seit 5. März 2026, 07:04 Uhr UTC.\n"),
            "{}",
            live.text
        );
        assert!(live.html.contains("Seit 5. März 2026"), "{}", live.html);
        let other = templates.write(Notice::RoomLive, Language::En, &facts).unwrap();
        assert_eq!(other.subject, "Room \"Supervisory Board\" is live");
        let shipped = templates
            .write_shipped(Notice::RoomLive, Language::De, &facts)
            .unwrap();
        assert_eq!(shipped.subject, "Raum „Supervisory Board“ ist in Betrieb");
        assert_eq!(
            templates.replaced().iter().collect::<Vec<_>>(),
            ["de/room_live.txt"]
        );
    }

    #[test]
    fn html_of_a_folder_is_escaped_too() {
        let templates = with_file("en/test.html", "<p>{{ organisation }} {{ subject }}</p>").unwrap();
        let facts = Facts {
            organisation: "<b>A & B</b>".into(),
            ..Facts::sample(Provider::Okta)
        };
        let test = templates.write(Notice::Test, Language::En, &facts).unwrap();
        assert_eq!(
            test.html,
            "<p>&lt;b&gt;A &amp; B&lt;&#x2f;b&gt; Usher can send you e-mail</p>"
        );
    }

    #[test]
    fn a_template_that_cannot_be_used_is_named_with_its_line() {
        for (name, text, part) in [
            ("en/room_live.txt", "Live\n\n{{ order.rom_name }}\n", "undefined"),
            ("en/room_live.txt", "Live\n\n{{ order.\n", "en/room_live.txt"),
            ("de/footer.txt", "{% if %}", "de/footer.txt"),
            ("layout.html", "{{ nothing }}", "layout.html"),
        ] {
            let error = with_file(name, text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_template_is_found() {
        for name in [
            "en/room_life.txt",
            "fr/room_live.txt",
            "room_live.txt",
            "en/layout.html",
        ] {
            let error = with_file(name, "x").unwrap_err();
            assert!(matches!(error, TemplateError::Unknown { .. }), "{error}");
        }
        assert!(with_file("README.md", "x").unwrap().replaced().is_empty());
    }
}
