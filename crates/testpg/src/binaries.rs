//! Where the machine keeps PostgreSQL.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// Debian puts each major version into a folder of its own, and none of the servers into PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
    #[cfg_attr(
        not(feature = "sql"),
        expect(dead_code, reason = "only a standby is made by it")
    )]
    pub(crate) pg_basebackup: PathBuf,
}

impl Binaries {
    /// Finds an installation that is complete.
    pub(crate) fn find() -> Result<Self, Error> {
        Self::among(candidates(env::var_os("PATH").as_deref())).ok_or(Error::Missing)
    }

    fn among(folders: impl IntoIterator<Item = PathBuf>) -> Option<Self> {
        folders.into_iter().find_map(|folder| {
            let program = |name| Some(folder.join(name)).filter(|path| path.is_file());
            Some(Self {
                initdb: program("initdb")?,
                postgres: program("postgres")?,
                pg_basebackup: program("pg_basebackup")?,
            })
        })
    }
}

/// Folders to look in, the likeliest first: what the developer has in PATH is what they want to test with.
fn candidates(path: Option<&OsStr>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = path.iter().flat_map(env::split_paths).collect();
    // A link in PATH may show a part only of the installation that it leads to.
    let linked = folders
        .iter()
        .filter_map(|folder| Some(fs::canonicalize(folder.join("initdb")).ok()?.parent()?.to_owned()));
    folders.extend(linked.collect::<Vec<_>>());
    folders.extend(told_by_pg_config());
    folders.extend(debian_versions(Path::new(DEBIAN)));
    folders
}

fn told_by_pg_config() -> Option<PathBuf> {
    let told = Command::new("pg_config")
        .arg("--bindir")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    Some(PathBuf::from(String::from_utf8(told.stdout).ok()?.trim()))
}

/// `NUMBER/bin` inside, the newest version first.
fn debian_versions(folder: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path, programs: &[&str]) {
        fs::create_dir_all(folder).unwrap();
        for program in programs {
            fs::write(folder.join(program), "").unwrap();
        }
    }

    #[test]
    fn an_installation_that_lacks_a_program_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let (half, whole) = (root.path().join("half"), root.path().join("whole"));
        install(&half, &["initdb", "postgres"]);
        install(&whole, &["initdb", "postgres", "pg_basebackup"]);
        let found = Binaries::among([half.clone(), whole.clone()]).unwrap();
        assert_eq!(found.initdb, whole.join("initdb"));
        assert!(Binaries::among([half]).is_none());
    }

    #[test]
    fn a_link_in_the_path_leads_to_the_rest() {
        let root = tempfile::tempdir().unwrap();
        let (links, whole) = (root.path().join("links"), root.path().join("whole"));
        install(&whole, &["initdb", "postgres", "pg_basebackup"]);
        fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(whole.join("initdb"), links.join("initdb")).unwrap();
        let found = Binaries::among(candidates(Some(links.as_os_str()))).unwrap();
        assert_eq!(found.postgres, fs::canonicalize(whole.join("postgres")).unwrap());
    }

    #[test]
    fn the_newest_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "17", "15", "notes"] {
            fs::create_dir(root.path().join(version)).unwrap();
        }
        let expected: Vec<_> = ["17", "15", "9"]
            .map(|version| root.path().join(version).join("bin"))
            .into();
        assert_eq!(debian_versions(root.path()), expected);
    }
}
