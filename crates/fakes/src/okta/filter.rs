//! Filter expressions: comparisons joined by `and`, `or` and parentheses.

use jiff::Timestamp;

/// A filter expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare {
        attribute: String,
        operator: Operator,
        value: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Gt,
    Ge,
    Lt,
    Le,
    Sw,
    Co,
}

impl Filter {
    /// Reads an expression; `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let tokens = tokens(text)?;
        let mut rest = tokens.as_slice();
        let filter = any(&mut rest)?;
        rest.is_empty().then_some(filter)
    }

    /// Whether it holds for something with these attributes; an attribute may have several values.
    pub(super) fn holds(&self, values: &dyn Fn(&str) -> Vec<String>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(values)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(values)),
            Self::Compare {
                attribute,
                operator,
                value,
            } => values(attribute).iter().any(|found| operator.holds(found, value)),
        }
    }

    /// Every comparison in it: attribute and operator.
    pub(super) fn comparisons(&self) -> Vec<(&str, Operator)> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::comparisons).collect(),
            Self::Compare {
                attribute, operator, ..
            } => vec![(attribute, *operator)],
        }
    }
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "eq" => Self::Eq,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "sw" => Self::Sw,
            "co" => Self::Co,
            _ => return None,
        })
    }

    fn holds(self, found: &str, wanted: &str) -> bool {
        let times = || Some((found.parse::<Timestamp>().ok()?, wanted.parse().ok()?));
        match self {
            Self::Eq => found == wanted,
            Self::Sw => found.starts_with(wanted),
            Self::Co => found.contains(wanted),
            Self::Gt => times().is_some_and(|(found, wanted)| found > wanted),
            Self::Ge => times().is_some_and(|(found, wanted)| found >= wanted),
            Self::Lt => times().is_some_and(|(found, wanted)| found < wanted),
            Self::Le => times().is_some_and(|(found, wanted)| found <= wanted),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
    Text(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            '"' => {
                let mut value = String::new();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => value.push(letters.next()?),
                        other => value.push(other),
                    }
                }
                tokens.push(Token::Text(value));
            }
            first => {
                let mut word = String::from(first);
                while let Some(next) = letters.next_if(|next| !" ()\"".contains(*next)) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

fn any(rest: &mut &[Token]) -> Option<Filter> {
    joined(rest, "or", all, Filter::Any)
}

fn all(rest: &mut &[Token]) -> Option<Filter> {
    joined(rest, "and", part, Filter::All)
}

fn joined(
    rest: &mut &[Token],
    word: &str,
    inner: fn(&mut &[Token]) -> Option<Filter>,
    join: fn(Vec<Filter>) -> Filter,
) -> Option<Filter> {
    let mut parts = vec![inner(rest)?];
    while let [Token::Word(next), after @ ..] = *rest {
        if !next.eq_ignore_ascii_case(word) {
            break;
        }
        *rest = after;
        parts.push(inner(rest)?);
    }
    if parts.len() == 1 {
        return parts.pop();
    }
    Some(join(parts))
}

fn part(rest: &mut &[Token]) -> Option<Filter> {
    match *rest {
        [Token::Open, after @ ..] => {
            *rest = after;
            let inner = any(rest)?;
            let [Token::Close, after @ ..] = *rest else {
                return None;
            };
            *rest = after;
            Some(inner)
        }
        [
            Token::Word(attribute),
            Token::Word(operator),
            Token::Text(value),
            after @ ..,
        ] => {
            let operator = Operator::parse(operator)?;
            *rest = after;
            Some(Filter::Compare {
                attribute: attribute.clone(),
                operator,
                value: value.clone(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(filter: &str) -> bool {
        let filter = Filter::parse(filter).expect("a filter");
        filter.holds(&|name| match name {
            "type" => vec!["OKTA_GROUP".into()],
            "lastUpdated" => vec!["2026-01-01T00:00:05.000Z".into()],
            "target.id" => vec!["00u1".into(), "00g1".into()],
            _ => vec![],
        })
    }

    #[test]
    fn and_binds_closer_than_or() {
        assert!(holds(r#"type eq "OKTA_GROUP" or type eq "X" and type eq "Y""#));
        assert!(!holds(r#"(type eq "OKTA_GROUP" OR type eq "X") AND type eq "Y""#));
    }

    #[test]
    fn times_are_compared_as_times() {
        assert!(holds(r#"lastUpdated gt "2026-01-01T00:00:04Z""#));
        assert!(!holds(r#"lastUpdated gt "2026-01-01T00:00:05.000Z""#));
        assert!(holds(r#"lastUpdated ge "2026-01-01T00:00:05.000Z""#));
        assert!(!holds(r#"lastUpdated gt "yesterday""#));
    }

    #[test]
    fn any_of_several_values_will_do() {
        assert!(holds(r#"target.id eq "00g1""#) && !holds(r#"target.id eq "00g2""#));
        assert!(holds(r#"type sw "OKTA""#) && holds(r#"type co "A_G""#));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "",
            "type",
            "type eq",
            "type eq X",
            r#"(type eq "X""#,
            r#"type is "X""#,
            r#"type eq "X" "Y""#,
        ] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
    }
}
