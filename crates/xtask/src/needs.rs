//! What the tests need beyond a Rust toolchain: looked for before anything is compiled, and got where we may.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::node;
use crate::system::{self, System};
use crate::workspace::{self, Workspace, heading, succeeds};

/// The pinned packages of the Python side of the tests.
const REQUIREMENTS: &str = "tests/python/requirements.txt";

/// The need for the seeded binary, which the run builds itself.
pub(crate) const SEEDED: &str = "seeded";

/// The need for PostgreSQL.
pub(crate) const POSTGRES: &str = "postgres";

/// The need for a browser and what drives it.
pub(crate) const BROWSER: &str = "browser";

/// A tool, or a set of packages, that some tests cannot do without.
pub(crate) struct Need {
    /// Its name for `--without`.
    pub(crate) name: &'static str,
    why: &'static str,
    /// What the system has to bring.
    parts: &'static [Part],
    /// Whether its tests are left out, by name, where the machine cannot have it.
    where_present: bool,
    /// What comes after the packages, in the workspace's own folder: a command to show, and to run.
    then: Option<Then>,
}

struct Part {
    /// The Debian package that brings it.
    package: &'static str,
    is_there: fn() -> bool,
}

struct Then {
    is_done: fn(&Workspace) -> bool,
    command: fn(&Workspace) -> String,
    run: fn(&Workspace) -> Result<()>,
}

const NEEDS: &[Need] = &[
    Need {
        name: "python",
        why: "drives the binary with scim2-client, scim2-server and scim2-tester, and takes its e-mail with aiosmtpd: none is ours",
        parts: &[Part {
            package: "python3-venv",
            is_there: || succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])),
        }],
        where_present: false,
        then: Some(Then {
            is_done: python_is_current,
            command: python_command,
            run: python_install,
        }),
    },
    Need {
        name: POSTGRES,
        why: "the second engine; clusters that are killed and fail over",
        parts: &[Part {
            package: "postgresql",
            is_there: usher_testpg::is_installed,
        }],
        where_present: false,
        then: None,
    },
    Need {
        name: BROWSER,
        why: "clicks through the console, checks it with axe-core, signs in at oidc-provider; Node.js from 20 on",
        parts: &[
            Part {
                package: "chromium",
                is_there: node::has_browser,
            },
            Part {
                package: "nodejs",
                is_there: node::has_node,
            },
            Part {
                package: "npm",
                is_there: node::has_npm,
            },
        ],
        where_present: false,
        then: Some(Then {
            is_done: node::is_current,
            command: node::command,
            run: node::install,
        }),
    },
    Need {
        name: "strace",
        why: "shows that the sync to disk comes before the answer; needs the right to trace",
        parts: &[Part {
            package: "strace",
            is_there: || succeeds(Command::new("strace").args(["-f", "-e", "trace=none", "true"])),
        }],
        where_present: true,
        then: None,
    },
    Need {
        name: SEEDED,
        why: "a second build, which acknowledges before the commit: the tests must notice",
        parts: &[],
        where_present: false,
        then: None,
    },
];

impl Need {
    /// The packages whose part is not there.
    fn absent(&self) -> impl Iterator<Item = &'static str> {
        let absent = self.parts.iter().filter(|part| !(part.is_there)());
        absent.map(|part| part.package)
    }

    fn is_ready(&self, workspace: &Workspace) -> bool {
        self.absent().next().is_none() && self.then.as_ref().is_none_or(|then| (then.is_done)(workspace))
    }
}

