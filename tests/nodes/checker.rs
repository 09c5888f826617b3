//! The judge at the end: what is in the database and in the API, against what clients, readers and receivers were told.
//!
//! It knows nothing of the engine. What must be true it works out for itself, from the journal of the clients and from rows
//! that it reads with its own SQL. Each judgement names everything that is wrong, and is shown to do so below.

mod brake;
mod directory;
mod kept;
mod reads;
mod rooms;
mod state;
mod told;
mod writes;

use std::fmt;

use super::journal::{Key, Said};

pub use brake::brake;
pub use directory::{Facts, directory};
pub use kept::kept;
pub use reads::{Read, reads};
pub use rooms::rooms;
pub use state::{Event, Group, Hold, Mapping, Membership, Period, State, User, Write};
pub use told::{Delivery, deliveries, feed};
pub use writes::writes;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A value is there that no operation allows to be the last one.
    Lost {
        /// Of what.
        key: Key,
        /// What is there; `None` where nothing is.
        found: Option<Said>,
        /// What the journal allows.
        allowed: Vec<Said>,
        /// The operations that could tell of it, oldest first.
        operations: Vec<String>,
    },
    /// Somebody is in a room more than once.
    Doubled {
        /// The room.
        room: String,
        /// The person.
        person: String,
    },
    /// Two stays of somebody in a room were at the same time.
    Overlapping {
        /// The room.
        room: String,
        /// The person.
        person: String,
    },
    /// Somebody is in a room without being wanted there.
    NotWanted {
        /// The room.
        room: String,
        /// The person.
        person: String,
    },
    /// Somebody is wanted in a room and not there.
    NotInside {
        /// The room.
        room: String,
        /// The person.
        person: String,
    },
    /// A reader of the feed did not get an event.
    Skipped {
        /// The event.
        event: i64,
    },
    /// A reader of the feed got an event again, or after a later one, or one that is not there.
    OutOfPlace {
        /// The event.
        event: i64,
    },
    /// An endpoint was never told of an event.
    NotDelivered {
        /// The endpoint.
        endpoint: usize,
        /// The event.
        event: i64,
    },
    /// An endpoint was first told of an event after it had been told of a later one of the same room.
    Disordered {
        /// The endpoint.
        endpoint: usize,
        /// The event.
        event: i64,
        /// The later one.
        after: i64,
    },
    /// Somebody who was always in one of a room's groups did not stay in the room.
    Interrupted {
        /// The room.
        room: String,
        /// The person.
        person: String,
    },
    /// What many were removed by became no hold, or several.
    HeldTwice {
        /// The room.
        room: String,
        /// How many there are.
        holds: usize,
    },
    /// Somebody left whom the brake should have held.
    NotHeld {
        /// The room.
        room: String,
        /// The person.
        person: String,
    },
    /// Somebody who was held and let go did not leave, or came back and left again.
    NotFollowedOnce {
        /// The room.
        room: String,
        /// The person.
        person: String,
    },
    /// Two reads of a source wrote side by side.
    WroteTogether {
        /// One, by its id.
        first: String,
        /// The other.
        second: String,
    },
    /// A read wrote after another node took over from it.
    WroteLate {
        /// The read, by its id.
        run: String,
        /// What it wrote.
        event: i64,
    },
    /// Two nodes read a source at the same time.
    ReadTwice {
        /// Who read.
        first: String,
        /// Who read meanwhile.
        second: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
