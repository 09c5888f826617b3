//! The same requests to servers with few, many and very many users, side by side and in turns: their number must not matter.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

use super::{Bench, SPARE_GROUPS, Section, progress};
use crate::client::Call;
use crate::load::{Run, drive, median, quantile};
use crate::loader::{self, Loaded};
use crate::postgres;
use crate::report::{Row, Target, Unit};
use crate::scim;
use crate::world::{Place, World};

/// So much may the CPU of a request differ by noise.
const NOISE: f64 = 1.3;

/// People in a group and in its room.
const GROUP: usize = 50;

/// Users on a page of a list.
const PAGE: usize = 100;

/// A request.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Write,
    Lookup,
    RandomLookup,
    Explain,
    FirstPage,
}

impl Ask {
    const ALL: [Self; 5] = [
        Self::Write,
        Self::Lookup,
        Self::RandomLookup,
        Self::Explain,
        Self::FirstPage,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Write => "add one member",
            Self::Lookup => "GET /Users?filter=userName eq, in creation order",
            Self::RandomLookup => "GET /Users?filter=userName eq, in random order",
            Self::Explain => "explain one person in one room",
            Self::FirstPage => "GET /Users?cursor, first page of 100",
        }
    }

    /// Requests of one turn: enough for some ten milliseconds.
    const fn block(self) -> usize {
        match self {
            Self::Write => 160,
            Self::Lookup | Self::RandomLookup => 800,
            Self::Explain => 240,
            Self::FirstPage => 32,
        }
    }

    /// Random people's pages are rarely in memory where there are many; a list also says how many there are.
    const fn is_judged(self) -> bool {
        matches!(self, Self::Write | Self::Lookup | Self::Explain)
    }
}

/// A server with so many users.
struct Side {
    world: World,
    loaded: Loaded,
    groups: Vec<Uuid>,
    /// CPU of the server for a request, in milliseconds: for each kind of request, each round.
    cpu_ms: [Vec<f64>; Ask::ALL.len()],
}

impl Bench {
    pub(super) async fn growth(&mut self) -> Result<()> {
        let mut sides = Vec::new();
        for users in self.sizes.growth_users {
            sides.push(self.grown(users).await?);
        }
        let profile = match sides.last() {
            Some(side) => self.profiled(Section::Growth, &side.world)?,
            None => None,
        };
        let rounds = self.sizes.growth_rounds;
        for (kind, ask) in Ask::ALL.into_iter().enumerate() {
            progress(&format!("growth: {}", ask.name()));
            // What is asked first is brought into memory.
            for round in 0..=rounds {
                for turn in 0..sides.len() {
                    // Each goes first as often as the others.
                    let place = (round + turn) % sides.len();
                    let run = self.asked(&sides[place], ask, round).await?;
                    if round > 0 {
                        sides[place].cpu_ms[kind].push(run.cpu_ms());
                    }
                }
            }
            self.compare(kind, ask, &sides);
        }
        if let Some(largest) = sides.pop() {
            self.pages(&largest).await?;
        }
        profile.map_or(Ok(()), crate::profile::Profile::finish)
    }

    async fn grown(&mut self, users: usize) -> Result<Side> {
        let mut world = self.start(self.engine).await?;
        progress(&format!("growth: loading {users} users"));
        let start = Instant::now();
        let storage = world.storage().await?;
        let loaded = loader::load(&storage, users, GROUP).await?;
        storage.close().await;
        let seconds = start.elapsed().as_secs_f64();
        if let Place::Database(database) = world.place() {
            // As the server's own housekeeping would have done by the next day.
            postgres::connect(&database.url())
                .await?
                .batch_execute("VACUUM (ANALYZE)")
                .await?;
        }
        let rows: i64 = world.place().counts().await?.values().sum();
        let row = Row::new(
            Section::Growth,
            format!("loading {users} users through the storage"),
            Unit::PerSecond,
            users as f64 / seconds,
        );
        self.row(row.note(format!(
            "{seconds:.1} s; {rows} rows, {:.0} MiB",
            world.place().size().await? as f64 / (1024.0 * 1024.0)
        )));
        Ok(Side {
            groups: world.create_mapped_groups(SPARE_GROUPS).await?,
            world,
            loaded,
            cpu_ms: Default::default(),
        })
    }

    /// One turn. Each asks for other people than those before.
    async fn asked(&self, side: &Side, ask: Ask, round: usize) -> Result<Run> {
        let statuses: &[u16] = &[200, 204];
        drive(
            &side.world.node.scim,
            &side.world.node.server,
            ask.block(),
            self.sizes.in_flight,
            |number| side.call(ask, round * ask.block() + number),
            |_, answer| {
                let answer = answer.expect(statuses)?;
                let shown = matches!(ask, Ask::Write) || answer.body.len() > 300;
                ensure!(shown, "the answer shows nobody");
                Ok(())
            },
        )
        .await
    }

