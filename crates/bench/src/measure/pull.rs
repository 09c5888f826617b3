//! Reading a provider: a first read, one that finds nothing new, one of a few changes, and memory.

use std::iter;
use std::time::Duration;

use anyhow::{Result, bail};
use usher_core::MappingState;

use super::{Bench, Section, progress};
use crate::ceiling::added;
use crate::load::quantile;
use crate::provider::{CHANGES, Provider};
use crate::reader::{LOOK, Read, Reader};
use crate::report::{Row, Target, Unit};
use crate::sqlite::{Ceiling, Database};

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// How much longer than the provider and SQLite alone together a first read may take.
const LONGER: f64 = 2.5;

/// Rounds of changes before the measured ones.
const WARM_UP: usize = 2;

/// A server looks for reads at intervals of its own. Rounds begin at other moments within such intervals each time, this
/// much apart, so that the two sides do not differ by where in them they happen to be asked.
const SHIFT: Duration = Duration::from_millis(37);

/// Tables in which a read keeps account of itself, and the one that notes that the bench's own token was used.
const ACCOUNT: [&str; 4] = ["pull_run", "pull_state", "pull_lease", "token"];

/// A way to read everything for the first time.
struct First {
    what: &'static str,
    state: MappingState,
    assigned: bool,
    judged: bool,
}

const FIRST: &[First] = &[
    First {
        what: "unmapped",
        state: MappingState::Pending,
        assigned: false,
        judged: false,
    },
    First {
        what: "mapped, in groups that are assigned to the application",
        state: MappingState::Confirmed,
        assigned: true,
        judged: false,
    },
    First {
        what: "mapped",
        state: MappingState::Confirmed,
        assigned: false,
        judged: true,
    },
];

/// A provider with one group and the server that reads it.
struct Side {
    provider: Provider,
    reader: Reader,
    cpu_ms: Vec<f64>,
    statements: Vec<f64>,
    requests: Vec<f64>,
}

impl Bench {
    pub(super) async fn pull(&mut self) -> Result<()> {
        let size = self.sizes.pull_group;
        let groups = self.sizes.pull_members / size;
        let provider = Provider::start(groups * size, iter::repeat_n(size, groups)).await?;
        let mut peak = 0;
        for first in FIRST {
            progress(&format!("pull: first read, {}", first.what));
            let (reader, read) = self.first_read(&provider, first).await?;
            if first.judged {
                peak = read.peak;
                progress("pull: the same once more");
                self.unchanged(&reader).await?;
            }
        }
        drop(provider);
        self.changes().await?;
        self.pull_memory(peak).await
    }

    /// Everything for the first time, beside the provider and SQLite alone.
    async fn first_read(&mut self, provider: &Provider, first: &First) -> Result<(Reader, Read)> {
        let reader = Reader::start(&self.usher, &self.data, self.keep, provider, first.assigned).await?;
        reader.map(&provider.groups, first.state).await?;
        let ceiling = Ceiling::create(reader.folder()).await?;
        ceiling.copy_parents(&reader.database())?;
        provider.drain().await?;
        let drained = provider.drain().await?;

        let database = Database::open(&reader.database())?;
        let (before, last) = (database.counts()?, database.last_event()?);
        let read = reader.read(true).await?;
        let mut expected = added(&before, &database.counts()?);
        saw(&read, provider.members())?;
        let memberships = expected.get("membership").copied().unwrap_or(0);
        let wanted = if first.state == MappingState::Confirmed {
            provider.members()
        } else {
            0
        };
        if memberships != i64::try_from(wanted)? {
            bail!("the read started {memberships} memberships in place of {wanted}");
        }
        // The account that reads keep of themselves is not what was read.
        expected.retain(|table, _| !ACCOUNT.contains(&table.as_str()));
        let replay = ceiling.replay(&database, last, &expected)?;

        let members = provider.members() as f64;
        let alone = drained + replay.elapsed;
        let mut row = Row::new(
            Section::Pull,
            format!(
                "first read of {} members in {} groups, {}",
                provider.members(),
                provider.groups.len(),
                first.what
            ),
            Unit::PerSecond,
            members / read.elapsed.as_secs_f64(),
        )
        .ceiling(Some(members / alone.as_secs_f64()))
        .note(format!(
            "{:.2} s; the provider alone takes {:.2} s, SQLite alone {:.2} s for {:.1} rows a member",
            read.elapsed.as_secs_f64(),
            drained.as_secs_f64(),
            replay.elapsed.as_secs_f64(),
            expected.values().sum::<i64>() as f64 / members,
        ))
        .note(format!(
            "{:.3} ms CPU, {:.2} statements a member",
            read.cpu.as_secs_f64() * 1e3 / members,
            read.statements as f64 / members,
        ));
        if first.judged {
            row = row
                .target(Target::ShareOfCeiling(1.0 / LONGER))
                .note("aim 10,000/s");
        }
        self.row(row);
        Ok((reader, read))
    }

    /// Everything again, with nothing new in it.
    async fn unchanged(&mut self, reader: &Reader) -> Result<()> {
        reader.watch_writes()?;
        let read = reader.read(true).await?;
        let mut writes = reader.writes()?;
        let written: u64 = writes.values().sum();
        // Each row is counted with the note of it.
        if read.rows != 2 * written {
            bail!("the server counts {} rows and the database {written}", read.rows);
        }
        let account: Vec<String> = ACCOUNT
            .iter()
            .filter_map(|table| Some(format!("{} of {table}", writes.remove(*table)?)))
            .collect();
        let members = read.count("members") as f64;
        self.row(
            Row::new(
                Section::Pull,
                "reading the same completely once more: rows written",
                Unit::Number,
                writes.values().sum::<u64>() as f64,
            )
            .target(Target::AtMost(0.0))
            .note(format!(
                "beside the account of the read itself: {} rows",
                account.join(", ")
            ))
            .note(format!(
                "{:.2} s, {:.0} members/s, {:.3} ms CPU a member",
                read.elapsed.as_secs_f64(),
                members / read.elapsed.as_secs_f64(),
                read.cpu.as_secs_f64() * 1e3 / members
            )),
        );
        Ok(())
    }

