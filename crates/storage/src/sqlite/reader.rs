//! A thread that reads: one unit is one snapshot.

use std::sync::Mutex;

use tokio::sync::mpsc;

use super::connection::Opening;
use super::session::Session;
use super::unit::{Message, Unit};
use super::{Ready, next};
use crate::StorageError;
use crate::storage::Counters;
use crate::tx::Tx;

pub(super) fn run(
    opening: &Opening,
    counters: &Counters,
    queue: &Mutex<mpsc::Receiver<Message>>,
    ready: Ready,
) {
    let mut session = match opening.open() {
        Ok((session, settings)) => {
            let _gone = ready.send(Ok(settings));
            session
        }
        Err(error) => {
            let _gone = ready.send(Err(error));
            return;
        }
    };
    while let Some(message) = next(queue) {
        match message {
            Message::Unit(unit) if unit.abandoned() => {}
            Message::Unit(mut unit) => {
                if let Err(error) = read(&mut session, counters, &mut *unit) {
                    unit.fail(error);
                }
                unit.answer();
            }
            Message::Close(closed) => {
                drop(session);
                let _gone = closed.send(());
                return;
            }
        }
    }
}

fn read(session: &mut Session, counters: &Counters, unit: &mut dyn Unit) -> Result<(), StorageError> {
    session.step("BEGIN DEFERRED")?;
    let mut tx = Tx::sqlite(session);
    unit.run(&mut tx);
    Counters::add(&counters.reads, 1);
    Counters::add(&counters.statements, tx.statements());
    // Some errors end the transaction by themselves.
    if session.in_transaction() {
        session.step("COMMIT")
    } else {
        Ok(())
    }
}
