//! What SQLite says, as what a caller can decide.

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::StorageError;

pub(super) fn fault(error: rusqlite::Error) -> StorageError {
    let rusqlite::Error::SqliteFailure(code, message) = &error else {
        return StorageError::opaque(error);
    };
    // "UNIQUE constraint failed: room.slug", "… failed: index 'room_by_fold'", "CHECK constraint failed: level_known"
    let named = || {
        let name = message
            .as_deref()
            .and_then(|message| message.split_once(": "))
            .map_or("", |(_, name)| name);
        name.strip_prefix("index '")
            .and_then(|name| name.strip_suffix('\''))
            .unwrap_or(name)
            .to_owned()
    };
    match (code.extended_code, code.code) {
        (
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID,
            _,
        ) => StorageError::Unique { on: named() },
        (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, _) => StorageError::ForeignKey,
        (ffi::SQLITE_CONSTRAINT_CHECK, _) => StorageError::Check { name: named() },
        (_, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageError::Busy,
        (_, ErrorCode::DiskFull) => StorageError::Full,
        (_, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StorageError::Corrupt(message.clone().unwrap_or_else(|| error.to_string()))
        }
        _ => StorageError::opaque(error),
    }
}
