//! The schema, as a list of scripts that are applied once each, in order, and never edited once released.
//!
//! What was applied is kept in the table `schema_migration`, with a digest of each script. A database that was made with other
//! scripts is refused: guessing would damage it.
//!
//! Programs of two versions work on one database while a deployment is upgraded node by node. So a migration adds, and what
//! it adds does not disturb those who do not know of it. What cannot be done so *needs* that all programs are new enough:
//! it is applied when no older one is at work, and an older one refuses to work from then on.

use sha2::{Digest, Sha256};

use crate::MigrationError;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number; the same on every engine. Numbers ascend, from 1.
    pub version: u32,
    /// Its name; the same on every engine.
    pub name: &'static str,
    /// One or more statements, run in one transaction.
    pub sql: &'static str,
    /// The version of the schema that every program on the database has to know once this is applied; 0 where it only adds,
    /// so that any may go on. What nobody uses any more since version 9 is dropped by a later migration that needs 9.
    pub needs: u32,
}

/// The schema for SQLite.
pub const SQLITE: &[Migration] = &[
    Migration {
        version: 1,
        name: "initial",
        sql: include_str!("../migrations/sqlite/0001_initial.sql"),
        needs: 0,
    },
    Migration {
        version: 2,
        name: "nodes",
        sql: include_str!("../migrations/sqlite/0002_nodes.sql"),
        needs: 0,
    },
    Migration {
        version: 3,
        name: "webhooks",
        sql: include_str!("../migrations/sqlite/0003_webhooks.sql"),
        needs: 0,
    },
    Migration {
        version: 4,
        name: "sessions",
        sql: include_str!("../migrations/sqlite/0004_sessions.sql"),
        needs: 0,
    },
    Migration {
        version: 5,
        name: "mail",
        sql: include_str!("../migrations/sqlite/0005_mail.sql"),
        needs: 0,
    },
    Migration {
        version: 6,
        name: "request_log",
        sql: include_str!("../migrations/sqlite/0006_request_log.sql"),
        needs: 0,
    },
    Migration {
        version: 7,
        name: "manual_members",
        sql: include_str!("../migrations/sqlite/0007_manual_members.sql"),
        needs: 0,
    },
    Migration {
        version: 8,
        name: "last_word",
        sql: include_str!("../migrations/sqlite/0008_last_word.sql"),
        needs: 0,
    },
];

/// The schema for PostgreSQL.
pub const POSTGRES: &[Migration] = &[
    Migration {
        version: 1,
        name: "initial",
        sql: include_str!("../migrations/postgres/0001_initial.sql"),
        needs: 0,
    },
    Migration {
        version: 2,
        name: "nodes",
        sql: include_str!("../migrations/postgres/0002_nodes.sql"),
        needs: 0,
    },
    Migration {
        version: 3,
        name: "webhooks",
        sql: include_str!("../migrations/postgres/0003_webhooks.sql"),
        needs: 0,
    },
    Migration {
        version: 4,
        name: "sessions",
        sql: include_str!("../migrations/postgres/0004_sessions.sql"),
        needs: 0,
    },
    Migration {
        version: 5,
        name: "mail",
        sql: include_str!("../migrations/postgres/0005_mail.sql"),
        needs: 0,
    },
    Migration {
        version: 6,
        name: "request_log",
        sql: include_str!("../migrations/postgres/0006_request_log.sql"),
        needs: 0,
    },
    Migration {
        version: 7,
        name: "manual_members",
        sql: include_str!("../migrations/postgres/0007_manual_members.sql"),
        needs: 0,
    },
    Migration {
        version: 8,
        name: "last_word",
        sql: include_str!("../migrations/postgres/0008_last_word.sql"),
        needs: 0,
    },
];

/// A migration that a database says it has.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) version: u32,
    pub(crate) digest: Vec<u8>,
    pub(crate) needs: u32,
}

/// The version of a schema; 0 of none.
pub(crate) fn version(known: &[Migration]) -> u32 {
    known.last().map_or(0, |migration| migration.version)
}

