//! The filter grammar, as recursive descent over winnow's token parsers.

use std::borrow::Cow;

use winnow::ascii::{multispace0, multispace1};
use winnow::combinator::{opt, peek};
use winnow::error::ParserError;
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{any, take_while};

use super::{CompareOp, CompareValue, Filter, FilterLimits, NumberText};
use crate::error::{ScimError, ScimType};
use crate::path::{AttrPath, PatchPath, is_name};

type Input<'i> = LocatingSlice<&'i str>;
type Parsed<T> = Result<T, Fault>;

/// Parses a whole filter.
pub(super) fn filter(text: &str, limits: &FilterLimits) -> Result<Filter, ScimError> {
    if text.len() > limits.length {
        return Err(ScimError::invalid_filter(format!(
            "the filter has {} bytes, at most {} are taken",
            text.len(),
            limits.length
        )));
    }
    let mut input = Input::new(text);
    let mut grammar = Grammar {
        limits: *limits,
        terms: 0,
        depth: 0,
        in_brackets: false,
    };
    let parsed = grammar.disjunction(&mut input).and_then(|filter| {
        blank(&mut input)?;
        if input.is_empty() {
            Ok(filter)
        } else {
            Err(Fault::at(&input, "'and', 'or' or the end of the filter"))
        }
    });
    parsed.map_err(|fault| {
        let fault = Fault {
            kind: ScimType::InvalidFilter,
            ..fault
        };
        fault.into_error("filter")
    })
}

/// Parses `attribute[filter]` with an optional `.sub`, the form that only PATCH paths have.
pub(crate) fn value_path(text: &str, limits: &FilterLimits) -> Result<PatchPath, ScimError> {
    let mut input = Input::new(text);
    let mut grammar = Grammar {
        limits: *limits,
        terms: 0,
        depth: 0,
        in_brackets: false,
    };
    let parsed = (|| {
        let attr = path(&mut input).map_err(Fault::in_path)?;
        let filter = grammar.brackets(&mut input, &attr)?;
        let sub = sub_attribute(&mut input).map_err(Fault::in_path)?;
        if input.is_empty() {
            Ok(PatchPath::Filtered { attr, filter, sub })
        } else {
            Err(Fault::at(&input, "'.' and a sub-attribute, or the end of the path").in_path())
        }
    })();
    parsed.map_err(|fault: Fault| fault.into_error("path"))
}

/// What went wrong, and where.
#[derive(Debug)]
struct Fault {
    offset: usize,
    /// What should have been there.
    expected: Cow<'static, str>,
    kind: ScimType,
}

impl Fault {
    fn at(input: &Input<'_>, expected: impl Into<Cow<'static, str>>) -> Self {
        Self {
            offset: input.current_token_start(),
            expected: expected.into(),
            kind: ScimType::InvalidFilter,
        }
    }

    fn in_path(self) -> Self {
        Self {
            kind: ScimType::InvalidPath,
            ..self
        }
    }

    fn into_error(self, what: &str) -> ScimError {
        let detail = format!(
            "the {what} is malformed at byte {}: expected {}",
            self.offset + 1,
            self.expected
        );
        ScimError::new(400, Some(self.kind), detail)
    }
}

impl<'i> ParserError<Input<'i>> for Fault {
    type Inner = Self;

