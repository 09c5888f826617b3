//! Lists as CSV (RFC 4180) for spreadsheets, sent page by page, with nothing in it that a spreadsheet would run.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::ApiError;

/// Lines of a CSV file.
#[derive(Debug, Default)]
pub(super) struct Csv(String);

impl Csv {
    /// Adds a line.
    pub(super) fn line(&mut self, cells: &[&str]) {
        for (place, text) in cells.iter().enumerate() {
            if place > 0 {
                self.0.push(',');
            }
            cell(&mut self.0, text);
        }
        self.0.push_str("\r\n");
    }
}

/// Adds a cell. What a spreadsheet takes for a formula gets an apostrophe before it, as OWASP advises (CSV Injection).
fn cell(csv: &mut String, text: &str) {
    let is_formula = text.trim_start_matches([' ', '"']).starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]);
    let is_quoted = is_formula || text.contains(['"', ',', '\r', '\n', ';', '\t']);
    if is_quoted {
        csv.push('"');
    }
    if is_formula {
        csv.push('\'');
    }
    for sign in text.chars() {
        if sign == '"' {
            csv.push('"');
        }
        csv.push(sign);
    }
    if is_quoted {
        csv.push('"');
    }
}

/// A file of a head, of the first lines, and of what `more` gives for each place until there is none. Where the database
/// fails on the way, the last line says that the file is not whole.
pub(super) fn stream<P, F>(
    name: &'static str,
    head: &[&str],
    (first, place): (Csv, Option<P>),
    more: impl FnMut(P) -> F + Send + 'static,
) -> Response
where
    P: Send + 'static,
    F: Future<Output = Result<(Csv, Option<P>), ApiError>> + Send + 'static,
{
    // The mark of UTF-8, by which spreadsheets know that letters are not of some old code page.
    let mut text = Csv("\u{feff}".to_owned());
    text.line(head);
    text.0.push_str(&first.0);
    let rest = stream::unfold((place, more), |(place, mut more)| async move {
        let (lines, next) = match more(place?).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(error = %crate::logging::chain(&error), "an export broke off");
                let mut lines = Csv::default();
                lines.line(&["this list is not whole: the database did not answer; ask for it again"]);
                (lines, None)
            }
        };
        Some((lines, (next, more)))
    });
    let chunks = stream::iter([text]).chain(rest);
    let chunks = chunks.map(|lines| Ok::<_, Infallible>(Bytes::from(lines.0)));
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut csv = Csv::default();
        csv.line(&[text, "b"]);
        assert_eq!(csv.0, format!("{expected},b\r\n"));
    }

    #[test]
    fn nothing_is_a_formula() {
        check("Ada", "Ada");
        check("=1+1", "\"'=1+1\"");
        check("  @SUM(A1)", "\"'  @SUM(A1)\"");
        check("-2", "\"'-2\"");
        check("\"=cmd\"", "\"'\"\"=cmd\"\"\"");
        check("ada@contoso.com", "ada@contoso.com");
    }

    #[test]
    fn signs_of_the_format_are_quoted() {
        check("Lovelace, Ada", "\"Lovelace, Ada\"");
        check("say \"hi\"", "\"say \"\"hi\"\"\"");
        check("two\nlines", "\"two\nlines\"");
    }
}
