//! Putting a backup in place.

use std::fs;
use std::path::{Path, PathBuf};

use usher_core::Timestamp;

use super::files::{self, Partial};
use super::{BackupError, Listener, Manifest, verify};
use crate::migrate::{self, Migration};
use crate::occupancy::Occupancy;
use crate::{StorageError, sqlite};

/// How much higher the numbers of events go on after a restore. What happened after the backup was taken had numbers too, and
/// readers of the feed may have got as far: with the same numbers again they would pass over what happens now.
const GAP: i64 = 10_000_000;

/// What is restored, and where to.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    /// The backup; its manifest is beside it.
    pub backup: &'a Path,
    /// The address of the database to make.
    pub url: &'a str,
    /// The organisation that it has to be of; any when left out.
    pub organisation: Option<&'a str>,
    /// Whether a database that is there already makes way.
    pub replace: bool,
    /// The present moment.
    pub now: Timestamp,
    /// The schema that this build knows.
    pub migrations: &'static [Migration],
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The backup's manifest.
    pub manifest: Manifest,
    /// The database that is in place now.
    pub database: PathBuf,
    /// Where the former database is kept.
    pub kept: Option<PathBuf>,
    /// Migrations that the next start will apply.
    pub pending: usize,
}

impl<'a> Restore<'a> {
    /// Restores to a place where nothing is yet.
    #[must_use]
    pub const fn new(backup: &'a Path, url: &'a str, now: Timestamp) -> Self {
        Self {
            backup,
            url,
            organisation: None,
            replace: false,
            now,
            migrations: migrate::SQLITE,
        }
    }
}

/// Checks a backup, and puts it in place. A former database is there, whole, until the restored one is in its place.
///
/// # Errors
/// See [`BackupError`]. Nothing was changed then.
pub fn restore(restore: &Restore<'_>, listener: Listener<'_>) -> Result<Restored, BackupError> {
    let database = sqlite::path(restore.url).map_err(|_| BackupError::NotSqlite)?;
    if !restore.backup.exists() {
        return Err(BackupError::Missing {
            what: "backup",
            path: restore.backup.to_owned(),
            hint: "",
        });
    }
    let manifest = Manifest::of(restore.backup)?;
    if let Some(ours) = restore.organisation
        && ours != manifest.organisation
    {
        return Err(BackupError::OtherOrganisation {
            theirs: manifest.organisation,
            ours: ours.to_owned(),
        });
    }
    let last_known = migrate::version(restore.migrations);
    if manifest.schema > last_known {
        return Err(crate::MigrationError::Newer {
            found: manifest.schema,
            known: last_known,
        }
        .into());
    }
    let in_use = || BackupError::InUse {
        path: database.clone(),
    };
    let _alone = Occupancy::alone(&database)
        .map_err(|source| files::failed("lock", &database, source))?
        .ok_or_else(in_use)?;
    let former = Former::at(&database);
    if former.is_there() && !restore.replace {
        return Err(BackupError::Occupied { path: database });
    }

    files::compare(restore.backup, &manifest, listener)?;
    let copy = Partial::beside(&database)?;
    copy.copy(restore.backup, listener)?;
    verify(copy.path(), restore.migrations, &manifest.contents(), listener).map_err(BackupError::Damaged)?;
    sqlite::skip_numbers(copy.path(), GAP)?;
    copy.sync()?;
    verify(copy.path(), restore.migrations, &manifest.contents(), listener).map_err(BackupError::Unsound)?;

    let kept = if former.is_there() {
        Some(former.keep(restore.now).map_err(|error| match error {
            BackupError::Storage(StorageError::Busy) => in_use(),
            error => error,
        })?)
    } else {
        None
    };
    copy.replace(&database)?;
    files::sync_folder(&database)?;
    let newest = manifest.schema as usize;
    Ok(Restored {
        pending: restore
            .migrations
            .iter()
            .filter(|one| one.version as usize > newest)
            .count(),
        manifest,
        database,
        kept,
    })
}

/// The database that is in place before.
struct Former<'a> {
    database: &'a Path,
}

impl<'a> Former<'a> {
    const fn at(database: &'a Path) -> Self {
        Self { database }
    }

    /// A log alone would be taken for the log of whatever comes into this place.
    fn is_there(&self) -> bool {
        self.database.exists() || sqlite::beside(self.database).iter().any(|file| file.exists())
    }

    /// Keeps it under a dated name, where it may be opened as it is.
    fn keep(&self, now: Timestamp) -> Result<PathBuf, BackupError> {
        let date: String = now.to_string().chars().take_while(|sign| *sign != '.').collect();
        let date: String = date.chars().filter(char::is_ascii_alphanumeric).collect();
        let mut name = self.database.as_os_str().to_owned();
        name.push(format!(".{}.replaced", date.trim_end_matches('Z')));
        let name = PathBuf::from(name);
        if name.exists() {
            return Err(BackupError::Exists { path: name });
        }
        if self.database.exists() {
            // Somebody may have it open who takes no part in the lock beside it. A damaged one is kept with its log, as it is.
            if let Err(error @ StorageError::Busy) = sqlite::fold(self.database) {
                return Err(error.into());
            }
            if !files::keep_as(self.database, &name)? {
                fs::rename(self.database, &name)
                    .map_err(|source| files::failed("rename", self.database, source))?;
            }
        }
        for (file, kept) in sqlite::beside(self.database).iter().zip(sqlite::beside(&name)) {
            if file.exists() {
                fs::rename(file, kept).map_err(|source| files::failed("rename", file, source))?;
            }
        }
        files::sync_folder(&name)?;
        Ok(name)
    }
}