    fn compare(&mut self, kind: usize, ask: Ask, sides: &[Side]) {
        let figures: Vec<(usize, f64)> = sides
            .iter()
            .map(|side| (side.loaded.users.len(), median(side.cpu_ms[kind].clone())))
            .collect();
        let Some((smallest, larger)) = figures.split_first() else {
            return;
        };
        let most = larger.iter().map(|figure| figure.1).fold(0.0, f64::max);
        let sizes: Vec<String> = larger.iter().map(|figure| figure.0.to_string()).collect();
        let shown: Vec<String> = figures.iter().map(|figure| format!("{:.4}", figure.1)).collect();
        let row = Row::new(
            Section::Growth,
            format!(
                "{}: CPU with {} users against {}",
                ask.name(),
                sizes.join(" or "),
                smallest.0
            ),
            Unit::Ratio,
            most / smallest.1,
        )
        .note(format!(
            "{} ms with {} and {} users, medians of {} rounds of {} in turns",
            shown.join(", "),
            smallest.0,
            sizes.join(" and "),
            self.sizes.growth_rounds,
            ask.block()
        ))
        .note(format!(
            "half of the rounds with {} users were between {:.2} and {:.2} of their median",
            smallest.0,
            spread(&sides[0].cpu_ms[kind], 0.25),
            spread(&sides[0].cpu_ms[kind], 0.75)
        ));
        self.row(if ask.is_judged() {
            row.target(Target::AtMost(NOISE))
        } else {
            row
        });
    }

    /// A list from one end to the other, then its first, a middle and its last page in turns.
    async fn pages(&mut self, side: &Side) -> Result<()> {
        progress("growth: all pages of a list");
        let cursors = side.cursors().await?;
        let places = [0, cursors.len() / 2, cursors.len() - 1];
        let mut cpu_ms = [const { Vec::new() }; 3];
        for round in 0..=self.sizes.growth_rounds {
            for turn in 0..places.len() {
                let at = (round + turn) % places.len();
                let path = page(&cursors[places[at]]);
                let run = drive(
                    &side.world.node.scim,
                    &side.world.node.server,
                    Ask::FirstPage.block(),
                    self.sizes.in_flight,
                    |_| side.world.node.scim.get(&path),
                    |_, answer| answer.expect(&[200]).map(drop),
                )
                .await?;
                if round > 0 {
                    cpu_ms[at].push(run.cpu_ms());
                }
            }
        }
        let [first, middle, last] = cpu_ms.map(median);
        let count = cursors.len();
        let row = Row::new(
            Section::Growth,
            format!(
                "list of {} users by cursor: CPU of the middle or last page against the first",
                side.loaded.users.len()
            ),
            Unit::Ratio,
            middle.max(last) / first,
        );
        self.row(row.target(Target::AtMost(NOISE)).note(format!(
            "{first:.3}, {middle:.3}, {last:.3} ms; pages 1, {} and {count} of {PAGE} users, medians of {} rounds of {} in turns",
            count / 2 + 1,
            self.sizes.growth_rounds,
            Ask::FirstPage.block()
        )));
        Ok(())
    }
}

impl Side {
    fn call(&self, ask: Ask, number: usize) -> Call {
        let users = self.loaded.users.len();
        // From the middle on, where nobody was before.
        let in_order = (users / 2 + number) % users;
        let by_name = |place| {
            let name = scim::user_name(place).replace('@', "%40");
            self.world
                .node
                .scim
                .get(&format!("/Users?filter=userName+eq+%22{name}%22"))
        };
        match ask {
            Ask::Write => {
                // Whoever comes round again comes into another group.
                let group = self.groups[(number + number / users) % self.groups.len()];
                let body = scim::members("Add", &[self.loaded.users[in_order]]);
                self.world.node.scim.patch(&format!("/Groups/{group}"), body)
            }
            Ask::Lookup => by_name(in_order),
            Ask::RandomLookup => by_name(number.wrapping_mul(7_919) % users),
            Ask::Explain => self.world.node.operations.get(&format!(
                "/api/v1/rooms/{}/persons/{}/explanation",
                self.loaded.room_of(in_order),
                self.loaded.persons[in_order]
            )),
            Ask::FirstPage => self.world.node.scim.get(&page("")),
        }
    }

    /// The cursor of each full page, in order; that of the first is empty.
    async fn cursors(&self) -> Result<Vec<String>> {
        let mut connection = self.world.node.scim.connect().await?;
        let (mut cursors, mut cursor, mut seen) = (Vec::new(), String::new(), 0);
        loop {
            let path = page(&cursor);
            let answer = connection.send(self.world.node.scim.get(&path)).await?;
            let answer = answer.expect(&[200])?.json()?;
            let shown = answer["Resources"]
                .as_array()
                .context("the page shows nobody")?
                .len();
            seen += shown;
            if shown == PAGE {
                cursors.push(cursor);
            }
            match answer["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        ensure!(
            seen == self.loaded.users.len(),
            "the list shows {seen} users in place of {}",
            self.loaded.users.len()
        );
        Ok(cursors)
    }
}

fn page(cursor: &str) -> String {
    format!(
        "/Users?count={PAGE}&cursor={}",
        cursor.replace('+', "%2B").replace('=', "%3D")
    )
}

/// The value below which a share of the rounds lies, as a part of the middle one.
fn spread(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    quantile(&values, share) / quantile(&values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_told_in_parts_of_the_middle() {
        let rounds = [2.0, 1.0, 3.0, 4.0, 2.0];
        assert!((spread(&rounds, 0.75) - 1.5).abs() < 1e-9);
        assert!((spread(&rounds, 0.5) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_cursor_is_escaped() {
        assert_eq!(page("a+b="), "/Users?count=100&cursor=a%2Bb%3D");
    }
}
