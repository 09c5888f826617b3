//! What is measured, in the order in which the data grow.

mod incremental;
mod large_group;
mod lookups;
mod machine;
mod memberships;
mod memory;
mod pull;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::client::Endpoint;
use crate::disk;
use crate::load::drive;
use crate::process::Process;
use crate::report::{Report, Row, Unit};
use crate::sizes::Sizes;
use crate::world::World;

/// Users beside the bulk, who are in one group at most: those whom the incremental writes are about.
const SPARE_GROUPS: usize = 16;

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// The latency of the disk, before and after everything else.
    Disk,
    /// The bare route.
    Bare,
    /// Creating users.
    Users,
    /// Memberships in PATCHes of 100, beside SQLite alone.
    Memberships,
    /// Single writes: deactivate, reactivate, add, remove.
    Incremental,
    /// One member into a large and into a small group.
    LargeGroup,
    /// Lookups of users.
    Lookups,
    /// Memory with all data in place.
    Memory,
    /// Reading a provider, with servers of its own.
    Pull,
}

impl Section {
    /// The word on the command line and in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Bare => "bare",
            Self::Users => "users",
            Self::Memberships => "memberships",
            Self::Incremental => "incremental",
            Self::LargeGroup => "large-group",
            Self::Lookups => "lookups",
            Self::Memory => "memory",
            Self::Pull => "pull",
        }
    }
}

/// What the bare route does: the ceiling of rates and the least CPU of a request.
#[derive(Debug, Clone, Copy)]
struct Bare {
    rate: f64,
    cpu_ms: f64,
}

/// A run.
pub(crate) struct Bench {
    usher: PathBuf,
    data: PathBuf,
    sizes: Sizes,
    keep: bool,
    report: Report,
    bare: Option<Bare>,
    sync_ms: Option<f64>,
}

impl Bench {
    /// Prepares a run on the disk that holds `data`.
    pub(crate) fn new(usher: &Path, data: &Path, sizes: Sizes, keep: bool) -> Result<Self> {
        std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
        Ok(Self {
            usher: usher.to_owned(),
            // A server runs in the folder of its data.
            data: data.canonicalize()?,
            sizes,
            keep,
            report: Report {
                machine: machine::describe()?,
                full: sizes.full,
                rows: Vec::new(),
            },
            bare: None,
            sync_ms: None,
        })
    }

    /// Measures these groups, or all for none.
    pub(crate) async fn run(&mut self, only: &[Section]) -> Result<()> {
        let wanted = |section: Section| only.is_empty() || only.contains(&section);
        let rated = [Section::Bare, Section::Incremental, Section::Lookups];
        if wanted(Section::Disk) || wanted(Section::Incremental) {
            self.disk("before")?;
        }
        if rated.into_iter().any(wanted) {
            self.bare().await?;
        }
        let served = Section::value_variants().iter().any(|section| {
            !matches!(section, Section::Disk | Section::Bare | Section::Pull) && wanted(*section)
        });
        if served {
            self.served(&wanted).await?;
        }
        if wanted(Section::Pull) {
            self.pull().await?;
        }
        if wanted(Section::Disk) {
            self.disk("after")?;
        }
        Ok(())
    }

    /// The finished table.
    pub(crate) fn into_report(self) -> Report {
        self.report
    }

    async fn served(&mut self, wanted: &impl Fn(Section) -> bool) -> Result<()> {
        progress("starting the server");
        let mut world = World::start(&self.usher, &self.data, self.keep).await?;
        if self.keep {
            progress(&format!("the data stay in {}", world.folder().display()));
        }
        self.users(&mut world).await?;
        if wanted(Section::Lookups) {
            self.lookups(&mut world).await?;
        }
        if wanted(Section::Memberships) {
            self.memberships(&mut world).await?;
        }
        if wanted(Section::Incremental) {
            self.incremental(&mut world).await?;
        }
        if wanted(Section::LargeGroup) {
            self.large_group(&mut world).await?;
        }
        if wanted(Section::Memory) {
            self.fill(&mut world).await?;
        }
        if wanted(Section::Lookups) && wanted(Section::Memory) {
            self.lookups_at_the_end(&world).await?;
        }
        if wanted(Section::Memory) {
            self.memory(&world)?;
        }
        Ok(())
    }

    fn row(&mut self, row: Row) {
        self.report.rows.push(row);
    }

    fn disk(&mut self, when: &str) -> Result<()> {
        progress("disk");
        let syncs = disk::syncs(&self.data, self.sizes.syncs)?;
        let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
        self.sync_ms.get_or_insert(ms(syncs.p50));
        let row = Row::new(
            Section::Disk,
            format!("write and fdatasync of 4 KiB, {when}"),
            Unit::Millis,
            ms(syncs.p50),
        );
        self.row(row.note(format!("median; p99 {:.2} ms", ms(syncs.p99))));
        Ok(())
    }

    async fn bare(&mut self) -> Result<()> {
        progress("bare route");
        let folder = tempfile::tempdir_in(&self.data)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--bare-route");
        let server = Process::start(command, &folder.path().join("bare.log")).await?;
        let endpoint = Endpoint::new(server.address(), "", None)?;
        let ask = |count| {
            drive(
                &endpoint,
                &server,
                count,
                self.sizes.in_flight,
                |_| endpoint.get("/"),
                |_, answer| answer.expect(&[200]).map(drop),
            )
        };
        ask(self.sizes.bare_requests / 10).await?;
        let run = ask(self.sizes.bare_requests).await?;
        self.bare = Some(Bare {
            rate: run.rate(),
            cpu_ms: run.cpu_ms(),
        });
        let in_flight = self.sizes.in_flight;
        let rate = Row::new(
            Section::Bare,
            format!("bare axum route, {in_flight} in flight"),
            Unit::PerSecond,
            run.rate(),
        );
        self.row(rate.note(format!(
            "{:.3} ms CPU a request, {}",
            run.cpu_ms(),
            run.latency_note()
        )));
        Ok(())
    }

    /// The users of the bulk and those that are spared for single writes.
    async fn users(&mut self, world: &mut World) -> Result<()> {
        progress("users");
        let count = self.sizes.users + self.spare_users();
        let run = world.create_users(count, self.sizes.in_flight).await?;
        if let Some(run) = run {
            let row = Row::new(
                Section::Users,
                format!("POST /Users, {} in flight", self.sizes.in_flight),
                Unit::PerSecond,
                run.rate(),
            );
            self.row(
                row.note(format!("{:.3} ms CPU a request", run.cpu_ms()))
                    .note(run.latency_note()),
            );
        }
        Ok(())
    }

    fn spare_users(&self) -> usize {
        incremental::users(&self.sizes) + large_group::users(&self.sizes)
    }

    /// A row for the CPU that one request costs, beside the bare route's.
    fn cpu_row(&self, section: Section, what: String, run: &crate::load::Run) -> Row {
        Row::new(section, what, Unit::Millis, run.cpu_ms())
            .ceiling(self.bare.map(|bare| bare.cpu_ms))
            .note(format!("{:.0} requests/s", run.rate()))
            .note(run.latency_note())
    }
}

/// Tells whoever waits what is going on.
fn progress(what: &str) {
    eprintln!("bench: {what}");
}
