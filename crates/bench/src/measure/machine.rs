//! Where the figures come from.

use std::fs;

use anyhow::{Context as _, Result};
use usher_core::{Clock as _, SystemClock};

/// Cores, memory, processor, date, and what else keeps the machine busy.
pub(super) fn describe() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
    let memory = gibibytes(&read("/proc/meminfo")?).context("/proc/meminfo names no MemTotal")?;
    let model = model(&read("/proc/cpuinfo")?);
    let kernel = read("/proc/sys/kernel/osrelease")?;
    let load = read("/proc/loadavg")?;
    let now = SystemClock.now().to_string();
    Ok(format!(
        "{cores} cores ({model}), {memory} GiB, Linux {}, {}; load average at the start {}",
        kernel.trim(),
        now.split('T').next().unwrap_or_default(),
        load.split(' ').next().unwrap_or_default(),
    ))
}

fn gibibytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    // What the kernel keeps for itself is missing from the total.
    Some(kib.div_ceil(1024 * 1024))
}

fn model(cpuinfo: &str) -> String {
    cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(": "))
        .map_or("unnamed processor", |(_, name)| name.trim())
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_model_are_read() {
        assert_eq!(
            gibibytes("MemTotal:       24645012 kB\nMemFree: 1 kB\n"),
            Some(24)
        );
        assert_eq!(
            model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"),
            "Some CPU @ 2 GHz"
        );
        assert_eq!(model(""), "unnamed processor");
    }
}