    fn from_input(input: &Input<'i>) -> Self {
        Self::at(input, "something else")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// The state of one parse.
struct Grammar {
    limits: FilterLimits,
    terms: usize,
    depth: usize,
    /// Inside `attribute[…]`, where no further brackets may follow.
    in_brackets: bool,
}

impl Grammar {
    fn disjunction(&mut self, input: &mut Input<'_>) -> Parsed<Filter> {
        let first = self.conjunction(input)?;
        let mut parts = vec![first];
        while word(input, "or")? {
            parts.push(self.conjunction(input)?);
        }
        Ok(Filter::or(parts))
    }

    fn conjunction(&mut self, input: &mut Input<'_>) -> Parsed<Filter> {
        let first = self.term(input)?;
        let mut parts = vec![first];
        while word(input, "and")? {
            parts.push(self.term(input)?);
        }
        Ok(Filter::and(parts))
    }

    fn term(&mut self, input: &mut Input<'_>) -> Parsed<Filter> {
        blank(input)?;
        if input.starts_with('(') {
            return self.parentheses(input);
        }
        if is_negation(input) {
            take_while(3, |_| true).parse_next(input)?;
            blank(input)?;
            return Ok(Filter::Not(Box::new(self.parentheses(input)?)));
        }
        self.terms += 1;
        if self.terms > self.limits.terms {
            return Err(Fault::at(
                input,
                format!("at most {} comparisons in one filter", self.limits.terms),
            ));
        }
        let path = path(input)?;
        if input.starts_with('[') {
            let filter = self.brackets(input, &path)?;
            return self.behind_brackets(input, path, filter);
        }
        comparison(input, path)
    }

    fn parentheses(&mut self, input: &mut Input<'_>) -> Parsed<Filter> {
        let opened = input.current_token_start();
        self.deeper(input)?;
        any.parse_next(input)?;
        let inner = self.disjunction(input)?;
        blank(input)?;
        close(input, ')', opened)?;
        self.depth -= 1;
        Ok(inner)
    }

    /// The filter between `[` and `]` behind `path`.
    fn brackets(&mut self, input: &mut Input<'_>, path: &AttrPath) -> Parsed<Filter> {
        if self.in_brackets {
            return Err(Fault::at(input, "no brackets inside brackets"));
        }
        if path.sub.is_some() {
            return Err(
                Fault::at(input, "brackets behind an attribute, not behind a sub-attribute").in_path(),
            );
        }
        let opened = input.current_token_start();
        self.deeper(input)?;
        self.in_brackets = true;
        any.parse_next(input)?;
        let inner = self.disjunction(input)?;
        blank(input)?;
        close(input, ']', opened).map_err(Fault::in_path)?;
        self.in_brackets = false;
        self.depth -= 1;
        Ok(inner)
    }

    /// What may follow brackets in a filter: nothing, or a sub-attribute and its comparison, which then is about the
    /// same value (Entra ID's `emails[type eq "work"].value eq "x"`).
    fn behind_brackets(&mut self, input: &mut Input<'_>, path: AttrPath, filter: Filter) -> Parsed<Filter> {
        let filter = match sub_attribute(input)? {
            None => filter,
            Some(sub) => Filter::and(vec![filter, comparison(input, AttrPath::new(sub))?]),
        };
        Ok(Filter::ValuePath {
            path,
            filter: Box::new(filter),
        })
    }

    fn deeper(&mut self, input: &Input<'_>) -> Parsed<()> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(Fault::at(
                input,
                format!("at most {} levels of nesting", self.limits.depth),
            ));
        }
        Ok(())
    }
}

fn comparison(input: &mut Input<'_>, path: AttrPath) -> Parsed<Filter> {
    const OPERATORS: &str = "an operator: eq, ne, co, sw, ew, gt, ge, lt, le or pr";
    multispace1::<_, Fault>
        .parse_next(input)
        .map_err(|_| Fault::at(input, format!("a space and {OPERATORS}")))?;
    let found = Fault::at(input, OPERATORS);
    let name: &str = take_while(0.., |letter: char| letter.is_ascii_alphabetic()).parse_next(input)?;
    if name.eq_ignore_ascii_case("pr") {
        return Ok(Filter::Present(path));
    }
    let op = CompareOp::parse(name).ok_or(found)?;
    multispace1::<_, Fault>
        .parse_next(input)
        .map_err(|_| Fault::at(input, format!("a space and a value behind '{op}'")))?;
    Ok(Filter::Compare {
        path,
        op,
        value: value(input)?,
    })
}

