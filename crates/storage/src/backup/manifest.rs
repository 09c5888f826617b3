//! What says which backup a file is, and what has to be in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use usher_core::Timestamp;

use super::{BackupError, Contents};
use crate::content::TableContent;

/// The one way to write a manifest that there is so far.
const FORMAT: u32 = 1;

/// A manifest is some kilobytes; what is larger is none.
const LARGEST: u64 = 1 << 20;

/// What is written beside a backup, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How the manifest is written.
    pub format: u32,
    /// The name that the backup was given.
    pub file: String,
    /// The configured name of the organisation.
    pub organisation: String,
    /// The moment whose state it is.
    pub taken: Timestamp,
    /// The version of the program that took it.
    pub program: String,
    /// The version of the schema.
    pub schema: u32,
    /// The length of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// What is in each table.
    pub tables: Vec<TableContent>,
}

/// The name of the manifest of the backup of this name.
#[must_use]
pub fn manifest_path(backup: &Path) -> PathBuf {
    let mut path = backup.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

impl Manifest {
    /// Reads the manifest of the backup of this name.
    ///
    /// # Errors
    /// [`BackupError::Missing`], [`BackupError::Manifest`] or [`BackupError::File`].
    pub fn of(backup: &Path) -> Result<Self, BackupError> {
        let path = manifest_path(backup);
        let read = |path: &Path| -> std::io::Result<Vec<u8>> {
            use std::io::Read as _;
            let mut bytes = Vec::new();
            std::fs::File::open(path)?
                .take(LARGEST + 1)
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(BackupError::Missing {
                    what: "manifest",
                    path,
                    hint: ": keep it beside the backup, nothing else says whether that is whole",
                });
            }
            Err(source) => {
                return Err(BackupError::File {
                    doing: "read",
                    path,
                    source,
                });
            }
        };
        Self::parse(&bytes).map_err(|reason| BackupError::Manifest { path, reason })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        if bytes.len() as u64 > LARGEST {
            return Err("it is too large for one".to_owned());
        }
        let written: Format = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if written.format != FORMAT {
            return Err(format!(
                "it is of format {}, this program knows {FORMAT}; use the program that took the backup",
                written.format
            ));
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a manifest is plain data");
        text.push(b'\n');
        text
    }

    pub(super) const fn format() -> u32 {
        FORMAT
    }

    pub(super) fn contents(&self) -> Contents {
        Contents {
            schema: self.schema,
            tables: self.tables.clone(),
        }
    }

    /// How many rows there are in all.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}
