//! Taking a backup.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use usher_core::Timestamp;

use super::files::{self, Partial};
use super::{BackupError, Listener, Manifest, PATIENCE, Progress, Step, contents, manifest_path, verify};
use crate::StorageError;
use crate::migrate::{self, Migration};
use crate::occupancy::Occupancy;
use crate::sqlite::{self, Snapshot};

/// What is backed up, and where to.
#[derive(Clone, Debug)]
pub struct Backup<'a> {
    /// The address of the database.
    pub url: &'a str,
    /// The file to make; its folder is there.
    pub to: &'a Path,
    /// The configured name of the organisation.
    pub organisation: &'a str,
    /// The version of this program.
    pub program: &'a str,
    /// The present moment.
    pub now: Timestamp,
    /// What the backup may cost those who write meanwhile.
    pub limits: Limits,
    /// The schema that this build knows.
    pub migrations: &'static [Migration],
}

/// Until when the open state is kept for the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take to copy and read everything.
    pub time: Duration,
    /// How much longer the write-ahead log may get meanwhile, in bytes.
    pub log_growth: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30 * 60),
            log_growth: 2 << 30,
        }
    }
}

impl<'a> Backup<'a> {
    /// A backup of the product's database within the usual limits.
    #[must_use]
    pub fn new(url: &'a str, to: &'a Path, now: Timestamp) -> Self {
        Self {
            url,
            to,
            organisation: "",
            program: "",
            now,
            limits: Limits::default(),
            migrations: migrate::SQLITE,
        }
    }
}

/// Takes a backup, beside whatever else works on the database, and checks it. What it made is on the disk when it returns.
///
/// # Errors
/// See [`BackupError`]. Nothing of the backup is left then.
pub fn create(backup: &Backup<'_>, listener: Listener<'_>) -> Result<Manifest, BackupError> {
    let database = sqlite::path(backup.url).map_err(|_| BackupError::NotSqlite)?;
    if !database.exists() {
        return Err(BackupError::Missing {
            what: "database",
            path: database,
            hint: ": is storage.url right?",
        });
    }
    let manifest_name = manifest_path(backup.to);
    for name in [backup.to, &manifest_name] {
        if name.exists() {
            return Err(BackupError::Exists {
                path: name.to_owned(),
            });
        }
    }
    let _at_work = Occupancy::shared(&database)
        .map_err(|source| files::failed("lock", &database, source))?
        .ok_or_else(|| BackupError::InUse {
            path: database.clone(),
        })?;

    let copy = Partial::beside(backup.to)?;
    let expected = {
        let mut snapshot = Snapshot::open(&database, PATIENCE).map_err(judged)?;
        let watch = Watch::new(&database, backup.limits);
        snapshot.copy_to(copy.path(), |remaining, all| {
            let (remaining, all) = (remaining.unsigned_abs(), all.unsigned_abs());
            listener(Progress {
                step: Step::Copy,
                done: (all - remaining).into(),
                all: all.into(),
                table: "",
            });
            watch.look()
        })?;
        contents(&mut snapshot, backup.migrations, |progress| {
            listener(progress);
            watch.look()
        })?
    };
    copy.sync()?;
    verify(copy.path(), backup.migrations, &expected, listener).map_err(BackupError::Unsound)?;
    let (bytes, sha256) = files::fingerprint(copy.path(), listener)?;
    let manifest = Manifest {
        format: Manifest::format(),
        file: backup
            .to
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        organisation: backup.organisation.to_owned(),
        taken: backup.now,
        program: backup.program.to_owned(),
        schema: expected.schema,
        bytes,
        sha256,
        tables: expected.tables,
    };
    let partial = Partial::beside(&manifest_name)?;
    partial.fill(&manifest.text())?;
    // The manifest first: alone it is no backup, and the other way round there would be one without its manifest.
    partial.publish(&manifest_name)?;
    if let Err(error) = copy.publish(backup.to) {
        let _ = fs::remove_file(&manifest_name);
        return Err(error);
    }
    files::sync_folder(backup.to)?;
    Ok(manifest)
}

fn judged(error: StorageError) -> BackupError {
    match error {
        StorageError::Corrupt(what) => BackupError::Unsound(what),
        error => error.into(),
    }
}

/// Ends a backup that costs too much.
struct Watch {
    begun: Instant,
    log: PathBuf,
    log_then: u64,
    limits: Limits,
}

impl Watch {
    fn new(database: &Path, limits: Limits) -> Self {
        let [log, ..] = sqlite::beside(database);
        Self {
            begun: Instant::now(),
            log_then: length(&log),
            log,
            limits,
        }
    }

    fn look(&self) -> Result<(), BackupError> {
        let Limits { time, log_growth } = self.limits;
        if self.begun.elapsed() > time {
            return Err(BackupError::Limit(format!(
                "the backup took longer than {} s and was given up; allow more time, or take it when less is written",
                time.as_secs()
            )));
        }
        if length(&self.log).saturating_sub(self.log_then) > log_growth {
            return Err(BackupError::Limit(format!(
                "more than {} MiB were written during the backup, which was given up so that the disk does not fill; \
                 take it when less is written",
                log_growth >> 20
            )));
        }
        Ok(())
    }
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}
