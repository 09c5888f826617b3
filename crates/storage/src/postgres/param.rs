//! Values on their way to PostgreSQL and back, in its binary form.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::Value;
use crate::row::Cell;

type Failure = Box<dyn Error + Sync + Send>;

/// The type that a value is sent as; NULL leaves it to the server to say.
pub(super) fn type_of(value: &Value) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Int(_) | Value::Bool(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
        Value::Uuid(_) => Type::UUID,
        Value::Ints(_) => Type::INT8_ARRAY,
        Value::Texts(_) => Type::TEXT_ARRAY,
        Value::Uuids(_) => Type::UUID_ARRAY,
    }
}

/// Whether a value can be sent to a parameter of a type.
pub(super) fn fits(value: &Value, parameter: &Type) -> bool {
    matches!(value, Value::Null) || type_of(value) == *parameter
}

/// A single value.
#[derive(Debug)]
pub(super) struct Param<'v>(pub(super) &'v Value);

impl ToSql for Param<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) => value.to_sql(kind, out),
            Value::Bool(value) => i64::from(*value).to_sql(kind, out),
            Value::Text(text) => text.as_ref().to_sql(kind, out),
            Value::Blob(bytes) => bytes.to_sql(kind, out),
            Value::Uuid(uuid) => uuid.to_sql(kind, out),
            Value::Ints(list) => list.to_sql(kind, out),
            Value::Texts(list) => list.to_sql(kind, out),
            Value::Uuids(list) => list.to_sql(kind, out),
        }
    }

    // What fits was decided before.
    fn accepts(_kind: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One parameter of many rows, as an array.
#[derive(Debug)]
pub(super) enum Column<'v> {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<&'v str>>),
    Blobs(Vec<Option<&'v [u8]>>),
    Uuids(Vec<Option<Uuid>>),
}

impl<'v> Column<'v> {
    /// The values at one place of all rows, of the type that the place has; nothing if one of them is of another type.
    pub(super) fn of(kind: &Type, values: impl Iterator<Item = &'v Value>) -> Option<Self> {
        fn collect<'v, T>(
            values: impl Iterator<Item = &'v Value>,
            take: impl Fn(&'v Value) -> Option<T>,
        ) -> Option<Vec<Option<T>>> {
            values
                .map(|value| match value {
                    Value::Null => Some(None),
                    value => take(value).map(Some),
                })
                .collect()
        }
        Some(match *kind {
            Type::INT8 => Self::Ints(collect(values, |value| match value {
                Value::Int(value) => Some(*value),
                Value::Bool(value) => Some(i64::from(*value)),
                _ => None,
            })?),
            Type::TEXT => Self::Texts(collect(values, |value| match value {
                Value::Text(text) => Some(text.as_ref()),
                _ => None,
            })?),
            Type::BYTEA => Self::Blobs(collect(values, |value| match value {
                Value::Blob(bytes) => Some(bytes.as_slice()),
                _ => None,
            })?),
            Type::UUID => Self::Uuids(collect(values, |value| match value {
                Value::Uuid(uuid) => Some(*uuid),
                _ => None,
            })?),
            _ => return None,
        })
    }
}

/// The name of the array of a type that a [`Column`] can have.
pub(super) fn array_name(kind: &Type) -> Option<&'static str> {
    Some(match *kind {
        Type::INT8 => "bigint[]",
        Type::TEXT => "text[]",
        Type::BYTEA => "bytea[]",
        Type::UUID => "uuid[]",
        _ => return None,
    })
}

impl ToSql for Column<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Self::Ints(list) => list.to_sql(kind, out),
            Self::Texts(list) => list.to_sql(kind, out),
            Self::Blobs(list) => list.to_sql(kind, out),
            Self::Uuids(list) => list.to_sql(kind, out),
        }
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Cell {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Self, Failure> {
        Ok(match *kind {
            Type::BOOL => Self::Int(bool::from_sql(kind, raw)?.into()),
            Type::INT2 => Self::Int(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Self::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::FLOAT8 => Self::Real(f64::from_sql(kind, raw)?),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN => {
                Self::Text(<&str>::from_sql(kind, raw)?.into())
            }
            Type::BYTEA | Type::UUID => match raw.try_into() {
                Ok(bytes) => Self::Bytes16(bytes),
                Err(_other_length) => Self::Blob(raw.into()),
            },
            Type::VOID => Self::Null,
            _ => {
                return Err(
                    format!("a column of type {kind} cannot be read; cast it in the statement").into(),
                );
            }
        })
    }

    fn from_sql_null(_kind: &Type) -> Result<Self, Failure> {
        Ok(Self::Null)
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }
}
