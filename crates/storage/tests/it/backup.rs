//! Backups are whole databases or nothing, and only what fits is restored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use usher_core::Timestamp;
use usher_storage::backup::{
    Backup, BackupError, Limits, Manifest, Restore, Restored, create, manifest_path, restore,
};
use usher_storage::migrate::{Migration, SQLITE};
use usher_storage::{MigrationError, Storage, StorageConfig, StorageError};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_micros(1_795_330_800_123_456);

/// A database with the product's schema, and a place for backups.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.file(name).display())
    }

    async fn open(&self, name: &str) -> Storage {
        Storage::open(StorageConfig::new(self.url(name))).await.unwrap()
    }

    fn back_up(&self, to: &str) -> Result<Manifest, BackupError> {
        let (url, to) = (self.url("usher.db"), self.file(to));
        let backup = Backup {
            organisation: "Contoso AG",
            program: "1.2.3",
            ..Backup::new(&url, &to, NOW)
        };
        create(&backup, &mut |_| {})
    }

    fn restore(&self, from: &str, into: &str, replace: bool) -> Result<Restored, BackupError> {
        let (from, url) = (self.file(from), self.url(into));
        let wanted = Restore {
            organisation: Some("Contoso AG"),
            replace,
            ..Restore::new(&from, &url, NOW)
        };
        restore(&wanted, &mut |_| {})
    }

    /// Everything in the folder.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The bytes of every file that is not a lock.
    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let names = self.names().into_iter().filter(|name| !name.ends_with(".lock"));
        names
            .map(|name| {
                let bytes = std::fs::read(self.file(&name)).unwrap();
                (name, bytes)
            })
            .collect()
    }
}

/// Adds a person and a source user of theirs, in one unit.
async fn add(storage: &Storage, number: i64) -> Result<(), StorageError> {
    let id = Uuid::from_u128(number.unsigned_abs().into());
    storage
        .write(move |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO source (id, name, kind, mode, state, first_seen_us)
                    VALUES (1, 'idp', 'scim', 'push', 'active', 0) ON CONFLICT DO NOTHING";
                tx.execute(sql, &[]).await?;
                let sql = "INSERT INTO person (id, display_name, created_us) VALUES ($1, $2, $3)";
                let name = format!("person {number} of many");
                tx.execute(sql, &[id.into(), name.into(), number.into()]).await?;
                let sql =
                    "INSERT INTO source_user (id, source_id, person_id, user_name, user_key, active, scope,
                        version, created_us, modified_us, resource)
                    VALUES ($1, 1, $1, $2, $2, 1, 'in', 1, $3, $3, '{}')";
                let name = format!("user{number}@contoso.com");
                tx.execute(sql, &[id.into(), name.into(), number.into()]).await?;
                let sql = "INSERT INTO event (change_id, kind, at_us, data) VALUES ($1, 'x', $2, '{}')";
                tx.execute(sql, &[id.into(), number.into()]).await?;
                Ok(())
            })
        })
        .await
}

async fn number(storage: &Storage, sql: &'static str) -> i64 {
    let read = storage.read(move |tx| Box::pin(async move { tx.query_one(sql, &[]).await?.get(0) }));
    let result: Result<i64, StorageError> = read.await;
    result.unwrap()
}

fn rows(manifest: &Manifest, table: &str) -> u64 {
    manifest
        .tables
        .iter()
        .find(|one| one.table == table)
        .unwrap()
        .rows
}

#[tokio::test]
async fn a_backup_is_restored_as_it_was() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    for person in 0..200 {
        add(&storage, person).await.unwrap();
    }
    let manifest = place.back_up("b.db").unwrap();
    assert_eq!(Manifest::of(&place.file("b.db")).unwrap(), manifest);
    assert_eq!(
        (manifest.file.as_str(), manifest.organisation.as_str()),
        ("b.db", "Contoso AG")
    );
    assert_eq!((manifest.taken, manifest.program.as_str()), (NOW, "1.2.3"));
    assert_eq!(manifest.schema, SQLITE.last().unwrap().version);
    assert_eq!(rows(&manifest, "person"), 200);
    add(&storage, 200).await.unwrap();
    storage.close().await;

    let restored = place.restore("b.db", "other/usher.db", false).unwrap();
    assert_eq!(
        (restored.manifest, restored.kept, restored.pending),
        (manifest, None, 0)
    );
    let storage = place.open("other/usher.db").await;
    assert_eq!(number(&storage, "SELECT count(*) FROM person").await, 200);
    assert_eq!(number(&storage, "SELECT max(seq) FROM event").await, 200);
    add(&storage, 201).await.unwrap();
    assert!(
        number(&storage, "SELECT max(seq) FROM event").await > 1_000_000,
        "readers of the feed that had read further than the backup would miss what comes now"
    );
}

