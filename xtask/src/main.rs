//! Checks of the workspace, run as `cargo xtask <name>`.

mod bench;
mod drawings;
mod measures;
mod mutants;
mod sources;
mod test;
mod tidy;

use std::process::ExitCode;

/// One check or drawing.
#[derive(Clone, Copy)]
struct Task {
    name: &'static str,
    what: &'static str,
    run: fn(&[String]) -> anyhow::Result<()>,
}

const TASKS: [Task; 6] = [
    Task {
        name: "mutants",
        what: "faults planted on purpose, each found by the test world; a name runs only those like it",
        run: mutants::run,
    },
    Task {
        name: "bench",
        what: "`bench orchestrator`: speed, latency, CPU and memory against a named baseline; `bench pool --bars`: \
               utilisation of the account pool against a provable bound",
        run: bench::run,
    },
    Task {
        name: "drawings",
        what: "writes docs/machines.md from the tables of arrows in chorus-core",
        run: drawings::run,
    },
    Task {
        name: "measures",
        what: "sizes, tests and comments of each crate; a name shows one, --check fails on a missed bound",
        run: measures::run,
    },
    Task {
        name: "tidy",
        what: "arrows between crates, banned names, lengths of files and functions",
        run: tidy::run,
    },
    Task {
        name: "test",
        what: "every test there is; --quick leaves out what takes minutes",
        run: test::run,
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("usage: cargo xtask <name>");
        for task in &TASKS {
            eprintln!("  {:<10} {}", task.name, task.what);
        }
        return ExitCode::from(64);
    };
    match (task.run)(&rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