/// What the run has, and what it goes without.
pub(crate) struct Provision {
    /// Names of what is left out, with the reason.
    pub(crate) missing: Vec<(&'static str, String)>,
    /// The Python that has the packages, unless it is left out.
    pub(crate) python: Option<PathBuf>,
    /// The folder of the npm packages, unless they are left out.
    pub(crate) npm: Option<PathBuf>,
}

impl Provision {
    /// Whether the tests that need it can run.
    pub(crate) fn has(&self, name: &str) -> bool {
        !self.missing.iter().any(|(missing, _)| *missing == name)
    }
}

/// Everything but these, to go without.
pub(crate) fn all_but(names: &[&str]) -> BTreeSet<String> {
    let others = NEEDS.iter().filter(|need| !names.contains(&need.name));
    others.map(|need| need.name.to_owned()).collect()
}

/// Lists what is needed, gets what is missing where we may, and stops with the commands to type where we may not.
pub(crate) fn provide(workspace: &Workspace, without: &BTreeSet<String>) -> Result<Provision> {
    heading("what the tests need");
    for name in without {
        if !NEEDS.iter().any(|need| need.name == name) {
            let known: Vec<_> = NEEDS.iter().map(|need| need.name).collect();
            bail!("`--without {name}` names nothing; there is: {}", known.join(", "));
        }
    }
    let mut missing = Vec::new();
    let mut wanted = Vec::new();
    for need in NEEDS {
        let state = if without.contains(need.name) {
            missing.push((need.name, "left out by --without".to_owned()));
            "left out"
        } else if need.is_ready(workspace) {
            "here"
        } else {
            wanted.push(need);
            "missing"
        };
        println!("  {:<8} {state:<9} {}", need.name, need.why);
    }
    if !wanted.is_empty() {
        missing.extend(get(workspace, &wanted)?);
    }
    let has = |name| !missing.iter().any(|(missing, _)| *missing == name);
    Ok(Provision {
        python: has("python").then(|| python_path(workspace)),
        npm: has(BROWSER).then(|| node::folder(workspace)),
        missing,
    })
}

/// Gets what is wanted; answers what the machine cannot have.
fn get(workspace: &Workspace, wanted: &[&Need]) -> Result<Vec<(&'static str, String)>> {
    let system = System::detect();
    let root = system::is_root();
    let packages: Vec<&str> = wanted.iter().flat_map(|need| need.absent()).collect();
    if system != System::Debian || !root {
        return refuse(workspace, wanted, system, &packages, root);
    }
    if !packages.is_empty() {
        println!("  installing: {}", packages.join(" "));
        system::apt_get_install(&packages)?;
    }
    let mut impossible = Vec::new();
    for need in wanted {
        if need.absent().next().is_some() {
            if !need.where_present {
                bail!(
                    "{} is installed and still does not work; look at it, or use --without {}",
                    need.name,
                    need.name
                );
            }
            println!(
                "  {} is installed, but this machine does not let it work",
                need.name
            );
            impossible.push((
                need.name,
                "installed, but this machine does not let it work".to_owned(),
            ));
        } else if let Some(then) = &need.then {
            (then.run)(workspace)?;
        }
    }
    Ok(impossible)
}

/// Not our system to change: the commands to copy, or the flag to go without.
fn refuse(
    workspace: &Workspace,
    wanted: &[&Need],
    system: System,
    packages: &[&str],
    root: bool,
) -> Result<Vec<(&'static str, String)>> {
    println!("\nto get what is missing:\n");
    if !packages.is_empty() {
        println!("  {}", system.install_command(packages, root));
    }
    for then in wanted.iter().filter_map(|need| need.then.as_ref()) {
        println!("  {}", (then.command)(workspace));
    }
    let names: Vec<_> = wanted.iter().map(|need| need.name).collect();
    println!(
        "\nto run the other tests:\n\n  cargo xtask test --without {}",
        names.join(",")
    );
    bail!("missing: {}", names.join(", "))
}

fn python_folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools/py")
}

fn python_path(workspace: &Workspace) -> PathBuf {
    python_folder(workspace).join("bin/python")
}

fn python_command(workspace: &Workspace) -> String {
    let folder = workspace.shown(&python_folder(workspace));
    format!("python3 -m venv {folder} && {folder}/bin/pip install --require-hashes -r {REQUIREMENTS}")
}

/// Whether the environment holds exactly the pinned versions.
fn python_is_current(workspace: &Workspace) -> bool {
    const LIST: &str = "from importlib.metadata import distributions\n\
                        for d in distributions(): print(d.metadata['Name'], d.version)";
    let Ok(requirements) = fs::read_to_string(workspace.root.join(REQUIREMENTS)) else {
        return false;
    };
    let listed = Command::new(python_path(workspace))
        .args(["-c", LIST])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(listed) = listed else { return false };
    let present: BTreeSet<(String, String)> = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, version)| (normalised(name), version.to_owned()))
        .collect();
    let pinned = pins(&requirements);
    !pinned.is_empty() && pinned.iter().all(|pin| present.contains(pin))
}

fn python_install(workspace: &Workspace) -> Result<()> {
    let folder = python_folder(workspace);
    workspace::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder)
            .current_dir(&workspace.root)
            .stdin(Stdio::null()),
    )?;
    workspace::run(
        Command::new(folder.join("bin/pip"))
            .args([
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                "--require-hashes",
                "-r",
                REQUIREMENTS,
            ])
            .current_dir(&workspace.root)
            .stdin(Stdio::null()),
    )
    .with_context(|| format!("cannot install the packages pinned in {REQUIREMENTS}"))
}

/// The `name==version` lines of a requirements file.
fn pins(requirements: &str) -> Vec<(String, String)> {
    let pin = |line: &str| {
        let (name, version) = line.split_once("==")?;
        let version = version.split([' ', ';', '\\']).next()?;
        Some((normalised(name), version.to_owned()))
    };
    requirements
        .lines()
        .filter(|line| !line.starts_with([' ', '#']))
        .filter_map(pin)
        .collect()
}

/// Python packages are the same in any case, and with `-`, `_` or `.`.
fn normalised(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_from_a_requirements_file() {
        let text =
            "# comment\nScim2_Client==0.13.2 \\\n    --hash=sha256:00\nidna==3.20 ; python_version < '4'\n";
        let expected =
            [("scim2-client", "0.13.2"), ("idna", "3.20")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(pins(text), expected);
    }
}
