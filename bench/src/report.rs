//! Repeats measurements in separate processes and prints median, spread and the ratio to the
//! baseline.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, bail};
use chorus_bench::time::stopwatch;

use crate::measure::Figures;
use crate::spread::Spread;

/// Runs all measurements of the orchestrator. Baseline and subject alternate, so that noise affects
/// both.
pub(crate) fn orchestrator(runs: u32, tasks: u32) -> anyhow::Result<()> {
    let mut found: BTreeMap<(String, &str), Vec<f64>> = BTreeMap::new();
    for run in 1..=runs {
        for store in ["memory", "sqlite"] {
            for (what, size) in [("busy", tasks), ("calm", 80), ("cold", 1)] {
                eprintln!("run {run} of {runs}: {what}, {store}");
                let took = stopwatch();
                let mut figures = child(what, store, size)?;
                if what == "cold" {
                    figures = BTreeMap::from([(
                        "cold start ms, process to first call".to_owned(),
                        took() * 1000.0,
                    )]);
                }
                for (name, value) in figures {
                    found.entry((name, store)).or_default().push(value);
                }
            }
        }
    }
    print(runs, &found);
    Ok(())
}

fn print(runs: u32, found: &BTreeMap<(String, &str), Vec<f64>>) {
    println!(
        "{runs} runs; median (least to most); baseline: the same services over the in-memory store\n"
    );
    println!(
        "{:<40} {:>28} {:>28} {:>8}",
        "", "memory (baseline)", "SQLite (embedded default)", "ratio"
    );
    let names: Vec<String> = found
        .keys()
        .filter(|(_, store)| *store == "sqlite")
        .map(|(name, _)| name.clone())
        .collect();
    for name in names {
        let of = |store: &'static str| {
            found
                .get(&(name.clone(), store))
                .cloned()
                .unwrap_or_default()
        };
        let (baseline, subject) = (Spread::of(of("memory")), Spread::of(of("sqlite")));
        println!(
            "{name:<40} {:>28} {:>28} {:>8.2}",
            baseline.shown(),
            subject.shown(),
            subject.median / baseline.median
        );
    }
}

fn child(what: &str, store: &str, tasks: u32) -> anyhow::Result<Figures> {
    let me = std::env::current_exe().context("find this program")?;
    let output = Command::new(me)
        .args(["one", what, store, &tasks.to_string()])
        .output()
        .context("start a measurement")?;
    if !output.status.success() {
        bail!(
            "{what} over {store} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("read a measurement")
}
