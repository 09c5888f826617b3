//! Every statement of the product, read from the source: what is in the source cannot be forgotten here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A statement and where it is written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) file: String,
    pub(super) sql: String,
}

/// The files of `src/query` that have a word.
pub(super) fn files_with(word: &str) -> Vec<String> {
    let has = |path: &&PathBuf| {
        let source = fs::read_to_string(path).unwrap();
        tokens(&source).iter().any(|token| token.text() == word)
    };
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files().iter().filter(has).map(name).collect()
}

/// The statements of `src/query`, those that are put together by `select_…!` macros included.
pub(super) fn statements() -> Vec<Written> {
    files()
        .iter()
        .flat_map(|path| {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let found = of_source(&fs::read_to_string(path).unwrap());
            found.into_iter().map(move |sql| Written {
                file: file.clone(),
                sql,
            })
        })
        .collect()
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/query");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

/// The statements of one file, tests excluded.
fn of_source(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let end = tokens
        .windows(5)
        .position(|five| five.iter().map(Token::text).eq(["#", "[", "cfg", "(", "test"]))
        .unwrap_or(tokens.len());
    let tokens = &tokens[..end];
    let mut macros: BTreeMap<&str, Vec<Vec<Token>>> = BTreeMap::new();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (name, next) = (tokens[at].text(), tokens.get(at + 1).map_or("", Token::text));
        match (name, next) {
            ("macro_rules", "!") => {
                let body = group(tokens, at + 3);
                macros.insert(tokens[at + 2].text(), concatenations(body));
                at += 3 + body.len();
            }
            ("concat", "!") => {
                let body = group(tokens, at + 2);
                found.push(joined(body, ""));
                at += 2 + body.len();
            }
            (name, "!") if macros.contains_key(name) => {
                let body = group(tokens, at + 2);
                let given = joined(body, "");
                found.extend(macros[name].iter().map(|parts| joined(parts, &given)));
                at += 2 + body.len();
            }
            _ => {
                // A part that is named in a table of parts is put together with others at run time.
                let is_part = at > 0 && tokens[at - 1].text() == ":";
                if let (Token::Literal(text), false) = (&tokens[at], is_part) {
                    found.push(text.clone());
                }
                at += 1;
            }
        }
    }
    found.retain(|text| {
        let first = text.split_ascii_whitespace().next().unwrap_or_default();
        ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "LOCK"].contains(&first) && text.trim().contains(' ')
    });
    found
}

/// The tokens of the group that opens here, its brackets included.
fn group(tokens: &[Token], start: usize) -> &[Token] {
    let mut depth = 0;
    for (length, token) in tokens[start..].iter().enumerate() {
        match token {
            Token::Sign(sign) if "([{".contains(*sign) => depth += 1,
            Token::Sign(sign) if ")]}".contains(*sign) => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &tokens[start..=start + length];
        }
    }
    panic!("a bracket is not closed")
}

/// What each `concat!` of a macro joins.
fn concatenations(body: &[Token]) -> Vec<Vec<Token>> {
    (0..body.len())
        .filter(|at| body[*at].text() == "concat")
        .map(|at| group(body, at + 2).to_vec())
        .collect()
}

/// The literals one after the other; what the macro was given stands for its parameter.
fn joined(parts: &[Token], given: &str) -> String {
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        match part {
            Token::Literal(literal) => text.push_str(literal),
            Token::Word(_) if at > 0 && parts[at - 1].text() == "$" => text.push_str(given),
            _ => {}
        }
    }
    text
}

/// As much of Rust's tokens as is needed here.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Literal(String),
    Sign(char),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Literal(_) => "\"",
            Self::Sign(sign) => {
                const SIGNS: &str = "#[](){}!:$";
                SIGNS.find(*sign).map_or("", |at| &SIGNS[at..=at])
            }
        }
    }
}

fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if first == '"' {
            let (text, after) = literal(&rest[1..]);
            tokens.push(Token::Literal(text));
            rest = after;
        } else if first == '\'' {
            // A character or a lifetime.
            let is_character = rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'');
            let skipped = match is_character {
                true => 2 + rest[2..].find('\'').unwrap(),
                false => 1,
            };
            rest = &rest[skipped.max(1)..];
            rest = rest.strip_prefix('\'').unwrap_or(rest);
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

/// The value of a string literal, and what follows it.
fn literal(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut rest = source;
    loop {
        let first = rest.chars().next().unwrap();
        rest = &rest[first.len_utf8()..];
        match first {
            '"' => return (text, rest),
            '\\' => {
                let escaped = rest.chars().next().unwrap();
                rest = &rest[escaped.len_utf8()..];
                match escaped {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    '\n' => rest = rest.trim_start(),
                    other => text.push(other),
                }
            }
            other => text.push(other),
        }
    }
}

#[test]
fn statements_are_found_wherever_they_are_written() {
    let source = r#"
        macro_rules! select_x { ($rest:literal) => { concat!("SELECT x ", $rest) }; }
        const SQL: &str = concat!("SELECT y ", "FROM y");
        fn f<'a>() { let c = '"'; g(select_x!("FROM x")); h("DELETE FROM z \
            WHERE true"); i("no statement"); } // "SELECT commented"
        const T: T = T { part: "SELECT only a part" };
        #[cfg(test)] mod tests { const T: &str = "SELECT tested"; }
    "#;
    let expected = ["SELECT y FROM y", "SELECT x FROM x", "DELETE FROM z WHERE true"];
    assert_eq!(of_source(source), expected);
}
