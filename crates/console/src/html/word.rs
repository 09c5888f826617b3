//! States and reasons, which the API tells as words such as `room_ready`.

use std::fmt;

use askama::filters::HtmlSafe;

use super::Escaped;

/// A state as a small coloured label. The text says everything; the colour only helps.
pub(crate) struct Badge {
    tone: Tone,
    text: String,
}

/// How a state is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing to do.
    Calm,
    /// As it should be.
    Good,
    /// Somebody acts next.
    Waiting,
    /// Something is wrong.
    Bad,
}

impl Badge {
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            tone,
            text: text.into(),
        }
    }
}

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tone = match self.tone {
            Tone::Calm => "calm",
            Tone::Good => "good",
            Tone::Waiting => "waiting",
            Tone::Bad => "bad",
        };
        write!(f, r#"<span class="badge {tone}">{}</span>"#, Escaped(&self.text))
    }
}

impl HtmlSafe for Badge {}

/// A word of the API for people: `room_ready` becomes "Room ready".
pub(crate) fn word(word: &str) -> String {
    let mut text = word.replace('_', " ");
    if let Some(first) = text.get(..1) {
        let first = first.to_uppercase();
        text.replace_range(..1, &first);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_becomes_readable() {
        assert_eq!(word("room_ready"), "Room ready");
        assert_eq!(word(""), "");
        assert_eq!(word("ärger"), "ärger");
    }
}