#[tokio::test]
async fn only_the_backup_and_its_manifest_are_left_and_nobody_else_reads_them() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    add(&storage, 1).await.unwrap();
    let before = place.names();
    place.back_up("b.db").unwrap();
    let mut after = place.names();
    after.retain(|name| !before.contains(name));
    assert_eq!(after, ["b.db", "b.db.json"]);
    #[cfg(unix)]
    for name in after {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(place.file(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    add(&storage, 1).await.unwrap();
    place.back_up("b.db").unwrap();
    storage.close().await;
    let before = place.bytes();
    let error = place.back_up("b.db").unwrap_err();
    assert!(matches!(error, BackupError::Exists { .. }), "{error}");
    let error = place.restore("b.db", "usher.db", false).unwrap_err();
    assert!(matches!(error, BackupError::Occupied { .. }), "{error}");
    assert_eq!(place.bytes(), before);
}

/// A unit adds one row to each of three tables, so a state in between would show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_busy_writers_is_one_state() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    for person in 0..500 {
        add(&storage, person).await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (storage, stop) = (storage.clone(), Arc::clone(&stop));
        async move {
            let mut written = 500;
            while !stop.load(Ordering::Relaxed) {
                add(&storage, written).await.unwrap();
                written += 1;
            }
            written.unsigned_abs()
        }
    });
    let mut taken = Vec::new();
    for n in 0..5 {
        let before = storage.stats().committed;
        let manifest = tokio::task::block_in_place(|| place.back_up(&format!("{n}.db"))).unwrap();
        let people = rows(&manifest, "person");
        assert_eq!(rows(&manifest, "source_user"), people);
        assert_eq!(rows(&manifest, "event"), people);
        assert!(
            people >= before.saturating_sub(1),
            "what was acknowledged before is in it"
        );
        taken.push(people);
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    assert!(
        taken.is_sorted() && taken.last() <= Some(&written),
        "{taken:?} {written}"
    );
    place.restore("4.db", "restored.db", false).unwrap();
    let restored = place.open("restored.db").await;
    let people = number(&restored, "SELECT count(*) FROM person").await;
    assert_eq!(people.unsigned_abs(), taken[4]);
}

#[tokio::test]
async fn a_backup_that_takes_too_long_is_given_up_and_leaves_nothing() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    add(&storage, 1).await.unwrap();
    let before = place.names();
    let (url, to) = (place.url("usher.db"), place.file("b.db"));
    let limits = Limits {
        time: Duration::ZERO,
        ..Limits::default()
    };
    let backup = Backup {
        limits,
        ..Backup::new(&url, &to, NOW)
    };
    let error = create(&backup, &mut |_| {}).unwrap_err();
    assert!(matches!(error, BackupError::Limit(_)), "{error}");
    assert_eq!(place.names(), before);
}

#[tokio::test]
async fn a_log_that_grows_too_long_ends_the_backup() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    add(&storage, 1).await.unwrap();
    let (url, to) = (place.url("usher.db"), place.file("b.db"));
    let limits = Limits {
        log_growth: 1000,
        ..Limits::default()
    };
    let backup = Backup {
        limits,
        ..Backup::new(&url, &to, NOW)
    };
    let log = place.file("usher.db-wal");
    let error = create(&backup, &mut |_| {
        // What a writer appends; the reader of this state does not look there.
        let mut bytes = std::fs::read(&log).unwrap();
        bytes.resize(bytes.len() + 2000, 0);
        std::fs::write(&log, bytes).unwrap();
    })
    .unwrap_err();
    assert!(matches!(error, BackupError::Limit(_)), "{error}");
    assert!(!to.exists());
}

