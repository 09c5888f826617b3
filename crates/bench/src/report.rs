//! The table: figures beside their ceilings and targets.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::measure::Section;

/// The lines between which the table of a run on this database is in a file.
const fn markers(engine: Engine) -> (&'static str, &'static str) {
    match engine {
        Engine::Sqlite => ("<!-- bench:begin -->", "<!-- bench:end -->"),
        Engine::Postgres => ("<!-- bench:postgres:begin -->", "<!-- bench:postgres:end -->"),
    }
}

/// What a figure counts, and how it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things a second.
    PerSecond,
    /// Milliseconds.
    Millis,
    /// Mebibytes.
    Mebibytes,
    /// Things.
    Number,
    /// One figure divided by another.
    Ratio,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::Millis => "ms",
            Self::Mebibytes => "MiB",
            Self::Number => "",
            Self::Ratio => "x",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", thousands(value)),
            Self::Millis => format!("{value:.3} ms"),
            Self::Mebibytes => format!("{value:.1} MiB"),
            Self::Number => thousands(value),
            Self::Ratio => format!("{value:.2}"),
        }
    }
}

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// The figure is this or more.
    AtLeast(f64),
    /// The figure is this or less.
    AtMost(f64),
    /// The figure is this share of its ceiling or more.
    ShareOfCeiling(f64),
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    section: Section,
    what: String,
    unit: Unit,
    value: f64,
    ceiling: Option<f64>,
    targets: Vec<Target>,
    notes: Vec<String>,
}

impl Row {
    /// A figure.
    pub(crate) fn new(section: Section, what: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self {
            section,
            what: what.into(),
            unit,
            value,
            ceiling: None,
            targets: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The best that this machine does, in the same unit. For times it is the least.
    pub(crate) fn ceiling(mut self, value: Option<f64>) -> Self {
        self.ceiling = value;
        self
    }

    /// What is wanted of it.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Something to know about it.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// How much of the ceiling is reached: 1 is all of it.
    fn share(&self) -> Option<f64> {
        let ceiling = self.ceiling?;
        let share = match self.unit {
            Unit::PerSecond => self.value / ceiling,
            Unit::Millis | Unit::Mebibytes | Unit::Number | Unit::Ratio => ceiling / self.value,
        };
        share.is_finite().then_some(share)
    }

    /// Whether every target is met; `None` without any.
    pub(crate) fn passed(&self) -> Option<bool> {
        let meets = |target: &Target| match *target {
            Target::AtLeast(bound) => self.value >= bound,
            Target::AtMost(bound) => self.value <= bound,
            Target::ShareOfCeiling(bound) => self.share().is_some_and(|share| share >= bound),
        };
        (!self.targets.is_empty()).then(|| self.targets.iter().all(meets))
    }

    fn shown_targets(&self) -> String {
        let shown = |target: &Target| match *target {
            Target::AtLeast(bound) => format!("≥ {}", self.unit.show(bound)),
            Target::AtMost(bound) => format!("≤ {}", self.unit.show(bound)),
            Target::ShareOfCeiling(bound) => format!("≥ {bound} of it"),
        };
        let shown: Vec<String> = self.targets.iter().map(shown).collect();
        shown.join(", ")
    }

    fn cells(&self) -> [String; 8] {
        [
            self.section.name().to_owned(),
            self.what.clone(),
            self.unit.show(self.value),
            self.ceiling
                .map_or_else(String::new, |value| self.unit.show(value)),
            self.share()
                .map_or_else(String::new, |share| format!("{share:.2}")),
            self.shown_targets(),
            match self.passed() {
                Some(true) => "pass".to_owned(),
                Some(false) => "**fail**".to_owned(),
                None => String::new(),
            },
            self.notes.join("; "),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "section": self.section.name(),
            "what": self.what,
            "value": self.value,
            "unit": self.unit.name(),
            "ceiling": self.ceiling,
            "share": self.share(),
            "target": self.shown_targets(),
            "passed": self.passed(),
            "notes": self.notes,
        })
    }
}

/// All rows of a run, and where it was.
#[derive(Debug)]
pub(crate) struct Report {
    /// The machine and what else ran on it.
    pub(crate) machine: String,
    /// Whether the sizes are those of the targets.
    pub(crate) full: bool,
    /// Where the server kept its data.
    pub(crate) engine: Engine,
    /// The lines.
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// How many targets were missed.
    pub(crate) fn missed(&self) -> usize {
        self.rows.iter().filter(|row| row.passed() == Some(false)).count()
    }

    /// The table, which is Markdown as well as readable.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
            "section", "what", "measured", "ceiling", "share", "target", "", "notes",
        ]);
        for row in &self.rows {
            table.add_row(row.cells());
        }
        for place in 2..=4 {
            if let Some(column) = table.column_mut(place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let sizes = if self.full {
            ""
        } else {
            " Small sizes (`--quick`): the figures are for trying only."
        };
        format!("{}.{sizes}\n\n{table}", self.machine)
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "machine": self.machine,
            "storage": self.engine.word(),
            "full": self.full,
            "missed": self.missed(),
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        })
    }

    /// Puts the table between the markers of a file, and leaves the rest of it alone.
    pub(crate) fn write_into(&self, file: &Path) -> Result<()> {
        let shown = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let (begin, end) = markers(self.engine);
        let text = replace_between(&text, (begin, end), &self.text())
            .with_context(|| format!("{shown} needs the lines {begin} and {end}, in this order"))?;
        fs::write(file, text).with_context(|| format!("cannot write {shown}"))
    }
}

fn replace_between(text: &str, (begin, end): (&str, &str), table: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{table}\n{end}{after}"))
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(unit: Unit, value: f64) -> Row {
        Row::new(Section::Memberships, "something", unit, value)
    }

    #[test]
    fn a_share_is_of_the_ceiling_for_rates_and_times_alike() {
        let rate = row(Unit::PerSecond, 5_000.0).ceiling(Some(20_000.0));
        assert_eq!(rate.share(), Some(0.25));
        let time = row(Unit::Millis, 0.2).ceiling(Some(0.05));
        assert_eq!(time.share(), Some(0.25));
    }

    #[test]
    fn a_row_passes_when_all_of_its_targets_are_met() {
        let rate = row(Unit::PerSecond, 12_000.0)
            .ceiling(Some(40_000.0))
            .target(Target::AtLeast(10_000.0));
        assert_eq!(rate.passed(), Some(true));
        assert_eq!(rate.target(Target::ShareOfCeiling(0.35)).passed(), Some(false));
        assert_eq!(
            row(Unit::Ratio, 1.1).target(Target::AtMost(1.2)).passed(),
            Some(true)
        );
        assert_eq!(row(Unit::Ratio, 1.1).passed(), None);
        // Without its ceiling a share is not met.
        assert_eq!(
            row(Unit::PerSecond, 1.0)
                .target(Target::ShareOfCeiling(0.1))
                .passed(),
            Some(false)
        );
    }

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let [of_sqlite, of_postgres] = [Engine::Sqlite, Engine::Postgres].map(markers);
        let file = |first, second| {
            format!(
                "# Performance\n{}\n{first}\n{}\nmore\n{}\n{second}\n{}\n",
                of_sqlite.0, of_sqlite.1, of_postgres.0, of_postgres.1
            )
        };
        let text = file("old", "old");
        assert_eq!(replace_between(&text, of_sqlite, "new"), Some(file("new", "old")));
        assert_eq!(
            replace_between(&text, of_postgres, "new"),
            Some(file("old", "new"))
        );
        assert_eq!(replace_between("no markers", of_sqlite, "new"), None);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(999.4), "999");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
    }
}
