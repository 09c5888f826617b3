//! Values that go into a statement.

use std::borrow::Cow;

use uuid::Uuid;

/// One parameter of a statement.
///
/// The last three are lists for `IN (SELECT value FROM rarray($1))`: one statement text, whatever the length.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A whole number: also times, as microseconds since 1970 UTC.
    Int(i64),
    /// A truth value; on SQLite INTEGER 0 or 1.
    Bool(bool),
    /// Text.
    Text(Cow<'static, str>),
    /// Bytes.
    Blob(Vec<u8>),
    /// A UUID; on SQLite a BLOB of 16 bytes, which sorts as the UUID does.
    Uuid(Uuid),
    /// A list of whole numbers.
    Ints(Vec<i64>),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of UUIDs.
    Uuids(Vec<Uuid>),
}

macro_rules! from {
    ($($type:ty => |$value:ident| $into:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $into
            }
        })*
    };
}

from! {
    i64 => |value| Self::Int(value);
    i32 => |value| Self::Int(value.into());
    u32 => |value| Self::Int(value.into());
    u16 => |value| Self::Int(value.into());
    u8 => |value| Self::Int(value.into());
    bool => |value| Self::Bool(value);
    &str => |value| Self::Text(Cow::Owned(value.to_owned()));
    &String => |value| Self::Text(Cow::Owned(value.clone()));
    String => |value| Self::Text(Cow::Owned(value));
    Cow<'static, str> => |value| Self::Text(value);
    Vec<u8> => |value| Self::Blob(value);
    &[u8] => |value| Self::Blob(value.to_owned());
    Uuid => |value| Self::Uuid(value);
    &Uuid => |value| Self::Uuid(*value);
    Vec<i64> => |value| Self::Ints(value);
    &[i64] => |value| Self::Ints(value.to_owned());
    Vec<String> => |value| Self::Texts(value);
    &[String] => |value| Self::Texts(value.to_owned());
    Vec<Uuid> => |value| Self::Uuids(value);
    &[Uuid] => |value| Self::Uuids(value.to_owned());
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Blob(value.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
