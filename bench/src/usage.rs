//! CPU and memory of processes, read from the kernel.

use anyhow::Context;

/// Milliseconds of one kernel CPU tick.
const TICK_MS: f64 = 10.0;

/// CPU time of all threads of a process so far, in milliseconds, with a resolution of ten.
pub fn cpu_ms(pid: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let (_, after) = stat.rsplit_once(')').context("a process's stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .context("a CPU field")
    };
    Ok((ticks(11)? + ticks(12)?) * TICK_MS)
}

/// Resident memory of a process, in MiB.
pub fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("VmRSS")?;
    let kib: f64 = line
        .trim()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .context("VmRSS in kB")?;
    Ok(kib / 1024.0)
}
