//! `cargo xtask bench <name>`: what the machinery costs when models answer at once.
//!
//! Each measurement is a process of its own, so that CPU and memory are its alone; this program starts them,
//! repeats them, and prints median and spread. The baseline is the same code over the in-memory store.

mod books;
mod clock;
mod house;
mod instant;
mod measure;
mod process;
mod report;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures the house.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tasks a second, Ready to claimed, CPU and memory, cold start.
    Orchestrator {
        /// Repetitions of each measurement.
        #[arg(long, default_value_t = 5)]
        runs: u32,
        /// Tasks of the busy run.
        #[arg(long, default_value_t = 400)]
        tasks: u32,
    },
    /// One measurement, as one JSON line; the other command starts these.
    #[command(hide = true)]
    One {
        /// What is measured.
        what: What,
        /// Which store.
        store: Kind,
        /// Tasks.
        tasks: u32,
    },
}

/// What one process measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Many tasks at once.
    Busy,
    /// One task after the other, nothing else under way.
    Calm,
    /// From the start of the process to the first call of a model.
    Cold,
}

/// Which store lies under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The baseline.
    Memory,
    /// The embedded default.
    Sqlite,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Orchestrator { runs, tasks } => report::orchestrator(runs, tasks),
        Command::One { what, store, tasks } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let figures = runtime.block_on(measure::one(what, store, tasks))?;
            println!("{}", serde_json::to_string(&figures)?);
            Ok(())
        }
    }
}
