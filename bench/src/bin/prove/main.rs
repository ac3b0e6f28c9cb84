//! `scripts/prove-distributed`: kills every process and every server of a distributed installation
//! while many projects run, and compares the rows with what the providers received.
//!
//! There are three runs of the same briefs: undisturbed, disturbed in a seeded order, and with a
//! kill at each named point at which a task changes hands. No service is linked: rows are read by
//! own SQL statements, Kafka by an own consumer
//! ([`BusObserver`](chorus_bench::cluster::observer::BusObserver)), the providers by their journal.

mod census;
mod check;
mod disturb;
mod order;
mod points;
mod progress;
mod proof;
mod runs;
mod stalls;

use std::path::PathBuf;
use std::process::ExitCode;

use chorus_bench::cluster::installation::Paths;
use clap::Parser;

/// Proves that a distributed installation loses nothing and doubles nothing.
#[derive(Debug, Parser)]
struct Cli {
    /// The binary, built with the feature `distributed`.
    #[arg(long)]
    chorus: PathBuf,
    /// Root of the sources.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Folder for data and logs, kept on failure.
    #[arg(long)]
    folder: PathBuf,
    /// Seed for the order and moments of the disturbances.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of generated briefs besides the long document.
    #[arg(long, default_value_t = 20)]
    briefs: u32,
    /// Run only the undisturbed run.
    #[arg(long)]
    calm: bool,
    /// Run only these disturbances, by name (`Kafka`, `Topics`, …), separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Run only the undisturbed run and the points at which a task changes hands.
    #[arg(long)]
    fail_points: bool,
}

fn main() -> ExitCode {
    match start(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("prove-distributed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli) -> anyhow::Result<bool> {
    let absolute = |path: &PathBuf| std::path::absolute(path);
    let paths = Paths {
        program: absolute(&cli.chorus)?,
        root: absolute(&cli.root)?,
        folder: absolute(&cli.folder)?,
    };
    let plan = proof::Plan {
        seed: cli.seed,
        briefs: cli.briefs,
        disturb: !cli.calm && !cli.fail_points,
        points: !cli.calm && cli.only.is_empty(),
        only: cli.only.clone(),
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(proof::prove(&paths, plan))
}
