//! `usher backup` and `usher restore-backup`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use usher_core::{Clock, SystemClock, Timestamp};
use usher_storage::backup::{
    self, Backup, BackupError, Limits, Manifest, Progress, Restore, Restored, Step, manifest_path,
};

use super::progress::Ticker;
use super::{CliError, Context};
use crate::config::{Config, Period};

#[derive(Debug, clap::Args)]
pub(super) struct Take {
    /// The file to make, or the folder to make one in; `backups` beside the database when left out.
    #[arg(long, value_name = "FILE|DIR")]
    to: Option<PathBuf>,
    /// How long it may take, such as 30m.
    #[arg(long, value_name = "PERIOD", default_value = "30m")]
    timeout: Period,
}

#[derive(Debug, clap::Args)]
pub(super) struct PutBack {
    /// The backup; its manifest, of the same name with .json, lies beside it.
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    /// Where to, such as sqlite:data/usher.db; the configured database when left out.
    #[arg(long, value_name = "URL")]
    into: Option<String>,
    /// Take the place of a database that is there; it is kept beside, under a dated name.
    #[arg(long)]
    replace: bool,
    /// Restore it although it is the backup of another organisation.
    #[arg(long)]
    other_organisation: bool,
}

/// What `usher backup` prints.
#[derive(Debug, Serialize)]
struct Taken {
    /// The backup.
    file: PathBuf,
    /// What says what has to be in it.
    manifest_file: PathBuf,
    /// The same.
    manifest: Manifest,
}

/// What `usher restore-backup` prints.
#[derive(Debug, Serialize)]
struct Restoration {
    /// The database that is in place now.
    database: PathBuf,
    /// Where the former one is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<PathBuf>,
    /// The moment whose state it is.
    taken: Timestamp,
    /// How many rows it has.
    rows: u64,
    /// Migrations that the next start applies.
    migrations_pending: usize,
}

pub(super) fn take(context: &Context<'_>, asked: &Take) -> Result<(), CliError> {
    let (loaded, _) = context.load()?;
    let config = loaded.config;
    let now = SystemClock.now();
    if !config.storage.url.starts_with("sqlite:") {
        return Err(CliError::Refused(elsewhere(&config.storage.url, now)));
    }
    let to = target(asked.to.as_deref(), &config, now)?;
    let request = Backup {
        organisation: &config.organisation.name,
        program: env!("CARGO_PKG_VERSION"),
        limits: Limits {
            time: asked.timeout.duration(),
            ..Limits::default()
        },
        ..Backup::new(&config.storage.url, &to, now)
    };
    let mut ticker = Ticker::new(context.output);
    let manifest = backup::create(&request, &mut |progress| ticker.show(|| describe(progress)))?;
    let taken = Taken {
        manifest_file: manifest_path(&to),
        file: to,
        manifest,
    };
    context.output.show(&taken, |taken| {
        format!(
            "{}: {} rows, {} KiB, checked. Keep {} beside it.",
            taken.file.display(),
            taken.manifest.rows(),
            taken.manifest.bytes.div_ceil(1024),
            taken.manifest_file.display()
        )
    })
}

pub(super) fn put_back(context: &Context<'_>, asked: &PutBack) -> Result<(), CliError> {
    let (loaded, _) = context.load()?;
    let config = loaded.config;
    let url = asked.into.as_deref().unwrap_or(&config.storage.url);
    if !url.starts_with("sqlite:") {
        return Err(CliError::Refused(
            "a backup of SQLite is restored to SQLite: name a file with --into sqlite:PATH. To move on to PostgreSQL, \
             use `usher storage copy --from sqlite:FILE --to postgres://…`; a dump of PostgreSQL is restored with \
             pg_restore"
                .into(),
        ));
    }
    let request = Restore {
        organisation: (!asked.other_organisation).then_some(config.organisation.name.as_str()),
        replace: asked.replace,
        ..Restore::new(&asked.backup, url, SystemClock.now())
    };
    let mut ticker = Ticker::new(context.output);
    let restored = backup::restore(&request, &mut |progress| ticker.show(|| describe(progress)))?;
    context.output.show(&Restoration::from(restored), text)
}

impl From<Restored> for Restoration {
    fn from(restored: Restored) -> Self {
        Self {
            taken: restored.manifest.taken,
            rows: restored.manifest.rows(),
            database: restored.database,
            kept: restored.kept,
            migrations_pending: restored.pending,
        }
    }
}

fn text(restored: &Restoration) -> String {
    let mut text = format!(
        "{}: restored as it was at {}, {} rows, checked.",
        restored.database.display(),
        restored.taken,
        restored.rows
    );
    if let Some(kept) = &restored.kept {
        text.push_str(&format!("\nThe former database is {}.", kept.display()));
    }
    if restored.migrations_pending > 0 {
        text.push_str("\nIts schema is older; the next start brings it up to date.");
    }
    text.push_str(
        "\nWhat happened since then is not in it: start the server, let the identity provider send everything again, \
         and read the sources that are read (`usher source sync SOURCE --full`).",
    );
    text
}

/// The file to make.
fn target(asked: Option<&Path>, config: &Config, now: Timestamp) -> Result<PathBuf, CliError> {
    let folder = match asked {
        Some(path) if path.is_dir() => path.to_owned(),
        Some(path) if path.file_name().is_some() && !ends_with_separator(path) => {
            return match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(CliError::Missing(
                    format!("there is no folder {}; make it first", folder.display()),
                )),
                _ => Ok(path.to_owned()),
            };
        }
        Some(path) => {
            return Err(CliError::Missing(format!(
                "there is no folder {}; make it first",
                path.display()
            )));
        }
        None => usual_folder(&config.storage.url)?,
    };
    Ok(folder.join(format!("usher-{}.db", stamp(now))))
}

