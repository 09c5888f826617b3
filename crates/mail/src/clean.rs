//! Values as they may stand in an e-mail.

/// What a value may not be longer than.
const LONGEST: usize = 1000;

/// A value on one line: line breaks and other control characters are spaces, several are one, and what turns the
/// direction of text is gone (Unicode UAX #9), because a name could show itself as another with it.
pub(crate) fn clean(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars().take(LONGEST) {
        match c {
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}') => {
                if !text.is_empty() && !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            c => text.push(c),
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Text that is no longer than this, cut at a character, with a sign that it was.
pub(crate) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_begins_a_line() {
        assert_eq!(
            clean(" Board\r\nBcc: x@evil.example\u{2028}Y\tZ\0"),
            "Board Bcc: x@evil.example Y Z"
        );
    }

    #[test]
    fn nothing_in_a_value_turns_its_direction() {
        assert_eq!(clean("a\u{202e}b\u{2066}c\u{200f}"), "abc");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(clip("äöü", 2), "äö…");
        assert_eq!(clip("äö", 2), "äö");
        assert_eq!(clean(&"x".repeat(5000)).len(), 1000);
    }
}
