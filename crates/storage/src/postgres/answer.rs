//! What the server answers, read from its messages.

use tokio_postgres::types::{FromSql as _, Type};

use super::error::{self, Again, Fault};
use super::session::{Done, Step};
use super::wire::Hear;
use crate::row::Cell;
use crate::{Row, StorageError};

/// The answer to statements that were sent together.
pub(super) struct Answer {
    steps: Vec<Step>,
    /// How many of them were answered.
    answered: usize,
    /// What the one that is being answered, or the last one, did.
    last: Done,
    current: Done,
    /// Rows that were changed by all of them.
    pub(super) changed: u64,
    /// Rows that are kept for later, with their numbers.
    pub(super) later: Vec<(usize, Vec<Row>)>,
    fault: Option<Fault>,
}

impl Hear for Answer {
    // After an error the server says no more of these statements.
    fn hear(&mut self, kind: u8, said: &[u8]) {
        let taken = match (kind, self.steps.get(self.answered)) {
            (b'E', _) => Err(error::said(said)),
            (b'D', Some(step)) if self.current.rows.len() < step.keep => {
                row(said, &step.known.columns).map(|row| self.current.rows.push(row))
            }
            (b'C' | b'I', Some(_)) => {
                self.end(said);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(fault) = taken {
            self.fault.get_or_insert(fault);
        }
    }
}

impl Answer {
    /// The answer to these.
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self {
            steps,
            answered: 0,
            last: Done::default(),
            current: Done::default(),
            changed: 0,
            later: Vec::new(),
            fault: None,
        }
    }

    fn end(&mut self, said: &[u8]) {
        let step = &self.steps[self.answered];
        let mut done = std::mem::take(&mut self.current);
        done.changed = count(said);
        done.undone = said.starts_with(b"ROLLBACK");
        if step.known.changes {
            self.changed += done.changed;
        }
        if let Some(number) = step.later {
            self.later.push((number, std::mem::take(&mut done.rows)));
        }
        self.last = done;
        self.answered += 1;
    }

    /// How many statements were done.
    pub(super) fn answered(&self) -> usize {
        self.answered
    }

    /// Whether the server said that one of them failed.
    pub(super) fn is_refused(&self) -> bool {
        self.fault.is_some()
    }

    /// What the last statement did, or the error of the first that failed.
    pub(super) fn outcome(self, sent: Result<(), Fault>) -> Result<Done, Fault> {
        match (self.fault, sent) {
            // What the server said before it closed the connection tells more than that it did.
            (Some(fault), _) | (None, Err(fault)) => Err(fault),
            (None, Ok(())) => Ok(self.last),
        }
    }
}

/// The answer to the question what a statement is.
#[derive(Default)]
pub(super) struct Description {
    parameters: Vec<Type>,
    columns: Vec<Type>,
    fault: Option<Fault>,
}

impl Hear for Description {
    fn hear(&mut self, kind: u8, said: &[u8]) {
        match kind {
            b'E' => self.fault = Some(error::said(said)),
            b't' => self.parameters = parameters(said).unwrap_or_default(),
            b'T' => self.columns = columns(said).unwrap_or_default(),
            _ => {}
        }
    }
}

impl Description {
    /// The types of the parameters and of the columns.
    pub(super) fn outcome(self, sent: Result<(), Fault>) -> Result<(Vec<Type>, Vec<Type>), Fault> {
        match (self.fault, sent) {
            (Some(fault), _) | (None, Err(fault)) => Err(fault),
            (None, Ok(())) => Ok((self.parameters, self.columns)),
        }
    }
}

/// The answer to a script: the texts of the last row, if there was one.
#[derive(Default)]
pub(super) struct Script {
    pub(super) texts: Vec<Option<String>>,
    fault: Option<Fault>,
}

impl Hear for Script {
    fn hear(&mut self, kind: u8, said: &[u8]) {
        match kind {
            b'E' => {
                self.fault.get_or_insert(error::said(said));
            }
            b'D' => {
                let texts =
                    Fields::of_row(said).map(|raw| raw.map(|raw| String::from_utf8_lossy(raw).into_owned()));
                self.texts = texts.collect();
            }
            _ => {}
        }
    }
}

impl Script {
    /// The texts of the last row.
    pub(super) fn outcome(self, sent: Result<(), Fault>) -> Result<Vec<Option<String>>, Fault> {
        match (self.fault, sent) {
            (Some(fault), _) | (None, Err(fault)) => Err(fault),
            (None, Ok(())) => Ok(self.texts),
        }
    }
}

/// Reads a row in the binary form.
fn row(said: &[u8], columns: &[Type]) -> Result<Row, Fault> {
    let cells: Result<Box<[Cell]>, _> = Fields::of_row(said)
        .zip(columns)
        .map(|(raw, kind)| Cell::from_sql_nullable(kind, raw))
        .collect();
    cells
        .map(Row::new)
        // A type that nothing here has: an error in the calling code.
        .map_err(|error| Fault::new(StorageError::Misuse(error.to_string()), Again::No))
}

/// The number at the end of what says that a statement is done, such as `INSERT 0 3`.
fn count(said: &[u8]) -> u64 {
    let text = said.strip_suffix(&[0]).unwrap_or(said);
    let digits = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

fn parameters(said: &[u8]) -> Option<Vec<Type>> {
    said.get(2..)?
        .chunks_exact(4)
        .map(|oid| Some(kind(u32::from_be_bytes(oid.try_into().ok()?))))
        .collect()
}

/// The types of columns, each of which has a name that ends with a zero, and 18 bytes, of which those from 6 to 9 are its type.
fn columns(said: &[u8]) -> Option<Vec<Type>> {
    let mut rest = said.get(2..)?;
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 0)?;
        let about = rest.get(end + 1..end + 19)?;
        columns.push(kind(u32::from_be_bytes(about.get(6..10)?.try_into().ok()?)));
        rest = &rest[end + 19..];
    }
    Some(columns)
}

/// The type with a number. Those of extensions and of users are used nowhere, and cannot be read.
fn kind(oid: u32) -> Type {
    Type::from_oid(oid).unwrap_or(Type::ANY)
}

/// The values of a row.
struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    fn of_row(said: &'m [u8]) -> Self {
        Self(said.get(2..).unwrap_or_default())
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Option<&'m [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        // NULL has the length -1.
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.0 = rest;
            return Some(None);
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_at_the_end() {
        assert_eq!(count(b"INSERT 0 3\0"), 3);
        assert_eq!(count(b"UPDATE 12\0"), 12);
        assert_eq!(count(b"COMMIT\0"), 0);
    }

    #[test]
    fn values_of_a_row_may_be_missing_and_what_is_cut_off_ends_it() {
        let said = [0, 3, 0, 0, 0, 1, 7, 255, 255, 255, 255, 0, 0, 0, 0];
        assert_eq!(
            Fields::of_row(&said).collect::<Vec<_>>(),
            [Some(&[7_u8][..]), None, Some(&[][..])]
        );
        assert_eq!(Fields::of_row(&said[..6]).count(), 0);
    }

    #[test]
    fn descriptions_are_read() {
        assert_eq!(
            parameters(&[0, 2, 0, 0, 0, 20, 0, 0, 0, 25]),
            Some(vec![Type::INT8, Type::TEXT])
        );
        let mut said = vec![0, 1, b'n', 0];
        said.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 1, 255, 255, 255, 255, 0, 0]);
        assert_eq!(columns(&said), Some(vec![Type::BOOL]));
    }
}
