//! The disk: how long it takes until bytes are safe.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::load::quantile;

/// Latencies of a write of 4 KiB with `fdatasync`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syncs {
    /// The median.
    pub(crate) p50: Duration,
    /// What one in a hundred exceeds.
    pub(crate) p99: Duration,
}

/// Appends to a file in this folder, `count` times.
pub(crate) fn syncs(folder: &Path, count: usize) -> Result<Syncs> {
    let path = folder.join("fsync");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let block = [0x5a; 4096];
    let mut latencies = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        latencies.push(start.elapsed());
    }
    drop(file);
    std::fs::remove_file(&path)?;
    latencies.sort_unstable();
    Ok(Syncs {
        p50: quantile(&latencies, 0.5),
        p99: quantile(&latencies, 0.99),
    })
}
