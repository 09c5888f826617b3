//! Values that come out of a statement.

use uuid::Uuid;

use crate::StorageError;

/// One row of a result. It owns its values, so it may outlive the unit of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    cells: Box<[Cell]>,
}

impl Row {
    /// Reads column `index`, counted from 0 in the order of the statement's column list.
    ///
    /// # Errors
    /// [`StorageError::Column`] when the row has no such column, or the column holds something that is not a `T`.
    /// NULL is only ever an `Option`.
    pub fn get<'r, T: FromValue<'r>>(&'r self, index: usize) -> Result<T, StorageError> {
        let cell = self.cells.get(index);
        cell.and_then(T::from_value).ok_or_else(|| StorageError::Column {
            index,
            wanted: std::any::type_name::<T>(),
            got: cell.map_or("nothing, being past the end of the row,", Cell::kind),
        })
    }

    /// The text in a column, which the row gives away: it holds NULL from then on.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn take_text(&mut self, index: usize) -> Result<String, StorageError> {
        self.get::<&str>(index)?;
        Ok(match std::mem::replace(&mut self.cells[index], Cell::Null) {
            Cell::Text(text) => text.into(),
            _ => unreachable!("it was read as text"),
        })
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub(crate) fn new(cells: Box<[Cell]>) -> Self {
        Self { cells }
    }
}

/// One value of a [`Row`]. Seen only by implementations of [`FromValue`].
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// A whole number, or a truth value as 0 or 1.
    Int(i64),
    /// A floating-point number: no column holds one, but an aggregate may.
    Real(f64),
    /// Text.
    Text(Box<str>),
    /// Bytes of any length but 16.
    Blob(Box<[u8]>),
    /// 16 bytes: a UUID, most likely.
    Bytes16([u8; 16]),
}

impl Cell {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "a whole number",
            Self::Real(_) => "a floating-point number",
            Self::Text(_) => "text",
            Self::Blob(_) => "bytes",
            Self::Bytes16(_) => "16 bytes",
        }
    }
}

/// What a column can be read as. Newtypes implement it by way of the type they wrap.
pub trait FromValue<'r>: Sized {
    /// The value, or nothing when the cell is not one of these.
    fn from_value(cell: &'r Cell) -> Option<Self>;
}

impl FromValue<'_> for i64 {
    fn from_value(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Int(value) => Some(*value),
            _ => None,
        }
    }
}

impl FromValue<'_> for i32 {
    fn from_value(cell: &Cell) -> Option<Self> {
        i64::from_value(cell)?.try_into().ok()
    }
}

impl FromValue<'_> for u32 {
    fn from_value(cell: &Cell) -> Option<Self> {
        i64::from_value(cell)?.try_into().ok()
    }
}

impl FromValue<'_> for f64 {
    fn from_value(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Real(value) => Some(*value),
            _ => None,
        }
    }
}

impl FromValue<'_> for bool {
    fn from_value(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Int(0) => Some(false),
            Cell::Int(1) => Some(true),
            _ => None,
        }
    }
}

impl<'r> FromValue<'r> for &'r str {
    fn from_value(cell: &'r Cell) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromValue<'_> for String {
    fn from_value(cell: &Cell) -> Option<Self> {
        <&str>::from_value(cell).map(str::to_owned)
    }
}

impl<'r> FromValue<'r> for &'r [u8] {
    fn from_value(cell: &'r Cell) -> Option<Self> {
        match cell {
            Cell::Blob(bytes) => Some(bytes),
            Cell::Bytes16(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl FromValue<'_> for Vec<u8> {
    fn from_value(cell: &Cell) -> Option<Self> {
        <&[u8]>::from_value(cell).map(<[u8]>::to_vec)
    }
}

impl FromValue<'_> for Uuid {
    fn from_value(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bytes16(bytes) => Some(Self::from_bytes(*bytes)),
            _ => None,
        }
    }
}

impl<'r, T: FromValue<'r>> FromValue<'r> for Option<T> {
    fn from_value(cell: &'r Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_value(cell).map(Some),
        }
    }
}
