//! What is measured, in the order in which the data grow.

mod bare;
mod beside;
mod commits;
mod first_sync;
mod growth;
mod incremental;
mod large_group;
mod locks;
mod lookups;
mod machine;
mod memberships;
mod memory;
mod nodes;
mod pages;
mod pull;

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::disk;
use crate::engine::Engine;
use crate::postgres::Postgres;
use crate::profile::Profile;
use crate::report::{Report, Row, Unit};
use crate::sizes::Sizes;
use crate::world::{Setting, World};
use bare::Bare;
use beside::Samples;

/// Groups of the people whom the single writes are about: as many as there are requests in flight, so that each connection
/// can have one of its own.
const SPARE_GROUPS: usize = 16;

/// Endings in a room that no load here reaches.
const UNHELD: u32 = 1_000_000_000;

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// The latency of the disk, before and after everything else.
    Disk,
    /// The bare route.
    Bare,
    /// What PostgreSQL commits alone.
    Commits,
    /// Creating users.
    Users,
    /// Memberships in PATCHes of 100, beside the database alone.
    Memberships,
    /// Single writes: deactivate, reactivate, add, remove.
    Incremental,
    /// Whether requests about different people and groups wait for each other.
    Locks,
    /// One to three servers on one database.
    Nodes,
    /// One member into a large and into a small group.
    LargeGroup,
    /// Lookups of users.
    Lookups,
    /// Memory with all data in place.
    Memory,
    /// Reading a provider, with servers of its own.
    Pull,
    /// Everybody for the first time, with a server of its own.
    FirstSync,
    /// The same requests with few, many and very many users, with servers of their own.
    Growth,
    /// The pages of the console, with a server of its own.
    Pages,
}

impl Section {
    /// The word on the command line and in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Bare => "bare",
            Self::Commits => "commits",
            Self::Users => "users",
            Self::Memberships => "memberships",
            Self::Incremental => "incremental",
            Self::Locks => "locks",
            Self::Nodes => "nodes",
            Self::LargeGroup => "large-group",
            Self::Lookups => "lookups",
            Self::Memory => "memory",
            Self::Pull => "pull",
            Self::FirstSync => "first-sync",
            Self::Growth => "growth",
            Self::Pages => "pages",
        }
    }

    /// Whether it is measured on this database.
    const fn is_for(self, engine: Engine) -> bool {
        match self {
            Self::Commits | Self::Locks | Self::Nodes => matches!(engine, Engine::Postgres),
            Self::Memory | Self::Pull => matches!(engine, Engine::Sqlite),
            _ => true,
        }
    }

    /// Those that share a server, in the order in which its data grow.
    const SERVED: [Self; 7] = [
        Self::Lookups,
        Self::Memberships,
        Self::Incremental,
        Self::Locks,
        Self::Nodes,
        Self::LargeGroup,
        Self::Memory,
    ];

    /// Whether SQLite does the same in a run on PostgreSQL, to be compared.
    const fn is_compared(self) -> bool {
        matches!(
            self,
            Self::Users | Self::Lookups | Self::Memberships | Self::Incremental
        )
    }
}

/// What a run is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'s> {
    /// The server's binary.
    pub(crate) usher: &'s Path,
    /// The folder for the data; it decides which disk is measured.
    pub(crate) data: &'s Path,
    /// How much is loaded and asked.
    pub(crate) sizes: Sizes,
    /// Whether data stay.
    pub(crate) keep: bool,
    /// Where the server keeps its data.
    pub(crate) engine: Engine,
    /// The section to look into.
    pub(crate) profile: Option<Section>,
}

/// A run.
pub(crate) struct Bench {
    usher: PathBuf,
    data: PathBuf,
    sizes: Sizes,
    keep: bool,
    engine: Engine,
    /// The cluster, in a run on PostgreSQL.
    postgres: Option<Postgres>,
    report: Report,
    bare: Option<Bare>,
    /// Commits a second of PostgreSQL alone.
    commits: Option<f64>,
    sync_ms: Option<f64>,
    /// Whether what runs now is only there to be compared with.
    compared: bool,
    samples: Samples,
    profile: Option<Section>,
}

