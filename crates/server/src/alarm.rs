//! The timer of a connection, as hyper asks for it.
//!
//! hyper starts a wait for each request and drops it when the request has come. In the runtime's own timer each of them would
//! be an entry that is made and taken out again, under a lock that all connections share. Here a connection has one entry, which
//! stays for the next wait, and is moved only when it rings.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time;

/// The timer of one connection. Of several waits at once only the one that is polled last is sure to be woken.
#[derive(Default)]
pub(crate) struct Alarm(Entry);

/// The entry in the runtime's timer, from the first wait on.
type Entry = Arc<Mutex<Option<Pin<Box<time::Sleep>>>>>;

struct Wait {
    deadline: time::Instant,
    entry: Entry,
}

impl Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait {
            deadline: deadline.into(),
            entry: Arc::clone(&self.0),
        })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into()
    }
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entry.get_or_insert_with(|| Box::pin(time::sleep_until(self.deadline)));
        if entry.deadline() > self.deadline {
            entry.as_mut().reset(self.deadline);
        }
        loop {
            ready!(entry.as_mut().poll(cx));
            if entry.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            // It rang for a wait that ended long ago.
            entry.as_mut().reset(self.deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long a wait takes that begins now.
    async fn taken(alarm: &Alarm, wait: Duration) -> Duration {
        let before = time::Instant::now();
        alarm.sleep(wait).await;
        before.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_takes_its_own_time() {
        let alarm = Alarm::default();
        for seconds in [10, 1, 10, 30, 2] {
            let wait = seconds * SECOND;
            let taken = taken(&alarm, wait).await;
            assert!((wait..wait + SECOND).contains(&taken), "{taken:?} for {wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_given_up_does_not_end_the_next_one() {
        let alarm = Alarm::default();
        for _ in 0..3 {
            let given_up = time::timeout(6 * SECOND, alarm.sleep(10 * SECOND)).await;
            assert!(given_up.is_err());
        }
        let taken = taken(&alarm, 10 * SECOND).await;
        assert!((10 * SECOND..11 * SECOND).contains(&taken), "{taken:?}");
    }
}
