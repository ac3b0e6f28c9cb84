//! `cargo xtask bench pool`: utilisation and cost of the account pool against a provable bound.

use std::path::PathBuf;

use chorus_bench::pool::{bars, matrix};
use clap::Parser;

/// Measures the account pool on a virtual clock.
#[derive(Debug, Parser)]
struct Cli {
    /// Only the cells of the bars, and one line of their figures.
    #[arg(long)]
    bars: bool,
    /// Number of seeds of each cell.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Leaves out the cost of an admission.
    #[arg(long)]
    no_cost: bool,
    /// Only cells with one of these texts in their names.
    #[arg(long, value_delimiter = ',')]
    cells: Vec<String>,
    /// Folder of the table and the plot.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if cli.bars {
        bars::run(&cli.cells, cli.seeds, !cli.no_cost)
    } else {
        matrix::run(&cli.cells, cli.seeds, &cli.results)
    }
}
