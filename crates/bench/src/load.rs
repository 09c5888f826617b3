//! Load: requests in a fixed number of connections, each waiting for its answer before it sends the next.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::client::{Answer, Call, Endpoint};
use crate::process::Process;

/// What a load did.
#[derive(Debug)]
pub(crate) struct Run {
    /// Requests answered.
    pub(crate) requests: usize,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// What the process that was asked spent meanwhile, user and system.
    pub(crate) cpu: Duration,
    /// From request to answer, ascending.
    latencies: Vec<Duration>,
}

impl Run {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// CPU of the server for one request, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.requests as f64
    }

    /// The latency that this share of the requests stayed below, in milliseconds.
    pub(crate) fn latency_ms(&self, share: f64) -> f64 {
        quantile(&self.latencies, share).as_secs_f64() * 1e3
    }

    /// Latency in words, for the notes of a row.
    pub(crate) fn latency_note(&self) -> String {
        format!(
            "p50 {:.2} ms, p99 {:.2} ms",
            self.latency_ms(0.5),
            self.latency_ms(0.99)
        )
    }
}

/// The value below which a share of ascending values lies.
pub(crate) fn quantile<T: Copy + Default>(ascending: &[T], share: f64) -> T {
    let last = ascending.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    ascending.get(place.min(last)).copied().unwrap_or_default()
}

/// A server that takes load.
#[derive(Clone, Copy)]
pub(crate) struct Side<'s> {
    /// Where it is asked.
    pub(crate) endpoint: &'s Endpoint,
    /// Its process.
    pub(crate) server: &'s Process,
}

/// Which connection sends which request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turns {
    /// Whichever is free sends the next one.
    AsTheyCome,
    /// Each sends every n-th of them, where n is the number of connections: so two that are in flight together never have
    /// numbers that are equal modulo n.
    Fixed,
}

/// The middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

/// Sends `count` requests to one server, `in_flight` at a time; `take` gets each answer with the number of its request.
pub(crate) async fn drive(
    endpoint: &Endpoint,
    server: &Process,
    count: usize,
    in_flight: usize,
    make: impl Fn(usize) -> Call,
    take: impl Fn(usize, Answer) -> Result<()>,
) -> Result<Run> {
    let side = Side { endpoint, server };
    drive_all(&[side], Turns::AsTheyCome, count, in_flight, make, take).await
}

/// As [`drive`], with the connections spread over several servers. CPU is that of all of them.
pub(crate) async fn drive_all(
    sides: &[Side<'_>],
    turns: Turns,
    count: usize,
    in_flight: usize,
    make: impl Fn(usize) -> Call,
    take: impl Fn(usize, Answer) -> Result<()>,
) -> Result<Run> {
    let mut connections = Vec::with_capacity(in_flight);
    for side in sides.iter().cycle().take(in_flight) {
        connections.push(side.endpoint.connect().await?);
    }
    let next = Cell::new(0);
    let latencies = RefCell::new(Vec::with_capacity(count));
    let (make, take, next, seen) = (&make, &take, &next, &latencies);

    let cpu_before = sides
        .iter()
        .map(|side| side.server.cpu())
        .collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let lanes: FuturesUnordered<_> = connections
        .iter_mut()
        .enumerate()
        .map(|(lane, connection)| async move {
            let own = Cell::new(lane);
            loop {
                let number = match turns {
                    Turns::AsTheyCome => next.replace(next.get() + 1),
                    Turns::Fixed => own.replace(own.get() + in_flight),
                };
                if number >= count {
                    return Ok::<(), anyhow::Error>(());
                }
                let call = make(number);
                let sent = Instant::now();
                let answer = connection.send(call).await?;
                seen.borrow_mut().push(sent.elapsed());
                take(number, answer).with_context(|| format!("request {number} of {count}"))?;
            }
        })
        .collect();
    lanes.try_collect::<()>().await?;
    let elapsed = start.elapsed();
    let mut cpu = Duration::ZERO;
    for (side, before) in sides.iter().zip(cpu_before) {
        cpu += side.server.cpu()?.since(before);
    }

    let mut latencies = latencies.into_inner();
    latencies.sort_unstable();
    Ok(Run {
        requests: count,
        elapsed,
        cpu,
        latencies,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<u32> = (1..=101).collect();
        assert_eq!(quantile(&values, 0.5), 51);
        assert_eq!(quantile(&values, 0.99), 100);
        assert_eq!(quantile(&values, 1.0), 101);
        assert_eq!(quantile::<u32>(&[], 0.5), 0);
    }
}
