//! Files that get their name only when they are whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{BackupError, Listener, Manifest, Progress, Step};
use crate::content::hexadecimal;

/// A file in the making, gone when dropped before [`Self::publish`]. Its name ends in `.partial`.
pub(super) struct Partial {
    path: PathBuf,
}

impl Partial {
    /// A new, empty file beside `target`, readable by its owner alone.
    pub(super) fn beside(target: &Path) -> Result<Self, BackupError> {
        let mut path = target.as_os_str().to_owned();
        path.push(format!(".{}.partial", std::process::id()));
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&path)
            .map_err(|source| failed("make", &path, source))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes these bytes, through to the disk.
    pub(super) fn fill(&self, bytes: &[u8]) -> Result<(), BackupError> {
        fs::write(&self.path, bytes).map_err(|source| failed("write", &self.path, source))?;
        self.sync()
    }

    /// Copies another file into this one, through to the disk.
    pub(super) fn copy(&self, from: &Path, listener: Listener<'_>) -> Result<(), BackupError> {
        let mut to = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .map_err(|source| failed("write", &self.path, source))?;
        read(from, listener, |bytes| {
            to.write_all(bytes)
                .map_err(|source| failed("write", &self.path, source))
        })?;
        self.sync()
    }

    /// Waits until the disk has everything.
    pub(super) fn sync(&self) -> Result<(), BackupError> {
        let opened = OpenOptions::new().write(true).open(&self.path);
        opened
            .and_then(|file| file.sync_all())
            .map_err(|source| failed("write", &self.path, source))
    }

    /// Gives the file its name, which must not be taken.
    pub(super) fn publish(self, name: &Path) -> Result<(), BackupError> {
        if keep_as(&self.path, name)? {
            // What is left over is removed when this is dropped.
            return Ok(());
        }
        // No hard links here, so the name is looked for and taken in two steps.
        if name.exists() {
            return Err(BackupError::Exists {
                path: name.to_owned(),
            });
        }
        self.replace(name)
    }

    /// Gives the file its name, whoever has it now.
    pub(super) fn replace(self, name: &Path) -> Result<(), BackupError> {
        fs::rename(&self.path, name).map_err(|source| failed("rename", &self.path, source))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // It may have its name by now. What cannot be removed is recognised by its name.
        let _ = fs::remove_file(&self.path);
        for path in crate::sqlite::beside(&self.path) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Gives a file a further name, which must not be taken; whether this file system can.
pub(super) fn keep_as(file: &Path, name: &Path) -> Result<bool, BackupError> {
    match fs::hard_link(file, name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(BackupError::Exists {
            path: name.to_owned(),
        }),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(false)
        }
        Err(source) => Err(failed("name", name, source)),
    }
}

/// Waits until the disk has the names in the folder of this file.
pub(super) fn sync_folder(file: &Path) -> Result<(), BackupError> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let folder = folder(file);
    let opened = File::open(&folder);
    opened
        .and_then(|folder| folder.sync_all())
        .map_err(|source| failed("write", &folder, source))
}

/// The folder that a file is in.
pub(super) fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Length and SHA-256 of a file.
pub(super) fn fingerprint(file: &Path, listener: Listener<'_>) -> Result<(u64, String), BackupError> {
    let (mut length, mut digest) = (0, Sha256::new());
    read(file, listener, |bytes| {
        length += bytes.len() as u64;
        digest.update(bytes);
        Ok(())
    })?;
    Ok((length, hexadecimal(&digest.finalize())))
}

/// Compares length and SHA-256 of a backup with its manifest.
pub(super) fn compare(backup: &Path, manifest: &Manifest, listener: Listener<'_>) -> Result<(), BackupError> {
    let (bytes, sha256) = fingerprint(backup, listener)?;
    if bytes != manifest.bytes {
        let what = format!("it has {bytes} bytes instead of {}", manifest.bytes);
        return Err(BackupError::Damaged(what));
    }
    if sha256 != manifest.sha256 {
        return Err(BackupError::Damaged(
            "its SHA-256 is not the one in its manifest".to_owned(),
        ));
    }
    Ok(())
}

/// Reads a file piece by piece.
fn read(
    file: &Path,
    listener: Listener<'_>,
    mut piece: impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let failed = |source| failed("read", file, source);
    let mut from = File::open(file).map_err(failed)?;
    let all = from.metadata().map_err(failed)?.len();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let count = from.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Ok(());
        }
        piece(&buffer[..count])?;
        done += count as u64;
        listener(Progress {
            step: Step::Copy,
            done,
            all,
            table: "",
        });
    }
}

pub(super) fn failed(doing: &'static str, path: &Path, source: io::Error) -> BackupError {
    BackupError::File {
        doing,
        path: path.to_owned(),
        source,
    }
}
