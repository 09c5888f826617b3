//! Where the SQL of the engines differs, in one place.
//!
//! Statements are written once, as SQLite takes them. PostgreSQL gets the same text with these changes:
//!
//! - `/*pg FOR NO KEY UPDATE OF g*/`, a comment to SQLite, loses its comment signs. Row locks, casts of parameters and whatever
//!   only PostgreSQL needs are written so.
//! - `/*lite*/A/*pg B*/` becomes `B`: what each engine says in its own words.
//! - `CROSS JOIN x ON …` becomes `JOIN x ON …`. To SQLite `CROSS` means that the tables are read in the order written;
//!   standard SQL has no condition after it.
//! - One `VALUES ($1, …)` that runs for many rows becomes a read of `unnest`.

use std::collections::BTreeSet;

/// The beginning of text for PostgreSQL alone, inside of a comment.
const MARK: &str = "/*pg ";
/// The beginning of text for SQLite alone, which ends where that for PostgreSQL begins.
const LITE: &str = "/*lite*/";

/// A statement as PostgreSQL takes it.
pub(crate) fn for_postgres(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(start) = rest.find(MARK) {
        let (before, marked) = rest.split_at(start);
        let marked = &marked[MARK.len()..];
        let (inside, after) = marked.split_once("*/").unwrap_or((marked, ""));
        text.push_str(before.rsplit_once(LITE).map_or(before, |(before, _lite)| before));
        text.push_str(inside);
        rest = after;
    }
    text.push_str(rest);
    without_fixed_order(&text)
}

/// Turns `CROSS JOIN` into `JOIN` wherever a condition follows.
fn without_fixed_order(sql: &str) -> String {
    const CROSS: &str = "CROSS ";
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(start) = rest.find("CROSS JOIN ") {
        let (before, join) = rest.split_at(start);
        text.push_str(before);
        let (cross, join) = join.split_at(CROSS.len());
        if !has_condition(&join["JOIN ".len()..]) {
            text.push_str(cross);
        }
        text.push_str("JOIN ");
        rest = &join["JOIN ".len()..];
    }
    text.push_str(rest);
    text
}

/// Whether what follows `JOIN` is a table and its condition.
fn has_condition(after: &str) -> bool {
    let mut depth = 0_usize;
    let mut words = Words(after).peekable();
    while let Some(word) = words.next() {
        match word {
            "(" => depth += 1,
            ")" if depth == 0 => return false,
            ")" => depth -= 1,
            _ if depth > 0 => {}
            "ON" => return words.peek() != Some(&"CONFLICT"),
            "CROSS" | "JOIN" | "LEFT" | "WHERE" | "ORDER" | "GROUP" | "LIMIT" | "UNION" | "," => {
                return false;
            }
            _ => {}
        }
    }
    false
}

/// The words and signs of a statement. Good enough to find keywords; text in quotes is taken for words.
struct Words<'s>(&'s str);

impl<'s> Iterator for Words<'s> {
    type Item = &'s str;

    fn next(&mut self) -> Option<&'s str> {
        let text = self.0.trim_start();
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '$';
        let first = text.chars().next()?;
        let end = if is_word(first) {
            text.find(|c| !is_word(c)).unwrap_or(text.len())
        } else {
            first.len_utf8()
        };
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

/// A PostgreSQL statement with one `VALUES ($1, …)`, for as many rows as its parameters, now arrays of these types, have.
/// Nothing when it has no such clause.
pub(crate) fn over_arrays(sql: &str, types: &[&str]) -> Option<String> {
    const VALUES: &str = "VALUES (";
    let start = sql.find(VALUES)?;
    let list = &sql[start + VALUES.len()..];
    let end = closing(list)?;
    let mut columns = String::new();
    for (place, expression) in split(&list[..end]).into_iter().enumerate() {
        if place > 0 {
            columns.push_str(", ");
        }
        columns.push_str(&expression.trim().replace('$', "u.p"));
        columns.push_str(&format!(" AS column{}", place + 1));
    }
    let arrays: Vec<_> = (1..)
        .zip(types)
        .map(|(number, kind)| format!("${number}::{kind}"))
        .collect();
    let names: Vec<_> = (1..=types.len()).map(|number| format!("p{number}")).collect();
    Some(format!(
        "{}SELECT {columns} FROM unnest({}) AS u({}){}",
        &sql[..start],
        arrays.join(", "),
        names.join(", "),
        &list[end + 1..]
    ))
}

/// How many placeholders a statement has; nothing when a number is left out.
pub(crate) fn placeholders(sql: &str) -> Option<usize> {
    let mut seen = BTreeSet::new();
    for part in sql.split('$').skip(1) {
        let end = part
            .find(|sign: char| !sign.is_ascii_digit())
            .unwrap_or(part.len());
        // What is no number belongs to a text, such as a path in JSON.
        if let Ok(number) = part[..end].parse::<usize>() {
            seen.insert(number);
        }
    }
    let count = seen.len();
    (seen.first().is_none_or(|first| *first == 1) && seen.last().is_none_or(|last| *last == count))
        .then_some(count)
}

/// Where the parenthesis closes that was opened before this text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, sign) in text.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The expressions of a list.
fn split(list: &str) -> Vec<&str> {
    let (mut depth, mut start) = (0_usize, 0);
    let mut parts = Vec::new();
    for (at, sign) in list.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &str) {
        assert_eq!(for_postgres(sql), expected);
    }