    /// Ten changes in a large and in a small group, in turns.
    async fn changes(&mut self) -> Result<()> {
        let (large, small) = (self.sizes.pull_members, self.sizes.pull_group);
        progress("pull: first reads of one large and one small group");
        let mut sides = [self.side(large).await?, self.side(small).await?];
        progress(&format!("pull: {CHANGES} changes at a time"));
        for round in 0..WARM_UP + self.sizes.pull_rounds {
            // Each side goes first as often as the other.
            if round % 2 == 1 {
                sides.reverse();
            }
            for side in &mut sides {
                side.round(round).await?;
            }
            if round % 2 == 1 {
                sides.reverse();
            }
        }
        let [large_side, small_side] = sides.map(Side::typical);
        let sizes = format!("group of {large} against {small}");
        for (what, unit, [in_large, in_small], bound) in [
            ("CPU", " ms", [large_side[0], small_side[0]], 1.2),
            // A statement of the server's own jobs may be among them.
            ("statements", "", [large_side[1], small_side[1]], 1.05),
            ("requests", "", [large_side[2], small_side[2]], 1.0),
        ] {
            let row = Row::new(
                Section::Pull,
                format!("reading {CHANGES} changes, {sizes}: {what}"),
                Unit::Ratio,
                in_large / in_small,
            )
            .target(Target::AtMost(bound));
            self.row(row.note(format!(
                "{in_large:.1}{unit} against {in_small:.1}{unit} in {} rounds in turns",
                self.sizes.pull_rounds
            )));
        }
        Ok(())
    }

    async fn side(&self, size: usize) -> Result<Side> {
        let rounds = WARM_UP + self.sizes.pull_rounds;
        let people = size + Provider::newcomers(rounds);
        let provider = Provider::start(people, [size]).await?;
        let reader = Reader::start(&self.usher, &self.data, self.keep, &provider, false).await?;
        reader.map(&provider.groups, MappingState::Confirmed).await?;
        saw(&reader.read(true).await?, size)?;
        Ok(Side {
            provider,
            reader,
            cpu_ms: Vec::new(),
            statements: Vec::new(),
            requests: Vec::new(),
        })
    }

    /// Many groups of which one is large: the peak must not grow with what is read.
    async fn pull_memory(&mut self, before: u64) -> Result<()> {
        let (all, large, size) = (
            self.sizes.pull_most,
            self.sizes.pull_members,
            self.sizes.pull_group,
        );
        let groups = (all - large) / size;
        progress(&format!("pull: first read of {all} members"));
        let sizes = iter::repeat_n(size, groups / 2)
            .chain([large])
            .chain(iter::repeat_n(size, groups - groups / 2));
        let provider = Provider::start(self.sizes.pull_people, sizes).await?;
        let reader = Reader::start(&self.usher, &self.data, self.keep, &provider, false).await?;
        reader.map(&provider.groups, MappingState::Confirmed).await?;
        let read = reader.read(true).await?;
        saw(&read, provider.members())?;
        let (peak, before) = (read.peak as f64 / MEBIBYTE, before as f64 / MEBIBYTE);
        self.row(
            Row::new(
                Section::Pull,
                format!("peak RssAnon, {all} members against {large}: more by"),
                Unit::Mebibytes,
                peak - before,
            )
            .target(Target::AtMost(20.0))
            .note(format!(
                "{peak:.1} MiB against {before:.1} MiB, looked at every {} ms",
                LOOK.as_millis()
            ))
            .note(format!(
                "{} groups, one of them of {large}; {} people",
                provider.groups.len(),
                self.sizes.pull_people
            ))
            .note(format!(
                "{:.1} s, {:.0} members/s, database {:.0} MiB",
                read.elapsed.as_secs_f64(),
                provider.members() as f64 / read.elapsed.as_secs_f64(),
                std::fs::metadata(reader.database())?.len() as f64 / MEBIBYTE
            )),
        );
        Ok(())
    }
}

impl Side {
    async fn round(&mut self, round: usize) -> Result<()> {
        self.provider.change(round);
        self.provider.requests();
        tokio::time::sleep(SHIFT * u32::try_from(round)?).await;
        let read = self.reader.read(false).await?;
        let requests = self.provider.requests();
        if read.count("added") != 4 || read.count("removed") != 3 {
            bail!("the read found other changes than were made: {read:?}");
        }
        if round >= WARM_UP {
            self.cpu_ms.push(read.cpu.as_secs_f64() * 1e3);
            self.statements.push(read.statements as f64);
            self.requests.push(requests as f64);
        }
        Ok(())
    }

    /// CPU, statements and requests of a round. Of the CPU the median. Of the others the least: what the server does by
    /// itself now and then comes on top of them.
    fn typical(mut self) -> [f64; 3] {
        let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        self.cpu_ms.sort_by(f64::total_cmp);
        [
            quantile(&self.cpu_ms, 0.5),
            least(&self.statements),
            least(&self.requests),
        ]
    }
}

fn saw(read: &Read, members: usize) -> Result<()> {
    if read.count("members") != members as u64 {
        bail!("the read saw other than {members} members: {read:?}");
    }
    Ok(())
}
