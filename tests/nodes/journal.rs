//! What clients asked for, in the order of one clock, and what they were told.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Something that has one value at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Whether there is a user with this id.
    User(String),
    /// The name of a user.
    UserName(String),
    /// Whether a user is active.
    Active(String),
    /// Whether there is a group with this id.
    Group(String),
    /// The name of a group.
    GroupName(String),
    /// Whether a user is a member of a group.
    Member {
        /// The group.
        group: String,
        /// The user.
        user: String,
    },
}

/// The value of a [`Key`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// Yes or no.
    Flag(bool),
    /// A name.
    Text(String),
}

impl From<bool> for Said {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Said {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// One value that an operation sets.
pub type Write = (Key, Said);

/// What became of an operation, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with success.
    Acknowledged,
    /// It was refused: nothing of it may be there.
    Refused,
    /// No answer came, or one that leaves it open.
    Unknown,
}

/// One operation. All of its writes happen, or none.
#[derive(Clone, Debug)]
pub struct Entry {
    /// For people.
    pub what: String,
    /// What it sets.
    pub writes: Vec<Write>,
    /// Before it was first sent.
    pub began: u64,
    /// After the answer came; `None` where it may happen later still.
    pub ended: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
}

/// The journal of all clients.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    pages: Mutex<Pages>,
    acknowledged: watch::Sender<usize>,
}

#[derive(Default)]
struct Pages {
    clock: u64,
    entries: Vec<Entry>,
    complaints: Vec<String>,
}

/// An operation that has begun.
#[must_use]
pub struct Begun {
    journal: Journal,
    index: usize,
}

impl Journal {
    /// An empty one.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            pages: Mutex::default(),
            acknowledged: watch::Sender::new(0),
        }))
    }

    /// An operation is about to be sent.
    pub fn begin(&self, what: impl fmt::Display, writes: Vec<Write>) -> Begun {
        let mut pages = self.pages();
        let began = pages.tick();
        let index = pages.entries.len();
        pages.entries.push(Entry {
            what: what.to_string(),
            writes,
            began,
            ended: None,
            outcome: Outcome::Unknown,
        });
        Begun {
            journal: self.clone(),
            index,
        }
    }

    /// Something was not answered as it should have been.
    pub fn complain(&self, complaint: String) {
        self.pages().complaints.push(complaint);
    }

    /// All complaints so far.
    pub fn complaints(&self) -> Vec<String> {
        self.pages().complaints.clone()
    }

    /// All operations so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.pages().entries.clone()
    }

    /// How many operations were acknowledged, now and later.
    pub fn acknowledged(&self) -> watch::Receiver<usize> {
        self.0.acknowledged.subscribe()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    const fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl Begun {
    /// Where it is written down.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// It was answered with success.
    pub fn acknowledged(self) {
        self.end(Outcome::Acknowledged);
        self.journal.0.acknowledged.send_modify(|count| *count += 1);
    }

    /// It was answered with success; what it set is known only now.
    pub fn acknowledged_as(self, writes: Vec<Write>) {
        self.journal.pages().entries[self.index].writes = writes;
        self.acknowledged();
    }

    /// It was refused.
    pub fn refused(self) {
        self.end(Outcome::Refused);
    }

    fn end(&self, outcome: Outcome) {
        let mut pages = self.journal.pages();
        let ended = pages.tick();
        let entry = &mut pages.entries[self.index];
        entry.ended = Some(ended);
        entry.outcome = outcome;
    }
}
