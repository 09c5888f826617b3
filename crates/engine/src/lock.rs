//! What a unit of work waits for where several run at the same time. See [`usher_storage::query::lock`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use usher_core::{PersonId, RoomId};
use usher_storage::query::lock::{self, Footing};
use usher_storage::{StorageError, Tx};

use crate::EngineError;
use crate::unit::Unit;

/// What a unit holds.
#[derive(Debug)]
pub(crate) struct Locks {
    footing: Footing,
    /// Set by a unit that cannot go on beside others.
    must_be_alone: Arc<AtomicBool>,
    persons: BTreeSet<PersonId>,
    rooms: BTreeSet<RoomId>,
}

impl Locks {
    /// Begins on a footing. `must_be_alone` tells the caller why the unit failed, if it asks for [`Unit::alone`] in vain.
    pub(crate) fn enter(
        tx: &mut Tx<'_>,
        footing: Footing,
        must_be_alone: &Arc<AtomicBool>,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            footing: lock::enter(tx, footing)?,
            must_be_alone: Arc::clone(must_be_alone),
            persons: BTreeSet::new(),
            rooms: BTreeSet::new(),
        })
    }
}

impl Unit<'_, '_> {
    /// What follows concerns more than single users and members: it needs a unit beside which no other runs. One that began
    /// beside others is undone and runs again, alone.
    ///
    /// # Errors
    /// When the unit has to run again.
    pub fn alone(&self) -> Result<(), EngineError> {
        if self.locks.footing == Footing::Alone {
            return Ok(());
        }
        self.locks.must_be_alone.store(true, Ordering::Relaxed);
        Err(StorageError::Misuse("a unit that has to be alone began beside others".to_owned()).into())
    }

    /// Whoever decides about one of these persons later sees all that this unit did.
    pub(crate) async fn lock_persons(&mut self, persons: BTreeSet<PersonId>) -> Result<(), EngineError> {
        if self.locks.footing == Footing::Alone {
            return Ok(());
        }
        let wanted: Vec<_> = persons.difference(&self.locks.persons).copied().collect();
        if !wanted.is_empty() {
            lock::persons(self.tx, wanted.iter().copied()).await?;
            self.locks.persons.extend(wanted);
        }
        Ok(())
    }

    /// Whoever counts or ends something in one of these rooms later sees all that this unit did. Answers whether one of them
    /// was not locked before, so that what was read of it may be old.
    pub(crate) async fn lock_rooms(&mut self, rooms: BTreeSet<RoomId>) -> Result<bool, EngineError> {
        if self.locks.footing == Footing::Alone {
            return Ok(false);
        }
        let wanted: Vec<_> = rooms.difference(&self.locks.rooms).copied().collect();
        if wanted.is_empty() {
            return Ok(false);
        }
        lock::rooms(self.tx, wanted.iter().copied()).await?;
        self.locks.rooms.extend(wanted);
        Ok(true)
    }

    /// Whoever gives somebody one of these addresses later sees whom this unit gave it to.
    pub(crate) async fn lock_addresses(&mut self, addresses: Vec<String>) -> Result<(), EngineError> {
        if self.locks.footing == Footing::Beside && !addresses.is_empty() {
            lock::addresses(self.tx, addresses).await?;
        }
        Ok(())
    }
}
