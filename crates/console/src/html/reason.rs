//! The field for a reason that a step may be given.

use std::fmt;

use askama::filters::HtmlSafe;

/// Asks for a reason, which may stay empty; its own value is the id of the field.
pub(crate) struct Reason(pub(crate) &'static str);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            f,
            r#"<div class="field"><label for="{id}">Reason, for the history</label><input id="{id}" name="reason" maxlength="1000"></div>"#
        )
    }
}

impl HtmlSafe for Reason {}