#[tokio::test]
async fn one_damaged_byte_anywhere_is_refused() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    for person in 0..20 {
        add(&storage, person).await.unwrap();
    }
    storage.close().await;
    place.back_up("b.db").unwrap();
    let whole = std::fs::read(place.file("b.db")).unwrap();
    let step = whole.len() / 50;
    for at in (0..whole.len()).step_by(step) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(place.file("b.db"), damaged).unwrap();
        let error = place.restore("b.db", "new.db", false).unwrap_err();
        assert!(matches!(error, BackupError::Damaged(_)), "byte {at}: {error}");
        assert!(!place.file("new.db").exists());
    }
    std::fs::write(place.file("b.db"), &whole[..whole.len() - 4096]).unwrap();
    let error = place.restore("b.db", "new.db", false).unwrap_err();
    assert!(matches!(error, BackupError::Damaged(_)), "cut short: {error}");
    std::fs::write(place.file("b.db"), whole).unwrap();
    place.restore("b.db", "new.db", false).unwrap();
}

/// Somebody edits the manifest to fit another file.
#[tokio::test]
async fn rows_that_are_not_those_of_the_manifest_are_refused() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    add(&storage, 1).await.unwrap();
    storage.close().await;
    let mut manifest = place.back_up("b.db").unwrap();
    for table in &mut manifest.tables {
        if table.table == "person" {
            table.rows += 1;
        }
    }
    let text = serde_json::to_vec(&manifest).unwrap();
    std::fs::write(manifest_path(&place.file("b.db")), text).unwrap();
    let error = place.restore("b.db", "new.db", false).unwrap_err();
    assert!(
        error.to_string().contains("person has 1 rows instead of 2"),
        "{error}"
    );
}

#[tokio::test]
async fn without_a_readable_manifest_nothing_is_restored() {
    let place = Place::new();
    place.open("usher.db").await.close().await;
    place.back_up("b.db").unwrap();
    let manifest = manifest_path(&place.file("b.db"));
    let text = std::fs::read_to_string(&manifest).unwrap();
    for wrong in ["", "{}", "[1", &text.replace("\"format\": 1", "\"format\": 2")] {
        std::fs::write(&manifest, wrong).unwrap();
        let error = place.restore("b.db", "new.db", false).unwrap_err();
        assert!(matches!(error, BackupError::Manifest { .. }), "{error}");
    }
    std::fs::remove_file(&manifest).unwrap();
    let error = place.restore("b.db", "new.db", false).unwrap_err();
    assert!(matches!(error, BackupError::Missing { .. }), "{error}");
    let error = place.restore("nowhere.db", "new.db", false).unwrap_err();
    assert!(matches!(error, BackupError::Missing { .. }), "{error}");
}

#[tokio::test]
async fn the_backup_of_another_organisation_is_refused_unless_told() {
    let place = Place::new();
    place.open("usher.db").await.close().await;
    place.back_up("b.db").unwrap();
    let (from, url) = (place.file("b.db"), place.url("new.db"));
    let theirs = Restore {
        organisation: Some("Fabrikam"),
        ..Restore::new(&from, &url, NOW)
    };
    let error = restore(&theirs, &mut |_| {}).unwrap_err();
    assert!(matches!(error, BackupError::OtherOrganisation { .. }), "{error}");
    restore(&Restore::new(&from, &url, NOW), &mut |_| {}).unwrap();
}

const LATER: &[Migration] = &[
    Migration {
        version: 1,
        name: "initial",
        sql: "CREATE TABLE entry (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT) STRICT",
        needs: 0,
    },
    Migration {
        version: 2,
        name: "second",
        sql: "ALTER TABLE entry ADD COLUMN note TEXT",
        needs: 0,
    },
];

