//! Stays over time as a picture: a line for each person or room, a bar for each time in the room.

use std::fmt;

use askama::filters::HtmlSafe;
use usher_core::Timestamp;

use super::{Escaped, short};

/// Width of the picture, and of the part that names the lines.
const WIDTH: f64 = 960.0;
const NAMES: f64 = 240.0;
/// Height of a line, and of the axis below the last one.
const LINE: f64 = 26.0;
const AXIS: f64 = 26.0;
/// The least width of a bar, so that a short stay is seen.
const LEAST: f64 = 3.0;
/// How many characters of a name fit.
const FITS: usize = 30;

/// Stays over time. The picture is said in words by what stands beside it: to a screen reader it is one image with a title.
pub(crate) struct Gantt {
    title: String,
    lines: Vec<Line>,
    now: Timestamp,
}

/// A line of the picture.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) href: String,
    pub(crate) bars: Vec<Bar>,
}

/// A time in the room.
pub(crate) struct Bar {
    pub(crate) from: Timestamp,
    /// Nothing while it goes on.
    pub(crate) to: Option<Timestamp>,
    /// `managed`, `manual` or `bootstrap`.
    pub(crate) kind: String,
}

impl Gantt {
    pub(crate) fn new(title: impl Into<String>, lines: Vec<Line>, now: Timestamp) -> Self {
        Self {
            title: title.into(),
            lines,
            now,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.bars.is_empty())
    }

    /// The first moment of the picture: a little before the first bar.
    fn start(&self) -> i64 {
        let bars = self.lines.iter().flat_map(|line| &line.bars);
        let first = bars.map(|bar| bar.from.as_micros()).min();
        let now = self.now.as_micros();
        let first = first.unwrap_or(now).min(now - 3_600_000_000);
        first - (now - first) / 40
    }
}

impl fmt::Display for Gantt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, now) = (self.start(), self.now.as_micros());
        #[expect(clippy::cast_precision_loss, reason = "a picture has no microseconds")]
        let at = |moment: i64| {
            let part = (moment - start) as f64 / (now - start).max(1) as f64;
            NAMES + (WIDTH - NAMES) * part.clamp(0.0, 1.0)
        };
        #[expect(clippy::cast_precision_loss, reason = "there are few lines")]
        let height = self.lines.len() as f64 * LINE;
        write!(
            f,
            r#"<svg class="picture" viewBox="0 0 {WIDTH} {}" role="group" aria-label="{}">"#,
            height + AXIS,
            Escaped(&self.title)
        )?;
        for step in 0..=4_i64 {
            let moment = start + (now - start) / 4 * step;
            let x = at(moment);
            write!(
                f,
                r#"<line class="axis" x1="{x:.1}" x2="{x:.1}" y1="0" y2="{height}"></line>"#
            )?;
            let anchor = match step {
                4 => "end",
                0 => "start",
                _ => "middle",
            };
            write!(
                f,
                r#"<text class="dim" x="{x:.1}" y="{}" text-anchor="{anchor}">{}</text>"#,
                height + 18.0,
                label(moment, now - start)
            )?;
        }
        for (place, line) in self.lines.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "there are few lines")]
            let y = place as f64 * LINE;
            write!(
                f,
                r#"<a href="{}"><text x="0" y="{}">{}</text></a>"#,
                Escaped(&line.href),
                y + 18.0,
                Escaped(&short(&line.label, FITS))
            )?;
            for bar in &line.bars {
                let from = at(bar.from.as_micros());
                let to = at(bar.to.map_or(now, Timestamp::as_micros));
                let kind = match bar.kind.as_str() {
                    "manual" => " manual",
                    "bootstrap" => " bootstrap",
                    _ => "",
                };
                let ended = if bar.to.is_some() { " over" } else { "" };
                write!(
                    f,
                    r#"<rect class="bar{kind}{ended}" x="{:.1}" y="{}" width="{:.1}" height="14" rx="3"></rect>"#,
                    from.min(WIDTH - LEAST),
                    y + 6.0,
                    (to - from).max(LEAST)
                )?;
            }
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Gantt {}

/// A moment of the axis: a day, and the time as well where the picture shows few days.
fn label(moment: i64, span: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    let Ok(at) = jiff::Timestamp::from_microsecond(moment) else {
        return String::new();
    };
    let format = match span {
        span if span < 4 * DAY => "%-d %b, %H:%M",
        span if span < 700 * DAY => "%-d %b",
        _ => "%b %Y",
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn bars_stay_inside_and_names_are_text() {
        let bar = |from, to: Option<&str>| Bar {
            from: time(from),
            to: to.map(time),
            kind: "manual".into(),
        };
        let line = Line {
            label: "<b>Ada</b>".into(),
            href: "/persons/1".into(),
            bars: vec![
                bar("2026-01-01T00:00:00Z", Some("2026-01-01T00:00:01Z")),
                bar("2026-03-01T00:00:00Z", None),
            ],
        };
        let gantt = Gantt::new("Stays", vec![line], time("2026-04-01T00:00:00Z"));
        let text = gantt.to_string();
        assert!(text.contains("&lt;b&gt;Ada") && !text.contains("<b>"), "{text}");
        assert_eq!(text.matches("<rect").count(), 2);
        for width in text.split("width=\"").skip(1) {
            let width: f64 = width.split('"').next().unwrap().parse().unwrap();
            assert!((LEAST..=WIDTH).contains(&width), "{text}");
        }
    }
}
