//! `bench orchestrator --distributed`: one process for each role over PostgreSQL, Kafka and Redis,
//! with models that answer at once.
//!
//! Each run measures three installations: one process for each role; one process with all roles
//! over Kafka; the same over the embedded bus. The last two differ in the bus only. The providers
//! are a separate process that is not measured.

mod busy;
mod calm;
mod failover;

use std::collections::BTreeMap;
use std::path::Path;

use chorus_bench::cluster::fleet::Role;
use chorus_bench::cluster::installation::{Cluster, Paths};
use chorus_bench::cluster::observer::BusObserver;
use chorus_bench::cluster::providers::ProviderSpeed;
use chorus_bench::cluster::services::Services;
use chorus_bench::cluster::settings::Settings;

use crate::measure::Figures;
use crate::spread::Spread;

/// One process for each role, and two workers.
const APART: [Role; 5] = [
    Role::Gateway,
    Role::Orchestrator,
    Role::Dispatcher,
    Role::Worker("deepseek"),
    Role::Worker("deepseek"),
];
/// One process with all roles.
const TOGETHER: [Role; 1] = [Role::Serve];
/// Number of tasks in the calm part.
const CALM_TASKS: u32 = 120;
/// Number of times that the leader is killed in one run.
const FALLS: u32 = 3;

/// A set of processes with its bus.
struct Wiring {
    name: &'static str,
    bus: &'static str,
    roles: &'static [Role],
}

const WIRINGS: [Wiring; 3] = [
    Wiring {
        name: "apart",
        bus: "kafka",
        roles: &APART,
    },
    Wiring {
        name: "together, Kafka",
        bus: "kafka",
        roles: &TOGETHER,
    },
    Wiring {
        name: "together, embedded",
        bus: "embedded",
        roles: &TOGETHER,
    },
];

/// Runs all measurements and prints median and spread.
pub(crate) async fn orchestrator(chorus: &Path, runs: u32, tasks: u32) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let paths = Paths {
        program: std::path::absolute(chorus)?,
        root: std::path::absolute(".")?,
        folder: folder.path().to_owned(),
    };
    let services = Services::up(paths.services())?;
    let mut found: BTreeMap<(usize, String), Vec<f64>> = BTreeMap::new();
    for run in 1..=runs {
        for (at, wiring) in WIRINGS.iter().enumerate() {
            eprintln!("run {run} of {runs}: {}", wiring.name);
            for (name, value) in one(&paths, &services, wiring, (run, at), tasks).await? {
                found.entry((at, name)).or_default().push(value);
            }
        }
    }
    services.down()?;
    print(runs, &found);
    Ok(())
}

/// Measures one installation.
async fn one(
    paths: &Paths,
    services: &Services,
    wiring: &Wiring,
    (run, at): (u32, usize),
    tasks: u32,
) -> anyhow::Result<Figures> {
    let name = format!("bench{run}x{at}");
    let settings = Settings {
        namespace: name.clone(),
        database: name,
        bus: wiring.bus,
        limits: "redis",
        slots: 64,
        models: &["deepseek/deepseek-v4-pro"],
        // The leader is found in the log.
        log: "error,chorus::app::services=info",
    };
    let mut cluster = Cluster::create(paths, services, &settings, ProviderSpeed::Instant).await?;
    let observer = BusObserver::attach(&services.kafka)?;
    cluster.start_processes(wiring.roles).await?;
    let client = cluster.client()?;
    let mut figures = busy::measure(&cluster, &client, tasks).await?;
    figures.extend(calm::measure(&cluster, &client, &observer, CALM_TASKS).await?);
    if wiring.roles.len() > 1 {
        figures.extend(failover::measure(&mut cluster, &client, FALLS).await?);
    }
    cluster.fleet.drain().await?;
    Ok(figures)
}

fn print(runs: u32, found: &BTreeMap<(usize, String), Vec<f64>>) {
    let of = |at: usize, name: &str| found.get(&(at, name.to_owned())).cloned().map(Spread::of);
    println!(
        "{runs} runs; median (least to most); PostgreSQL and Redis everywhere; models answer at once\n"
    );
    println!(
        "{:<52} {:>26} {:>26} {:>26} {:>8}",
        "", "one process a role", "one process, Kafka", "one process, embedded bus", "Kafka/"
    );
    println!(
        "{:<52} {:>26} {:>26} {:>26} {:>8}",
        "", "", "", "(baseline)", "embedded"
    );
    let mut names: Vec<&String> = found.keys().map(|(_, name)| name).collect();
    names.sort();
    names.dedup();
    for name in names {
        let shown = |at| of(at, name).map_or_else(String::new, |spread| spread.shown());
        let ratio = of(1, name)
            .zip(of(2, name))
            .map(|(kafka, embedded)| format!("{:.2}", kafka.median / embedded.median));
        println!(
            "{name:<52} {:>26} {:>26} {:>26} {:>8}",
            shown(0),
            shown(1),
            shown(2),
            ratio.unwrap_or_default()
        );
    }
}