fn value(input: &mut Input<'_>) -> Parsed<CompareValue> {
    if input.starts_with('"') {
        return quoted(input);
    }
    if input.starts_with('\'') {
        return Err(Fault::at(input, "text in double quotes"));
    }
    let start = Fault::at(
        input,
        "a value: text in double quotes, a number, true, false or null",
    );
    let bare: &str = take_while(0.., |c: char| {
        !c.is_whitespace() && !matches!(c, ')' | ']' | '(' | '[' | '"')
    })
    .parse_next(input)?;
    Ok(if bare.is_empty() {
        return Err(start);
    } else if bare.eq_ignore_ascii_case("true") {
        CompareValue::Boolean(true)
    } else if bare.eq_ignore_ascii_case("false") {
        CompareValue::Boolean(false)
    } else if bare.eq_ignore_ascii_case("null") {
        CompareValue::Null
    } else if let Some(number) = NumberText::parse(bare) {
        CompareValue::Number(number)
    } else {
        CompareValue::String(bare.into())
    })
}

/// A JSON string. Its end is found first, so that its text may hold anything.
fn quoted(input: &mut Input<'_>) -> Parsed<CompareValue> {
    let opened = Fault::at(input, "text that ends with a double quote");
    let mut escaped = false;
    let length = input
        .char_indices()
        .skip(1)
        .find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        })
        .map(|(index, _)| index + 1);
    let Some(length) = length else { return Err(opened) };
    let literal = &input[..length];
    let text = serde_json::from_str(literal)
        .map_err(|_| Fault::at(input, "text with valid JSON escapes and no control characters"))?;
    let characters = literal.chars().count();
    take_while(characters, |_| true).parse_next(input)?;
    Ok(CompareValue::String(text))
}

fn path(input: &mut Input<'_>) -> Parsed<AttrPath> {
    let start = Fault::at(input, "an attribute name");
    let text: &str = take_while(0.., |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '$' | '/')
    })
    .parse_next(input)?;
    AttrPath::parse(text).map_err(|_| start)
}

fn sub_attribute(input: &mut Input<'_>) -> Parsed<Option<String>> {
    if opt('.').parse_next(input)?.is_none() {
        return Ok(None);
    }
    let start = Fault::at(input, "a sub-attribute");
    let name: &str = take_while(0.., |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$')
    })
    .parse_next(input)?;
    if is_name(name) {
        Ok(Some(name.into()))
    } else {
        Err(start)
    }
}

/// Takes `keyword` and the blanks in front of it, if it stands here as a word of its own.
fn word(input: &mut Input<'_>, keyword: &str) -> Parsed<bool> {
    let spaces: &str = peek(multispace0).parse_next(input)?;
    let rest = &input[spaces.len()..];
    let stands_here = !spaces.is_empty() || rest.starts_with(|c: char| c.is_ascii_alphabetic());
    let found = stands_here
        && rest
            .get(..keyword.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(keyword))
        && rest[keyword.len()..].starts_with(|c: char| c.is_whitespace() || c == '(');
    if found {
        take_while(spaces.len() + keyword.len(), |_| true).parse_next(input)?;
    }
    Ok(found)
}

/// Whether `not` and a parenthesis follow. With anything else behind it, `not` is an attribute name.
fn is_negation(input: &Input<'_>) -> bool {
    input
        .get(..3)
        .is_some_and(|head| head.eq_ignore_ascii_case("not"))
        && input[3..].trim_start().starts_with('(')
}

fn close(input: &mut Input<'_>, bracket: char, opened: usize) -> Parsed<()> {
    match opt(bracket).parse_next(input)? {
        Some(_) => Ok(()),
        None => Err(Fault::at(
            input,
            format!("'{bracket}' for the bracket opened at byte {}", opened + 1),
        )),
    }
}

fn blank(input: &mut Input<'_>) -> Parsed<()> {
    multispace0.void().parse_next(input)
}