impl Bench {
    /// Prepares a run on the disk that holds the folder of the data.
    pub(crate) async fn new(settings: Settings<'_>) -> Result<Self> {
        let shown = settings.data.display();
        std::fs::create_dir_all(settings.data).with_context(|| format!("cannot make {shown}"))?;
        let mut machine = machine::describe()?;
        let postgres = match settings.engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                progress("starting PostgreSQL");
                let postgres = Postgres::start().await?;
                machine = format!("{machine}; {}", postgres.describe().await?);
                Some(postgres)
            }
        };
        Ok(Self {
            usher: settings.usher.to_owned(),
            // A server runs in the folder of its data.
            data: settings.data.canonicalize()?,
            sizes: settings.sizes,
            keep: settings.keep,
            engine: settings.engine,
            postgres,
            report: Report {
                machine,
                full: settings.sizes.full,
                engine: settings.engine,
                rows: Vec::new(),
            },
            bare: None,
            commits: None,
            sync_ms: None,
            compared: false,
            samples: Samples::default(),
            profile: settings.profile,
        })
    }

    /// Measures these groups, or all for none.
    pub(crate) async fn run(&mut self, only: &[Section]) -> Result<()> {
        let engine = self.engine;
        if let Some(section) = only.iter().find(|section| !section.is_for(engine)) {
            bail!("{} is not measured on {}", section.name(), engine.label());
        }
        let wanted =
            |section: Section| section.is_for(engine) && (only.is_empty() || only.contains(&section));
        let any = |sections: &[Section]| sections.iter().any(|section| wanted(*section));
        if any(&[Section::Disk, Section::Incremental]) {
            self.disk("before")?;
        }
        if any(&[Section::Bare, Section::Incremental, Section::Lookups]) {
            self.bare().await?;
        }
        if engine == Engine::Postgres
            && any(&[
                Section::Commits,
                Section::Users,
                Section::Incremental,
                Section::Nodes,
            ])
        {
            self.commits().await?;
        }
        if wanted(Section::Users) || any(&Section::SERVED) {
            self.served(&wanted).await?;
        }
        if wanted(Section::Pull) {
            self.pull().await?;
        }
        if wanted(Section::FirstSync) {
            self.first_sync().await?;
        }
        if wanted(Section::Growth) {
            self.growth().await?;
        }
        if wanted(Section::Pages) {
            self.pages_of_the_console().await?;
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

    /// The sections that share a server. In a run on PostgreSQL there is a second one on SQLite, which does the same first
    /// where the two are compared.
    async fn served(&mut self, wanted: &impl Fn(Section) -> bool) -> Result<()> {
        let mut world = self.start(self.engine).await?;
        let mut other = match self.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(self.start(Engine::Sqlite).await?),
        };
        for section in [Section::Users].into_iter().chain(Section::SERVED) {
            // Everything is about users.
            if section != Section::Users && !wanted(section) {
                continue;
            }
            if let Some(other) = other.as_mut().filter(|_| section.is_compared()) {
                self.compared = true;
                self.section(section, other).await?;
                self.compared = false;
            }
            self.section(section, &mut world).await?;
        }
        if wanted(Section::Lookups) && wanted(Section::Memory) {
            self.lookups_at_the_end(&world).await?;
        }
        if wanted(Section::Memory) {
            self.memory(&world).await?;
        }
        Ok(())
    }

    async fn section(&mut self, section: Section, world: &mut World) -> Result<()> {
        let profile = self.profiled(section, world)?;
        match section {
            Section::Users => self.users(world).await?,
            Section::Lookups => self.lookups(world).await?,
            Section::Memberships => self.memberships(world).await?,
            Section::Incremental => self.incremental(world).await?,
            Section::Locks => self.locks(world).await?,
            Section::Nodes => self.nodes(world).await?,
            Section::LargeGroup => self.large_group(world).await?,
            Section::Memory => self.fill(world).await?,
            Section::Disk
            | Section::Bare
            | Section::Commits
            | Section::Pull
            | Section::FirstSync
            | Section::Growth
            | Section::Pages => {}
        }
        profile.map_or(Ok(()), Profile::finish)
    }

    /// Looks into the server of this world, if that was asked for in this section.
    fn profiled(&self, section: Section, world: &World) -> Result<Option<Profile>> {
        if self.compared || self.profile != Some(section) {
            return Ok(None);
        }
        let file = self
            .data
            .join(format!("profile-{}-{}", self.engine.word(), section.name()));
        Profile::start(&world.node.server, &file)
    }

    /// A new deployment, whose brake never stops anybody.
    async fn start(&self, engine: Engine) -> Result<World> {
        self.start_with(engine, UNHELD).await
    }

    /// A new deployment, whose brake lets so many endings of a room pass.
    async fn start_with(&self, engine: Engine, endings: u32) -> Result<World> {
        progress(&format!("starting a server on {}", engine.label()));
        let setting = Setting {
            usher: &self.usher,
            data: &self.data,
            keep: self.keep,
            endings,
        };
        let database = match (engine, &self.postgres) {
            (Engine::Postgres, Some(postgres)) => Some(postgres.database().await?),
            _ => None,
        };
        let world = World::start(setting, database).await?;
        if self.keep {
            progress(&format!("its folder is {}", world.folder().display()));
        }
        Ok(world)
    }

    fn row(&mut self, row: Row) {
        if !self.compared {
            self.report.rows.push(row);
        }
    }

    fn disk(&mut self, when: &str) -> Result<()> {
        progress("disk");
        let folder = self.postgres.as_ref().map_or(&*self.data, Postgres::folder);
        let syncs = disk::syncs(folder, self.sizes.syncs)?;
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

    /// The users of the bulk and those that are spared for single writes.
    async fn users(&mut self, world: &mut World) -> Result<()> {
        progress("users");
        let count = self.sizes.users
            + Section::SERVED
                .map(|section| self.spared(section))
                .iter()
                .sum::<usize>();
        let before = self.spent(world).await?;
        let run = world.create_users(count, self.sizes.in_flight).await?;
        let cost = self.since(&before, world, &run).await?;
        let what = format!("POST /Users, {} in flight", self.sizes.in_flight);
        let row = Row::new(Section::Users, &*what, Unit::PerSecond, run.rate())
            .ceiling(self.commits)
            .note(format!("{:.3} ms CPU a request", run.cpu_ms()))
            .note(run.latency_note())
            .note(cost.note());
        self.row(row);
        self.beside(Section::Users, &what, cost);
        Ok(())
    }

    /// How many users a section has for itself, who are in one group at most.
    fn spared(&self, section: Section) -> usize {
        if !section.is_for(self.engine) {
            return 0;
        }
        match section {
            Section::Incremental => incremental::users(&self.sizes),
            Section::Locks => locks::users(&self.sizes),
            Section::Nodes => nodes::users(&self.sizes),
            Section::LargeGroup => large_group::users(&self.sizes),
            _ => 0,
        }
    }

    /// Where they are among all users.
    fn spare(&self, section: Section) -> Range<usize> {
        let before = Section::SERVED.iter().take_while(|other| **other != section);
        let first = self.sizes.users + before.map(|other| self.spared(*other)).sum::<usize>();
        first..first + self.spared(section)
    }

    /// A row for the CPU that one request costs, beside the bare route's.
    fn cpu_row(&self, section: Section, what: String, run: &crate::load::Run) -> Row {
        Row::new(section, what, Unit::Millis, run.cpu_ms())
            .ceiling(self.bare.as_ref().map(|bare| bare.cpu_ms))
            .note(format!("{:.0} requests/s", run.rate()))
            .note(run.latency_note())
    }
}

/// Tells whoever waits what is going on.
fn progress(what: &str) {
    eprintln!("bench: {what}");
}
