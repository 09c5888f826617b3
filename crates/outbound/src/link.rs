//! Web links in header fields (RFC 8288 §3).

/// The targets of every link with the relation `rel`, as they stand in the header fields, in order.
///
/// A field may hold several links and a link several relation types. Links with an `anchor` speak of another resource
/// and are left out (§3.2). What cannot be read ends its field; links before it count.
pub(crate) fn targets<'a>(fields: impl Iterator<Item = &'a str>, rel: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for field in fields {
        let mut rest = field;
        while let Some((link, after)) = next_link(rest) {
            if link.is_about(rel) {
                found.push(link.target);
            }
            rest = after;
        }
    }
    found
}

struct Link<'a> {
    target: &'a str,
    rel: Option<String>,
    anchored: bool,
}

impl Link<'_> {
    fn is_about(&self, rel: &str) -> bool {
        let types = self.rel.as_deref().unwrap_or_default();
        !self.anchored
            && types
                .split_ascii_whitespace()
                .any(|name| name.eq_ignore_ascii_case(rel))
    }
}

/// The first link of a field and what follows its comma.
fn next_link(field: &str) -> Option<(Link<'_>, &str)> {
    let start = field.trim_start_matches([' ', '\t', ',']).strip_prefix('<')?;
    let (target, mut rest) = start.split_once('>')?;
    let mut link = Link {
        target: target.trim(),
        rel: None,
        anchored: false,
    };
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix(',') {
            return Some((link, after));
        }
        let Some(after) = rest.strip_prefix(';') else {
            return rest.is_empty().then_some((link, rest));
        };
        let (name, value, after) = next_param(after)?;
        match name.to_ascii_lowercase().as_str() {
            // A second `rel` is ignored (§3.3).
            "rel" if link.rel.is_none() => link.rel = Some(value),
            "anchor" => link.anchored = true,
            _ => {}
        }
        rest = after;
    }
}

/// One parameter: its name, its value without quotes, and what follows.
fn next_param(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let end = text.find([';', ',', '=', ' ', '\t']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.trim_start_matches([' ', '\t']).strip_prefix('=') else {
        return Some((name, String::new(), rest));
    };
    let value = value.trim_start_matches([' ', '\t']);
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find([';', ',', ' ', '\t']).unwrap_or(value.len());
        return Some((name, value[..end].to_owned(), &value[end..]));
    };
    let mut unquoted = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((name, unquoted, &quoted[at + 1..])),
            '\\' => unquoted.push(letters.next()?.1),
            _ => unquoted.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[&str], expected: &[&str]) {
        assert_eq!(targets(fields.iter().copied(), "next"), expected, "{fields:?}");
    }

    #[test]
    fn links_may_share_a_field_or_come_in_several() {
        let own = "<https://x.example/a?limit=2>; rel=\"self\"";
        let next = "<https://x.example/a?after=%2Bq,%3B&limit=2>; rel=\"next\"";
        let url = ["https://x.example/a?after=%2Bq,%3B&limit=2"];
        check(&[own, next], &url);
        check(&[&format!("{own}, {next}")], &url);
        check(&[&format!("{next},{own}")], &url);
        check(&[own], &[]);
        check(&[], &[]);
    }

    #[test]
    fn parameters_are_read_as_the_standard_says() {
        check(&["<a>;rel=next"], &["a"]);
        check(&["<a> ; REL = \"Prev NEXT\" ; title=\"x\""], &["a"]);
        check(
            &["<a>; title=\"one, two; rel=\\\"next\\\"\"; rel=last, <b>; rel=next"],
            &["b"],
        );
        check(&["<a>; rel=last; rel=next"], &[]);
        check(&["<a>; anchor=\"#foo\"; rel=next"], &[]);
        check(&["<a>; crossorigin; rel=next"], &["a"]);
        check(&["<a>; rel=nextpage"], &[]);
        check(&[",, <a>; rel=next,"], &["a"]);
    }

    #[test]
    fn what_cannot_be_read_ends_its_field_only() {
        check(&["nonsense", "<a>; rel=next"], &["a"]);
        check(&["<a>; rel=next, <b", "<c>; rel=\"next"], &["a"]);
        check(&["<a>; rel=next junk", "<>; rel=\"next\\"], &[]);
    }
}
