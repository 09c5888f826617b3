//! The parts of a plain text: paragraphs and lists, from which its HTML is made.

use std::collections::BTreeSet;

use serde::Serialize;

/// A part of a text.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Block {
    /// Lines that stand together.
    Paragraph { lines: Vec<Line> },
    /// Lines that begin with `- `.
    List { items: Vec<Line> },
    /// Lines that begin with `1. `, `2. ` and so on.
    Steps { items: Vec<Line> },
}

/// A line, and where it leads.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) text: String,
    /// The address, when the line is nothing but an address that is known: never one that a value brought.
    pub(crate) href: Option<String>,
}

/// Takes a text apart. Parts stand apart by empty lines; lines of a list may go on, indented.
pub(crate) fn blocks(text: &str, links: &BTreeSet<String>) -> Vec<Block> {
    let mut blocks = Vec::new();
    for part in text.split("\n\n") {
        let lines: Vec<&str> = part.lines().filter(|line| !line.trim().is_empty()).collect();
        let Some(first) = lines.first() else { continue };
        let block = if bullet(first).is_some() {
            Block::List {
                items: items(&lines, bullet, links),
            }
        } else if number(first).is_some() {
            Block::Steps {
                items: items(&lines, number, links),
            }
        } else {
            Block::Paragraph {
                lines: lines.into_iter().map(|text| line(text, links)).collect(),
            }
        };
        blocks.push(block);
    }
    blocks
}

fn items(lines: &[&str], begins: fn(&str) -> Option<&str>, links: &BTreeSet<String>) -> Vec<Line> {
    let mut items: Vec<String> = Vec::new();
    for text in lines {
        match (begins(text), items.last_mut()) {
            (None, Some(last)) => {
                last.push(' ');
                last.push_str(text.trim());
            }
            (item, _) => items.push(item.unwrap_or(text).to_owned()),
        }
    }
    items.into_iter().map(|text| line(&text, links)).collect()
}

fn line(text: &str, links: &BTreeSet<String>) -> Line {
    let text = text.trim().to_owned();
    Line {
        href: links.get(&text).cloned(),
        text,
    }
}

fn bullet(line: &str) -> Option<&str> {
    line.strip_prefix("- ")
}

fn number(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(". ")?;
    let is_number = !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Line {
        Line {
            text: text.to_owned(),
            href: None,
        }
    }

    #[test]
    fn paragraphs_lists_and_steps_are_told_apart() {
        let text = "Hello,\nyou\n\n- one\n  goes on\n- two\n\n1. first\n2. second\n\n\nBye\n";
        let expected = vec![
            Block::Paragraph {
                lines: vec![plain("Hello,"), plain("you")],
            },
            Block::List {
                items: vec![plain("one goes on"), plain("two")],
            },
            Block::Steps {
                items: vec![plain("first"), plain("second")],
            },
            Block::Paragraph {
                lines: vec![plain("Bye")],
            },
        ];
        assert_eq!(blocks(text, &BTreeSet::new()), expected);
    }

    #[test]
    fn only_known_addresses_are_links() {
        let links = BTreeSet::from(["https://usher.example/orders/1".to_owned()]);
        let text = "https://usher.example/orders/1\nhttps://evil.example/";
        let blocks = blocks(text, &links);
        let [Block::Paragraph { lines }] = blocks.as_slice() else {
            panic!("one paragraph: {blocks:?}")
        };
        assert_eq!(lines[0].href.as_deref(), Some("https://usher.example/orders/1"));
        assert_eq!(lines[1].href, None);
    }
}
