//! `scripts/prove-kills`: kills `chorus run` on one machine at random moments, and goes on with `chorus resume`.
//!
//! Each series has a data folder and providers of its own, healthy accounts beside sick ones. A series passes if the
//! deliverable equals that of an undisturbed run, byte for byte, if no provider saw a limit passed, and if there is
//! no interval above [`LONGEST`](chorus_bench::cluster::silence::LONGEST) without a call under way and without a line of output that says what is waited for.

mod series;

use std::path::PathBuf;
use std::process::ExitCode;

use chorus_bench::cluster::briefs;
use clap::Parser;

use series::{Place, Series};

/// Proves that kills on one machine lose nothing and stall nothing.
#[derive(Debug, Parser)]
struct Cli {
    /// The binary.
    #[arg(long)]
    chorus: PathBuf,
    /// Root of the sources.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Folder for data and logs, kept on failure.
    #[arg(long)]
    folder: PathBuf,
    /// Number of series.
    #[arg(long, default_value_t = 50)]
    series: u64,
    /// Seed of the first series.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    match start(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("prove-kills: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli) -> anyhow::Result<bool> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(prove(cli))
}

async fn prove(cli: &Cli) -> anyhow::Result<bool> {
    let place = Place {
        program: std::path::absolute(&cli.chorus)?,
        folder: std::path::absolute(&cli.folder)?,
        submission: briefs::long_document(&cli.root)?,
    };
    let calm = Series::calm(&place).await?;
    println!(
        "undisturbed: {} files, {:.1} s",
        calm.files.len(),
        calm.seconds
    );
    let (mut kills, mut failed, mut longest, mut wasted) = (0, 0, 0.0_f64, 0);
    for seed in cli.seed..cli.seed + cli.series {
        let series = Series::disturbed(&place, seed).await?;
        let faults = series.faults(&calm);
        println!(
            "series {seed}: {} kills, {:.1} s, longest silence {:.1} s{}",
            series.kills,
            series.seconds,
            series.longest,
            if faults.is_empty() { "" } else { ": FAILED" }
        );
        for fault in &faults {
            println!("    {fault}");
        }
        if faults.is_empty() {
            series.forget()?;
        }
        kills += series.kills;
        failed += usize::from(!faults.is_empty());
        longest = longest.max(series.longest);
        wasted += series.refused_by_limits;
    }
    println!(
        "{} series, {kills} kills, {failed} failed, longest silence {longest:.1} s, {wasted} calls refused for a limit",
        cli.series
    );
    Ok(failed == 0)
}
