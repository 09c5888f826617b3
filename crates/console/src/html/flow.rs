//! How people get into a room, as a picture: identity provider, group, mapping, room.

use std::fmt;

use askama::filters::HtmlSafe;

use super::{Escaped, short};

const WIDTH: f64 = 960.0;
const BOX: f64 = 250.0;
const LINE: f64 = 74.0;
/// How many characters of a name fit.
const FITS: usize = 32;

/// The groups of a room and how each leads to it.
pub(crate) struct Flow {
    pub(crate) room: String,
    pub(crate) groups: Vec<Way>,
}

/// One group's way into the room.
pub(crate) struct Way {
    pub(crate) source: String,
    pub(crate) group: String,
    /// What is said on the way: the level at which people start, or what is missing.
    pub(crate) label: String,
    /// Whether people come in by it.
    pub(crate) is_open: bool,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "a room has few groups")]
        let height = self.groups.len() as f64 * LINE;
        let middle = height / 2.0;
        let words: Vec<String> = self.groups.iter().map(Way::to_string).collect();
        write!(
            f,
            r#"<svg class="picture" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{}">"#,
            Escaped(&words.join("; "))
        )?;
        for (place, way) in self.groups.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a room has few groups")]
            let y = place as f64 * LINE + LINE / 2.0;
            let (node, wire) = if way.is_open {
                ("node good", "wire")
            } else {
                ("node waiting", "wire closed")
            };
            let right = WIDTH - BOX - 6.0;
            write!(
                f,
                r#"<path class="{wire}" d="M{} {y} C{} {y} {} {middle} {right} {middle}"></path>"#,
                BOX + 2.0,
                BOX + 240.0,
                right - 140.0
            )?;
            write!(
                f,
                r#"<rect class="{node}" x="1" y="{}" width="{BOX}" height="52" rx="8"></rect>"#,
                y - 26.0
            )?;
            write!(
                f,
                r#"<text x="14" y="{}">{}</text><text class="dim" x="14" y="{}">{}</text>"#,
                y - 4.0,
                Escaped(&short(&way.group, FITS)),
                y + 15.0,
                Escaped(&short(&way.source, FITS))
            )?;
            write!(
                f,
                r#"<text class="dim" x="{}" y="{}">{}</text>"#,
                BOX + 16.0,
                y - 8.0,
                Escaped(&short(&way.label, FITS))
            )?;
        }
        write!(
            f,
            r#"<rect class="node" x="{}" y="{}" width="{BOX}" height="52" rx="8"></rect><text x="{}" y="{}">{}</text></svg>"#,
            WIDTH - BOX - 1.0,
            middle - 26.0,
            WIDTH - BOX + 13.0,
            middle + 5.0,
            Escaped(&short(&self.room, FITS))
        )
    }
}

impl HtmlSafe for Flow {}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {} of {}: {}", self.group, self.source, self.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_picture_shows_is_said_in_words() {
        let way = Way {
            source: "entra".into(),
            group: "Board & friends".into(),
            label: "start as User".into(),
            is_open: true,
        };
        let text = Flow {
            room: "Board".into(),
            groups: vec![way],
        }
        .to_string();
        assert!(
            text.contains("aria-label=\"group Board &amp; friends of entra: start as User\""),
            "{text}"
        );
    }
}
