//! What this process has used, as the kernel tells.

use anyhow::Context;

/// Milliseconds of one tick of the kernel's CPU account.
const TICK_MS: f64 = 10.0;

/// CPU time of all threads so far, in milliseconds, to ten milliseconds.
pub(crate) fn cpu_ms() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("read /proc/self/stat")?;
    let (_, after) = stat.rsplit_once(')').context("a process's stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).context("a CPU field");
    Ok((ticks(11)? + ticks(12)?) * TICK_MS)
}

/// Resident memory now, in MiB.
pub(crate) fn resident_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().context("VmRSS in kB")?;
    Ok(kib / 1024.0)
}