async fn opened(url: &str, migrations: &'static [Migration]) -> Result<Storage, StorageError> {
    Storage::open(StorageConfig {
        migrations,
        ..StorageConfig::new(url)
    })
    .await
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_an_older_one_migrates_at_the_next_start() {
    let place = Place::new();
    let (url, new) = (place.url("usher.db"), place.url("new.db"));
    for (name, schema) in [("old.db", &LATER[..1]), ("new.backup", LATER)] {
        let storage = opened(&url, schema).await.unwrap();
        let add = storage.write(|tx| Box::pin(tx.execute("INSERT INTO entry (text) VALUES ('kept')", &[])));
        let added: Result<u64, StorageError> = add.await;
        assert_eq!(added.unwrap(), 1);
        storage.close().await;
        let to = place.file(name);
        let backup = Backup {
            migrations: schema,
            ..Backup::new(&url, &to, NOW)
        };
        create(&backup, &mut |_| {}).unwrap();
    }
    let with = |name: &str, migrations| {
        let from = place.file(name);
        let wanted = Restore {
            migrations,
            ..Restore::new(&from, &new, NOW)
        };
        restore(&wanted, &mut |_| {})
    };
    let error = with("new.backup", &LATER[..1]).unwrap_err();
    assert!(
        matches!(
            error,
            BackupError::Schema(MigrationError::Newer { found: 2, known: 1 })
        ),
        "{error}"
    );
    assert!(!place.file("new.db").exists());
    assert_eq!(with("old.db", LATER).unwrap().pending, 1);
    let storage = opened(&new, LATER).await.unwrap();
    assert_eq!(
        number(
            &storage,
            "SELECT count(*) FROM entry WHERE text = 'kept' AND note IS NULL"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn a_database_in_place_is_kept_under_a_dated_name() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    add(&storage, 1).await.unwrap();
    place.back_up("b.db").unwrap();
    add(&storage, 2).await.unwrap();
    let error = place.restore("b.db", "usher.db", true).unwrap_err();
    assert!(matches!(error, BackupError::InUse { .. }), "{error}");
    storage.close().await;

    let kept = place.restore("b.db", "usher.db", true).unwrap().kept.unwrap();
    let name = kept.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(
        name.starts_with("usher.db.2026") && name.ends_with(".replaced"),
        "{name}"
    );
    let restored = place.open("usher.db").await;
    assert_eq!(number(&restored, "SELECT count(*) FROM person").await, 1);
    let former = place.open(&name).await;
    assert_eq!(number(&former, "SELECT count(*) FROM person").await, 2);
}

/// What a server of a version without the lock, or another program, does.
#[tokio::test]
async fn a_database_that_anybody_has_open_is_not_replaced() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    add(&storage, 1).await.unwrap();
    place.back_up("b.db").unwrap();
    std::fs::remove_file(place.file("usher.db.lock")).unwrap();
    let error = place.restore("b.db", "usher.db", true).unwrap_err();
    assert!(matches!(error, BackupError::InUse { .. }), "{error}");
    add(&storage, 2).await.unwrap();
    assert_eq!(number(&storage, "SELECT count(*) FROM person").await, 2);
}

#[tokio::test]
async fn a_damaged_database_makes_way_with_its_log() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    add(&storage, 1).await.unwrap();
    place.back_up("b.db").unwrap();
    storage.close().await;
    damage(&place.file("usher.db"));
    std::fs::write(place.file("usher.db-wal"), "left over").unwrap();
    let kept = place.restore("b.db", "usher.db", true).unwrap().kept.unwrap();
    assert!(kept.exists());
    let restored = place.open("usher.db").await;
    assert_eq!(number(&restored, "SELECT count(*) FROM person").await, 1);
}

fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[..100].fill(0xAB);
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_database_is_not_backed_up() {
    let place = Place::new();
    let storage = place.open("usher.db").await;
    for person in 0..500 {
        add(&storage, person).await.unwrap();
    }
    storage.close().await;
    let file = place.file("usher.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let pages = bytes.len() / 4096;
    // The heads of all pages but those with the schema.
    for page in pages / 2..pages {
        bytes[page * 4096..page * 4096 + 8].fill(0);
    }
    std::fs::write(&file, bytes).unwrap();
    place.back_up("b.db").unwrap_err();
    assert!(!place.file("b.db").exists() && !place.file("b.db.json").exists());
}

#[test]
fn other_engines_are_for_their_own_tools() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("b.db");
    let error = create(&Backup::new("postgres://localhost/usher", &to, NOW), &mut |_| {}).unwrap_err();
    assert!(matches!(error, BackupError::NotSqlite), "{error}");
}
