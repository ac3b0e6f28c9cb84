//! `scripts/prove-distributed`: kills every process and every server of a distributed installation while many
//! projects run, and holds what is left against what the providers saw.
//!
//! Three runs of the same briefs: undisturbed, disturbed in a seeded order, and with each point at which a task
//! changes hands hit by name. Nothing here links a service: the rows are read by statements of its own, Kafka
//! by a consumer of its own, the providers by their own journal.

mod census;
mod check;
mod disturb;
mod order;
mod points;
mod proof;
mod runs;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use chorus_bench::stage::house::Place;
use clap::Parser;

/// Proves that a distributed installation loses nothing and doubles nothing.
#[derive(Debug, Parser)]
struct Cli {
    /// The binary, built with the feature `distributed`.
    #[arg(long)]
    chorus: PathBuf,
    /// The root of the sources.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Where data and logs are kept when something fails.
    #[arg(long)]
    folder: PathBuf,
    /// Order and moments of the disturbances.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many generated briefs go with the long document.
    #[arg(long, default_value_t = 20)]
    briefs: u32,
    /// Only the undisturbed run.
    #[arg(long)]
    calm: bool,
    /// Only these disturbances, by name (`Kafka`, `Topics`, …), with commas between them.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only the undisturbed run and the points at which a task changes hands.
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
    let place = Place {
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
        .block_on(proof::prove(&place, plan))
}
