//! People and rooms, as links to their pages.

use std::fmt;

use askama::filters::HtmlSafe;
use serde::Deserialize;
use uuid::Uuid;

use super::Escaped;

/// A person: their name where there is one, with the address below it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct PersonName {
    pub(crate) id: Uuid,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) email: Option<String>,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct RoomName {
    pub(crate) id: Uuid,
    pub(crate) name: String,
}

impl PersonName {
    /// What to call them in a sentence.
    pub(crate) fn label(&self) -> &str {
        self.name
            .as_deref()
            .filter(|name| !name.trim().is_empty())
            .or(self.email.as_deref())
            .unwrap_or("somebody without a name")
    }
}

/// Names are isolated (`bdi`), so that letters written from right to left do not turn what stands beside them around.
impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.label();
        write!(
            f,
            r#"<a class="who" href="/persons/{}"><bdi>{}</bdi></a>"#,
            self.id,
            Escaped(label)
        )?;
        match &self.email {
            Some(email) if email != label => {
                write!(f, r#" <span class="mail"><bdi>{}</bdi></span>"#, Escaped(email))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"<a href="/rooms/{}"><bdi>{}</bdi></a>"#,
            self.id,
            Escaped(&self.name)
        )
    }
}

impl HtmlSafe for PersonName {}
impl HtmlSafe for RoomName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_text() {
        let person = PersonName {
            id: Uuid::nil(),
            name: Some("<script>alert(1)</script>".into()),
            email: Some("\"><img src=x>@x".into()),
        };
        let text = person.to_string();
        assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
    }
}
