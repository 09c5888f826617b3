//! The system we run on: how its packages are installed, and whether we may do so ourselves.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::workspace;

/// A family of systems that install packages alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Debian, Ubuntu and what derives from them.
    Debian,
    /// Fedora, Red Hat and what derives from them.
    Fedora,
    /// Alpine.
    Alpine,
    /// Arch and what derives from it.
    Arch,
    /// macOS with Homebrew.
    MacOs,
    /// Anything else: packages are named, commands are not guessed.
    Other,
}

impl System {
    pub(crate) fn detect() -> Self {
        if cfg!(target_os = "macos") {
            return Self::MacOs;
        }
        fs::read_to_string("/etc/os-release").map_or(Self::Other, |text| Self::from_os_release(&text))
    }

    fn from_os_release(text: &str) -> Self {
        let field = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap_or("")
                .trim_matches('"')
        };
        let family = format!("{} {}", field("ID="), field("ID_LIKE="));
        let known = [
            ("debian", Self::Debian),
            ("ubuntu", Self::Debian),
            ("fedora", Self::Fedora),
            ("rhel", Self::Fedora),
            ("alpine", Self::Alpine),
            ("arch", Self::Arch),
        ];
        let of_family = |name: &str| family.split_whitespace().any(|word| word == name);
        known
            .into_iter()
            .find(|(name, _)| of_family(name))
            .map_or(Self::Other, |(_, system)| system)
    }

    /// The command that installs these Debian packages, under the names this system has for them.
    pub(crate) fn install_command(self, packages: &[&str], root: bool) -> String {
        let packages = packages
            .iter()
            .map(|package| self.package(package))
            .collect::<Vec<_>>()
            .join(" ");
        let sudo = if root { "" } else { "sudo " };
        match self {
            Self::Debian => {
                format!("{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {packages}")
            }
            Self::Fedora => format!("{sudo}dnf install -y {packages}"),
            Self::Alpine => format!("{sudo}apk add {packages}"),
            Self::Arch => format!("{sudo}pacman -S --needed {packages}"),
            Self::MacOs => format!("brew install {packages}"),
            Self::Other => format!("install {packages} with your system's package manager"),
        }
    }

    fn package(self, debian: &str) -> &str {
        match (self, debian) {
            (Self::Debian, name) => name,
            (Self::MacOs, "nodejs") => "node",
            (Self::Fedora, "npm") => "nodejs-npm",
            (Self::Arch, "python3-venv") => "python",
            (_, "python3-venv") => "python3",
            (Self::Fedora, "postgresql") => "postgresql-server",
            (_, name) => name,
        }
    }
}

/// What pg_createcluster(8) reads.
const CREATE_CLUSTER: &str = "/etc/postgresql-common/createcluster.conf";

/// Whether we are the superuser.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs Debian packages, printing the commands.
pub(crate) fn apt_get_install(packages: &[&str]) -> Result<()> {
    let apt_get = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        workspace::run(&mut command)
    };
    const INSTALL: &[&str] = &["install", "-y", "-qq", "--no-install-recommends"];
    apt_get(&["update", "-qq"])?;
    if packages.contains(&"postgresql") && !Path::new(CREATE_CLUSTER).exists() {
        apt_get(&[INSTALL, &["postgresql-common"]].concat())?;
        println!("  {CREATE_CLUSTER}: create_main_cluster = false, so that the package starts no server");
        create_no_cluster()?;
    }
    apt_get(&[INSTALL, packages].concat())
}

/// Debian makes a cluster with the server's package and starts it; tests have clusters of their own.
fn create_no_cluster() -> Result<()> {
    let doing = || format!("cannot set create_main_cluster in {CREATE_CLUSTER}");
    let text = fs::read_to_string(CREATE_CLUSTER).with_context(doing)?;
    fs::write(CREATE_CLUSTER, format!("{text}\ncreate_main_cluster = false\n")).with_context(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derivative_installs_as_its_parent_does() {
        let mint = "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(System::from_os_release(mint), System::Debian);
        assert_eq!(System::from_os_release("ID=nixos\n"), System::Other);
    }

    #[test]
    fn the_command_uses_the_systems_own_names() {
        let command = System::Fedora.install_command(&["python3-venv", "strace"], false);
        assert_eq!(command, "sudo dnf install -y python3 strace");
    }
}