/// `backups`, beside the database.
fn usual_folder(url: &str) -> Result<PathBuf, CliError> {
    let folder = beside(url);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(&folder)
        .map_err(|error| CliError::Failed(format!("cannot make the folder {}: {error}", folder.display())))?;
    Ok(folder)
}

fn beside(url: &str) -> PathBuf {
    let path = url.trim_start_matches("sqlite:");
    let database = Path::new(path.strip_prefix("//").unwrap_or(path));
    database.parent().unwrap_or(Path::new("")).join("backups")
}

/// What the usual folder has, for whoever asks whether everything is in place; nothing for databases that others back up.
pub(super) fn newest(url: &str) -> Option<String> {
    if !url.starts_with("sqlite:") {
        return None;
    }
    let folder = beside(url);
    let files = fs::read_dir(&folder).into_iter().flatten().flatten();
    let backups = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|end| end == "db"));
    let newest = backups
        .filter_map(|path| Manifest::of(&path).ok())
        .max_by_key(|manifest| manifest.taken);
    Some(match newest {
        Some(manifest) => format!(
            "the newest in {} is {}, of {}",
            folder.display(),
            manifest.file,
            manifest.taken
        ),
        None => format!("none in {}; `usher backup` takes one", folder.display()),
    })
}

fn ends_with_separator(path: &Path) -> bool {
    path.to_string_lossy().ends_with(std::path::is_separator)
}

/// The moment as part of a name, to the second.
fn stamp(now: Timestamp) -> String {
    let text = now.to_string();
    let text = text.split('.').next().unwrap_or_default();
    text.trim_end_matches('Z')
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

/// What backs up a PostgreSQL database, ready to be pasted.
fn elsewhere(url: &str, now: Timestamp) -> String {
    let shown = without_password(url);
    format!(
        "the database is PostgreSQL, whose own tools back it up:\n\
         \n    pg_dump --format=custom --no-owner --file=usher-{}.dump --dbname='{}'\n\
         \nIt asks for the password, or takes it from PGPASSFILE. docs/operations/backup.md says how to restore it, and how \
         to keep every change with a base backup and archived logs",
        stamp(now),
        shown.replace('\'', r"'\''")
    )
}

/// An address as it may be shown.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{user}@{host}")
        }
        None => authority.to_owned(),
    };
    let (path, options) = path.split_once('?').unwrap_or((path, ""));
    let options: Vec<_> = options
        .split('&')
        .filter(|option| !option.is_empty() && !option.to_ascii_lowercase().starts_with("password="))
        .collect();
    let options = match options.as_slice() {
        [] => String::new(),
        some => format!("?{}", some.join("&")),
    };
    format!("{scheme}://{authority}{path}{options}")
}

fn describe(progress: Progress<'_>) -> String {
    let Progress {
        step,
        done,
        all,
        table,
    } = progress;
    match step {
        Step::Copy => format!("copying: {} %", (done * 100).checked_div(all).unwrap_or(100)),
        Step::Read => format!("reading {table}: {done} rows"),
        Step::Check => "checking the structure".to_owned(),
    }
}

impl From<BackupError> for CliError {
    fn from(error: BackupError) -> Self {
        let text = error.to_string();
        match error {
            BackupError::Missing { .. } => Self::Missing(text),
            BackupError::OtherOrganisation { .. } => {
                Self::Refused(format!("{text}; --other-organisation restores it all the same"))
            }
            BackupError::File { .. }
            | BackupError::Storage(_)
            | BackupError::Limit(_)
            | BackupError::Unsound(_) => Self::Failed(text),
            BackupError::Exists { .. }
            | BackupError::Occupied { .. }
            | BackupError::InUse { .. }
            | BackupError::NotSqlite
            | BackupError::Damaged(_)
            | BackupError::Manifest { .. }
            | BackupError::Schema(_) => Self::Refused(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_postgres_has_no_password() {
        for (url, shown) in [
            ("postgres://u:s3cret@db:5432/usher", "postgres://u@db:5432/usher"),
            (
                "postgres://u:s3:c@ret@db/usher?sslmode=require",
                "postgres://u@db/usher?sslmode=require",
            ),
            (
                "postgres://db/usher?user=u&password=s3cret",
                "postgres://db/usher?user=u",
            ),
            (
                "postgres:///usher?host=/run/postgresql",
                "postgres:///usher?host=/run/postgresql",
            ),
        ] {
            assert_eq!(without_password(url), shown);
            let told = elsewhere(url, Timestamp::from_micros(1_795_330_800_123_456));
            assert!(told.contains(&format!("--dbname='{shown}'")), "{told}");
            assert!(told.contains("--file=usher-20261122T"), "{told}");
        }
    }

    #[test]
    fn a_backup_is_named_after_its_moment() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::default();
        let now = Timestamp::from_micros(1_795_330_800_123_456);
        let named = target(Some(folder.path()), &config, now).unwrap();
        assert_eq!(named.parent(), Some(folder.path()));
        let name = named.file_name().unwrap().to_str().unwrap();
        assert!(
            name.starts_with("usher-20261122T") && name.ends_with(".db"),
            "{name}"
        );
        let file = folder.path().join("mine.db");
        assert_eq!(target(Some(&file), &config, now).unwrap(), file);
        assert!(target(Some(&folder.path().join("no/mine.db")), &config, now).is_err());
        assert!(target(Some(&folder.path().join("no/")), &config, now).is_err());
    }
}