/// What identifies the text of a migration.
pub(crate) fn digest(migration: &Migration) -> Vec<u8> {
    Sha256::digest(migration.sql).to_vec()
}

/// The migrations still to run, after those in `applied` (ascending). Of what a newer program applied, only what every program
/// has to know is refused.
pub(crate) fn pending<'m>(
    known: &'m [Migration],
    applied: &[Applied],
) -> Result<&'m [Migration], MigrationError> {
    let last_known = version(known);
    if applied.iter().any(|applied| applied.needs > last_known) {
        return Err(MigrationError::Newer {
            found: applied.last().map_or(0, |last| last.version),
            known: last_known,
        });
    }
    for (migration, applied) in known.iter().zip(applied) {
        let (version, name) = (migration.version, migration.name.to_owned());
        if applied.version != version {
            return Err(MigrationError::Missing { version, name });
        }
        if applied.digest != digest(migration) {
            return Err(MigrationError::Changed { version, name });
        }
    }
    Ok(&known[applied.len().min(known.len())..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration = Migration {
        version: 1,
        name: "one",
        sql: "CREATE TABLE one (id INTEGER)",
        needs: 0,
    };
    const TWO: Migration = Migration {
        version: 2,
        name: "two",
        sql: "CREATE TABLE two (id INTEGER)",
        needs: 0,
    };
    const THREE: Migration = Migration {
        version: 3,
        name: "three",
        sql: "DROP TABLE one",
        needs: 2,
    };
    const OTHER: Migration = Migration {
        version: 1,
        name: "one",
        sql: "CREATE TABLE other (id INTEGER)",
        needs: 0,
    };

    fn check(known: &[Migration], applied: &[Migration], expected: Result<&[u32], MigrationError>) {
        let applied: Vec<_> = applied
            .iter()
            .map(|one| Applied {
                version: one.version,
                digest: digest(one),
                needs: one.needs,
            })
            .collect();
        let pending = pending(known, &applied).map(|all| all.iter().map(|one| one.version).collect());
        assert_eq!(pending, expected.map(<[u32]>::to_vec));
    }

    #[test]
    fn what_is_pending_follows_from_what_was_applied() {
        check(&[], &[], Ok(&[]));
        check(&[ONE, TWO], &[], Ok(&[1, 2]));
        check(&[ONE, TWO], &[ONE], Ok(&[2]));
        check(&[ONE, TWO], &[ONE, TWO], Ok(&[]));
        check(&[ONE, TWO, THREE], &[ONE, TWO], Ok(&[3]));
        check(&[ONE], &[ONE, TWO], Ok(&[]));
        check(&[ONE, TWO], &[ONE, TWO, THREE], Ok(&[]));
        check(
            &[ONE],
            &[ONE, TWO, THREE],
            Err(MigrationError::Newer { found: 3, known: 1 }),
        );
        check(
            &[OTHER],
            &[ONE, TWO],
            Err(MigrationError::Changed {
                version: 1,
                name: "one".into(),
            }),
        );
        check(
            &[ONE, TWO],
            &[TWO],
            Err(MigrationError::Missing {
                version: 1,
                name: "one".into(),
            }),
        );
        check(
            &[ONE, TWO],
            &[OTHER],
            Err(MigrationError::Changed {
                version: 1,
                name: "one".into(),
            }),
        );
    }

    #[test]
    fn versions_ascend_without_a_gap() {
        let versions: Vec<_> = SQLITE.iter().map(|migration| migration.version).collect();
        let expected: Vec<_> = (1..).take(SQLITE.len()).collect();
        assert_eq!(versions, expected);
    }

    #[test]
    fn engines_have_the_same_versions_names_and_needs() {
        let names = |all: &[Migration]| -> Vec<_> {
            all.iter().map(|one| (one.version, one.name, one.needs)).collect()
        };
        assert_eq!(names(SQLITE), names(POSTGRES));
    }

    #[test]
    fn no_migration_needs_what_only_comes_after_it() {
        for migration in SQLITE {
            assert!(migration.needs <= migration.version, "{migration:?}");
        }
    }
}
