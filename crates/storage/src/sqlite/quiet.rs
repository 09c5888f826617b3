//! When an open snapshot may serve further reads, and who ends it when no more come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::reader::Place;
use crate::StorageError;

/// How old a snapshot may get: for so long a read may miss what another process has committed.
pub(super) const OLDEST: Duration = Duration::from_millis(5);

/// Counts the times that the writer begins and ends its work. What was the present in one quiet time is so until its end.
#[derive(Debug, Default)]
pub(super) struct Quiet(AtomicU64);

impl Quiet {
    /// Which quiet time this is, or nothing while the writer is at work.
    pub(super) fn now(&self) -> Option<u64> {
        let count = self.0.load(Ordering::SeqCst);
        count.is_multiple_of(2).then_some(count)
    }

    /// Ends the quiet time until what is returned is dropped. Snapshots that nobody uses end with it, so that they are not
    /// in the way of a checkpoint.
    pub(super) fn interrupt(&self, places: &[Place]) -> Interruption<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        for place in places {
            place.end_snapshot(Duration::ZERO);
        }
        Interruption(self)
    }
}

/// The writer is at work.
pub(super) struct Interruption<'q>(&'q Quiet);

impl Drop for Interruption<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Wakes the thread that ends snapshots which no read has renewed. That thread ends when this is dropped.
pub(super) struct Bell {
    bell: SyncSender<()>,
    /// Whether the thread goes round by itself.
    awake: Arc<AtomicBool>,
}

impl Bell {
    /// Starts the thread.
    pub(super) fn new(places: Arc<[Place]>) -> Result<Self, StorageError> {
        let (bell, rung) = sync_channel(1);
        let awake = Arc::new(AtomicBool::new(false));
        let state = Arc::clone(&awake);
        thread::Builder::new()
            .name("storage keeper".to_owned())
            .spawn(move || go_round(&places, &rung, &state))
            .map_err(StorageError::opaque)?;
        Ok(Self { bell, awake })
    }

    /// Says that a snapshot was left open.
    pub(super) fn ring(&self) {
        if !self.awake.load(Ordering::SeqCst) && !self.awake.swap(true, Ordering::SeqCst) {
            // A full channel wakes the thread as well.
            let _heard = self.bell.try_send(());
        }
    }
}

/// Ends old snapshots until none is left, then waits for the next.
fn go_round(places: &[Place], rung: &Receiver<()>, awake: &AtomicBool) {
    while rung.recv().is_ok() {
        loop {
            if rung.recv_timeout(OLDEST) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            let are_left = |age| places.iter().filter(|place| place.end_snapshot(age)).count() > 0;
            if are_left(OLDEST) {
                continue;
            }
            awake.store(false, Ordering::SeqCst);
            // One may have been left since by a reader that took this thread for awake.
            if !are_left(OLDEST) {
                break;
            }
            awake.store(true, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::{Access, Opening};
    use super::super::reader;
    use super::*;
    use crate::Row;
    use crate::storage::Counters;

    /// A file with a table, a connection that writes, and one place for a connection that reads.
    fn opened(folder: &std::path::Path) -> (super::super::Session, Arc<[Place]>) {
        let open = |access| {
            let path = folder.join("usher.db");
            let busy_timeout = Duration::from_secs(10);
            Opening {
                path,
                busy_timeout,
                access,
            }
            .open()
            .unwrap()
            .0
        };
        let mut writer = open(Access::Write);
        writer
            .script("CREATE TABLE entry (id INTEGER PRIMARY KEY)")
            .unwrap();
        let place = Place::default();
        place.fill(open(Access::Read));
        (writer, [place].into())
    }

    fn count(places: &[Place], quiet: &Quiet, bell: &Bell) -> i64 {
        loop {
            let counted = reader::try_read(places, &Counters::default(), (quiet, bell), |tx| {
                let asked = std::pin::pin!(tx.query_one("SELECT count(*) FROM entry", &[]));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                match asked.poll(&mut context) {
                    std::task::Poll::Ready(row) => row.and_then(|row: Row| row.get::<i64>(0)),
                    std::task::Poll::Pending => panic!("a statement waits for nothing"),
                }
            });
            match counted {
                Some(counted) => return counted.unwrap().unwrap(),
                // The thread that ends snapshots is looking at the only place.
                None => thread::yield_now(),
            }
        }
    }

    #[test]
    fn a_snapshot_serves_further_reads_until_the_writer_was_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, places) = opened(folder.path());
        let (quiet, bell) = (Quiet::default(), Bell::new(Arc::clone(&places)).unwrap());
        for entries in 0..100 {
            assert_eq!(count(&places, &quiet, &bell), entries);
            let at_work = quiet.interrupt(&places);
            assert_eq!(count(&places, &quiet, &bell), entries, "nothing is committed yet");
            writer.execute("INSERT INTO entry DEFAULT VALUES", &[]).unwrap();
            assert_eq!(
                count(&places, &quiet, &bell),
                entries + 1,
                "nothing is kept meanwhile"
            );
            drop(at_work);
        }
    }

    #[test]
    fn the_writer_ends_a_snapshot_that_is_in_its_way() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, places) = opened(folder.path());
        let quiet = Quiet::default();
        // Nobody goes round.
        let bell = Bell::new([].into()).unwrap();
        count(&places, &quiet, &bell);
        let at_work = quiet.interrupt(&places);
        writer.wait_at_most(Duration::ZERO).unwrap();
        writer.execute("INSERT INTO entry DEFAULT VALUES", &[]).unwrap();
        assert_eq!(truncate(&mut writer), 0);
        drop(at_work);
    }

    #[test]
    fn a_snapshot_that_nobody_renews_lets_another_process_cut_back_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let (mut other, places) = opened(folder.path());
        let (quiet, bell) = (Quiet::default(), Bell::new(Arc::clone(&places)).unwrap());
        for _ in 0..20 {
            count(&places, &quiet, &bell);
            other.execute("INSERT INTO entry DEFAULT VALUES", &[]).unwrap();
            // Waits for the snapshot, at most as long as the connection waits for anything.
            assert_eq!(truncate(&mut other), 0);
        }
    }

    /// Cuts the log back: 1 if somebody was in the way.
    fn truncate(session: &mut super::super::Session) -> i64 {
        let row = session.query_opt("PRAGMA wal_checkpoint(TRUNCATE)", &[]).unwrap();
        row.unwrap().get(0).unwrap()
    }
}
