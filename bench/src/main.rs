//! `cargo xtask bench <name>`: the cost of Chorus itself when models answer at once.
//!
//! Each measurement is a process of its own, so that CPU and memory are separate. This program
//! starts them, repeats them, and prints median and spread. The baseline is the same code over the
//! in-memory store.

mod brief;
#[cfg(feature = "distributed")]
mod distributed;
mod embedded;
mod instant;
mod measure;
mod report;
mod spread;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures the services.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tasks per second, time from ready to claimed, CPU and memory, cold start.
    Orchestrator {
        /// Number of repetitions of each measurement.
        #[arg(long, default_value_t = 5)]
        runs: u32,
        /// Number of tasks of the busy run.
        #[arg(long, default_value_t = 400)]
        tasks: u32,
        /// One process for each role over PostgreSQL, Kafka and Redis instead of one process over
        /// SQLite.
        #[arg(long)]
        distributed: bool,
        /// The binary to measure, for `--distributed`.
        #[arg(long, default_value = "target/release/chorus")]
        chorus: std::path::PathBuf,
    },
    /// One measurement, printed as one JSON line; the other command starts these.
    #[command(hide = true)]
    One {
        /// Kind of the measurement.
        what: What,
        /// Store under the services.
        store: Kind,
        /// Number of tasks.
        tasks: u32,
    },
}

/// Kind of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Many tasks at once.
    Busy,
    /// One task after the other, without other load.
    Calm,
    /// From the start of the process to the first call of a model.
    Cold,
}

/// Store under the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// In-memory store, the baseline.
    Memory,
    /// SQLite, the embedded default.
    Sqlite,
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Orchestrator {
            runs,
            tasks,
            distributed: false,
            ..
        } => report::orchestrator(runs, tasks),
        #[cfg(feature = "distributed")]
        Command::Orchestrator {
            runs,
            tasks,
            chorus,
            ..
        } => runtime()?.block_on(distributed::orchestrator(&chorus, runs, tasks)),
        #[cfg(not(feature = "distributed"))]
        Command::Orchestrator { .. } => {
            anyhow::bail!("--distributed needs the feature distributed: use `cargo xtask bench`")
        }
        Command::One { what, store, tasks } => {
            let figures = runtime()?.block_on(measure::one(what, store, tasks))?;
            println!("{}", serde_json::to_string(&figures)?);
            Ok(())
        }
    }
}
