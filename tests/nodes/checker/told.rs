//! Every event reaches every reader and every endpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Finding};

/// A delivery that an endpoint took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The endpoint.
    pub endpoint: usize,
    /// The event.
    pub event: i64,
    /// The room, as the delivery itself says.
    pub room: Option<String>,
}

/// A reader who asked for what comes `after` the last one got every event once, in order.
pub fn feed(read: &[i64], events: &[Event]) -> Vec<Finding> {
    let there: BTreeSet<i64> = events.iter().map(|event| event.seq).collect();
    let mut findings = Vec::new();
    let mut last = i64::MIN;
    for event in read.iter().copied() {
        if event <= last || !there.contains(&event) {
            findings.push(Finding::OutOfPlace { event });
        }
        last = last.max(event);
    }
    let read: BTreeSet<i64> = read.iter().copied().collect();
    let skipped = there.difference(&read).copied();
    findings.extend(skipped.map(|event| Finding::Skipped { event }));
    findings
}

/// An endpoint took each event that is meant for it, and of one room each for the first time before any later one. In the
/// order in which they were taken.
pub fn deliveries(
    endpoint: usize,
    taken: &[Delivery],
    events: &[Event],
    is_meant: impl Fn(&Event) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut had = BTreeSet::new();
    let mut newest: BTreeMap<Option<&str>, i64> = BTreeMap::new();
    for delivery in taken.iter().filter(|delivery| delivery.endpoint == endpoint) {
        let event = delivery.event;
        if !had.insert(event) {
            continue;
        }
        let newest = newest.entry(delivery.room.as_deref()).or_insert(event);
        if event < *newest {
            findings.push(Finding::Disordered {
                endpoint,
                event,
                after: *newest,
            });
        }
        *newest = event.max(*newest);
    }
    let meant = events.iter().filter(|event| is_meant(event));
    let missing = meant.map(|event| event.seq).filter(|event| !had.contains(event));
    findings.extend(missing.map(|event| Finding::NotDelivered { endpoint, event }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four events: of one room, of another, of the first again, and of none.
    fn events() -> Vec<Event> {
        let event = |(seq, room): (i64, Option<&str>)| Event {
            seq,
            kind: "membership.started".into(),
            room: room.map(str::to_owned),
        };
        [(1, Some("a")), (2, Some("b")), (4, Some("a")), (5, None)]
            .map(event)
            .into()
    }

    fn taken(order: &[i64]) -> Vec<Delivery> {
        let room = |seq| events().into_iter().find(|event| event.seq == seq)?.room;
        order
            .iter()
            .map(|event| Delivery {
                endpoint: 0,
                event: *event,
                room: room(*event),
            })
            .collect()
    }

    #[test]
    fn a_reader_who_misses_an_event_or_gets_it_too_late_is_found() {
        let check = |read: &[i64], expected: &[Finding]| assert_eq!(feed(read, &events()), expected);
        check(&[1, 2, 4, 5], &[]);
        check(&[1, 4, 5], &[Finding::Skipped { event: 2 }]);
        check(&[1, 4, 2, 5], &[Finding::OutOfPlace { event: 2 }]);
        check(&[1, 2, 2, 4, 5], &[Finding::OutOfPlace { event: 2 }]);
        check(&[1, 2, 3, 4, 5], &[Finding::OutOfPlace { event: 3 }]);
    }

    #[test]
    fn a_delivery_that_is_missing_is_found() {
        let found = |endpoint, order: &[i64]| deliveries(endpoint, &taken(order), &events(), |_| true);
        assert_eq!(found(0, &[1, 2, 4, 5]), []);
        assert_eq!(found(0, &[2, 1, 5, 1, 4, 2]), [], "rooms wait for nobody else");
        let missing = |endpoint, event| Finding::NotDelivered { endpoint, event };
        assert_eq!(found(0, &[1, 2, 5]), [missing(0, 4)]);
        assert_eq!(
            found(1, &[1, 2, 4, 5]),
            [1, 2, 4, 5].map(|event| missing(1, event))
        );
        let of_rooms = deliveries(0, &taken(&[1, 2, 4]), &events(), |event| event.room.is_some());
        assert_eq!(of_rooms, []);
    }

    #[test]
    fn disorder_within_a_room_is_found() {
        let found = deliveries(0, &taken(&[4, 1, 2, 5]), &events(), |_| true);
        let expected = Finding::Disordered {
            endpoint: 0,
            event: 1,
            after: 4,
        };
        assert_eq!(found, [expected]);
    }
}
