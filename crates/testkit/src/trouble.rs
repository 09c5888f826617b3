//! A stretch of requests that go wrong.

use usher_fakes::{Fault, Faults};

use crate::promise::ensure;
use crate::{Broken, Provider};

/// A read that asks more often than this has no end.
const MOST_REQUESTS: u32 = 300;

/// Requests that go wrong until this is over.
#[derive(Debug)]
pub(crate) struct Trouble {
    faults: Faults,
    first: u32,
}

impl Trouble {
    /// Makes `length` requests go wrong, the first after `number` others.
    pub(crate) fn begin<P: Provider>(
        provider: &P,
        number: u32,
        length: u32,
        fault: Fault,
    ) -> Result<Self, Broken> {
        ensure!(
            number < MOST_REQUESTS,
            "a read asked more than {MOST_REQUESTS} times"
        );
        let faults = provider.faults().clone();
        let first = faults.requests() + number;
        for request in first..first + length {
            faults.at(request, fault);
        }
        Ok(Self { faults, first })
    }

    /// Nothing goes wrong from now on; whether the first fault was reached.
    pub(crate) fn end(self) -> bool {
        self.faults.clear();
        self.faults.requests() > self.first
    }
}

/// Faults that the adapter has to notice.
pub(crate) fn noticeable<P: Provider>() -> Vec<Fault> {
    let left_out = |fault: &Fault| {
        let mut unnoticeable = P::UNNOTICEABLE.iter();
        unnoticeable.any(|(unnoticeable, _)| unnoticeable == fault)
    };
    Fault::ALL.into_iter().filter(|fault| !left_out(fault)).collect()
}

/// Whether a fault makes the provider answer something wrong as if it were right.
pub(crate) const fn tells_lies(fault: Fault) -> bool {
    matches!(fault, Fault::LostPage | Fault::EmptyPage | Fault::Replay)
}
