//! The hidden fields of every form.

use std::fmt;

use askama::filters::HtmlSafe;

use super::Escaped;

/// `csrf`, which proves where the form comes from, and `once`, which makes it be done once.
pub(crate) struct Hidden {
    csrf: String,
    once: String,
}

impl Hidden {
    /// Fields of one form: `once` is drawn anew each time.
    pub(crate) fn new(csrf: &str) -> Self {
        Self {
            csrf: csrf.to_owned(),
            once: draw(),
        }
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"<input type="hidden" name="csrf" value="{}"><input type="hidden" name="once" value="{}">"#,
            Escaped(&self.csrf),
            Escaped(&self.once)
        )
    }
}

impl HtmlSafe for Hidden {}

fn draw() -> String {
    use fmt::Write as _;
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    let mut text = String::with_capacity(32);
    for byte in bytes {
        let _always_works = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_a_value_of_its_own() {
        assert_ne!(Hidden::new("c").to_string(), Hidden::new("c").to_string());
    }
}