    #[test]
    fn what_is_marked_is_for_postgres() {
        check("SELECT 1 /*pg FOR SHARE*/", "SELECT 1 FOR SHARE");
        check(
            "SELECT $1/*pg ::uuid*/, 2 /* kept */",
            "SELECT $1::uuid, 2 /* kept */",
        );
    }

    #[test]
    fn each_engine_may_have_its_own_words() {
        check(
            "SELECT /*lite*/ifnull(a, 0)/*pg coalesce(a, 0)*/, 1 /*lite*/+/*pg -*/ 2",
            "SELECT coalesce(a, 0), 1 - 2",
        );
    }

    #[test]
    fn a_join_with_a_condition_is_no_cross_join() {
        check(
            "FROM rarray($1) r CROSS JOIN rarray($2) p CROSS JOIN parked k ON k.room_id = r.value WHERE true",
            "FROM rarray($1) r CROSS JOIN rarray($2) p JOIN parked k ON k.room_id = r.value WHERE true",
        );
        check(
            "FROM a CROSS JOIN (SELECT x FROM b JOIN c ON true) t WHERE 1 = 1",
            "FROM a CROSS JOIN (SELECT x FROM b JOIN c ON true) t WHERE 1 = 1",
        );
        check(
            "SELECT 1 FROM a CROSS JOIN b ON CONFLICT DO NOTHING",
            "SELECT 1 FROM a CROSS JOIN b ON CONFLICT DO NOTHING",
        );
    }

    #[test]
    fn placeholders_are_counted() {
        assert_eq!(placeholders("SELECT $2, $1, $2, '$.active'"), Some(2));
        assert_eq!(placeholders("SELECT $1, $10"), None);
        assert_eq!(placeholders("SELECT $0"), None);
        assert_eq!(placeholders("SELECT 1"), Some(0));
    }

    #[test]
    fn values_become_arrays() {
        let types = ["uuid[]", "bigint[]"];
        assert_eq!(
            over_arrays(
                "INSERT INTO t (a, b, c) VALUES ($1, 'x', f($2, 1)) ON CONFLICT DO NOTHING",
                &types
            )
            .unwrap(),
            "INSERT INTO t (a, b, c) SELECT u.p1 AS column1, 'x' AS column2, f(u.p2, 1) AS column3 \
             FROM unnest($1::uuid[], $2::bigint[]) AS u(p1, p2) ON CONFLICT DO NOTHING"
        );
        assert_eq!(
            over_arrays(
                "UPDATE t SET b = v.column2 FROM (VALUES ($1, $2)) v WHERE t.a = v.column1",
                &types
            )
            .unwrap(),
            "UPDATE t SET b = v.column2 FROM (SELECT u.p1 AS column1, u.p2 AS column2 \
             FROM unnest($1::uuid[], $2::bigint[]) AS u(p1, p2)) v WHERE t.a = v.column1"
        );
        assert_eq!(over_arrays("DELETE FROM t WHERE a = $1 AND b = $2", &types), None);
    }
}
