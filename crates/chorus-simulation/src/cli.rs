//! Command line of the `world` binary: runs one seed or many and prints a summary.
//!
//! For a seed that breaks an [`Invariant`], [`failure_report`] prints the end of the log and the
//! command that replays it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::invariant::Invariant;
use crate::world::{self, Options, Outcome, SafetyNets};

const USAGE: &str = "usage: world [--seed N] [--seeds COUNT] [--threads N] [--faults NAME] [--without unclaimed|expiry|resend|folded] [--trace] [--keep-going] [--brief]";

/// Parsed command line.
#[derive(Debug, Clone)]
struct Arguments {
    options: Options,
    seeds: u64,
    threads: usize,
    keep_going: bool,
    brief: bool,
}

/// Runs the seeds that the arguments select. Exit code 64 marks a usage error.
pub fn main(arguments: &[String]) -> ExitCode {
    let wanted = match parse(arguments) {
        Ok(wanted) => wanted,
        Err(problem) => {
            eprintln!("world: {problem}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let outcomes = run_all(&wanted);
    let mut failed: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| outcome.violation.is_some())
        .collect();
    failed.sort_by_key(|outcome| outcome.seed);
    for outcome in outcomes
        .iter()
        .filter(|_| wanted.seeds == 1 || wanted.brief)
    {
        println!("{}", summary_line(outcome));
        outcome
            .defects
            .iter()
            .for_each(|defect| println!("  {defect}"));
    }
    for outcome in failed.iter().take(if wanted.brief { 0 } else { 3 }) {
        println!("{}", failure_report(outcome, &wanted.options));
    }
    println!("{}", summary(&outcomes));
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(arguments: &[String]) -> Result<Arguments, String> {
    let mut wanted = Arguments {
        options: Options::default(),
        seeds: 1,
        threads: 2,
        keep_going: false,
        brief: false,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        let number = |text: &String| {
            text.parse::<u64>()
                .map_err(|_| format!("{text:?} is no number"))
        };
        match argument.as_str() {
            "--seed" => wanted.options.seed = number(value()?)?,
            "--seeds" => wanted.seeds = number(value()?)?,
            "--threads" => wanted.threads = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
            "--faults" => wanted.options.faults = Some(value()?.clone()),
            "--without" => switch_off(&mut wanted.options.nets, value()?)?,
            "--trace" => wanted.options.trace = true,
            "--keep-going" => wanted.keep_going = true,
            "--brief" => wanted.brief = true,
            unknown => return Err(format!("unknown argument {unknown}")),
        }
    }
    Ok(wanted)
}

fn switch_off(nets: &mut SafetyNets, name: &str) -> Result<(), String> {
    match name {
        "unclaimed" => nets.unclaimed = false,
        "expiry" => nets.expiry = false,
        "resend" => nets.resend = false,
        "folded" => nets.folded = false,
        unknown => return Err(format!("there is no net {unknown:?}")),
    }
    Ok(())
}

/// Runs consecutive seeds on `threads` threads, one run on one thread. Stops at the first violation
/// unless `--keep-going` is set.
fn run_all(wanted: &Arguments) -> Vec<Outcome> {
    let next = AtomicU64::new(wanted.options.seed);
    let end = wanted.options.seed.saturating_add(wanted.seeds);
    let outcomes = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return;
            }
            let outcome = world::run(&Options {
                seed,
                ..wanted.options.clone()
            });
            if outcome.violation.is_some() && !wanted.keep_going {
                next.store(end, Ordering::SeqCst);
            }
            outcomes
                .lock()
                .expect("no world panics while it is written down")
                .push(outcome);
        }
    };
    std::thread::scope(|scope| (0..wanted.threads).for_each(|_| drop(scope.spawn(work))));
    let mut outcomes = outcomes
        .into_inner()
        .expect("no world panics while it is written down");
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

fn summary_line(outcome: &Outcome) -> String {
    let Outcome {
        seed,
        faults,
        hash,
        violation,
        lasted,
        steps,
        ends,
        calls,
        ..
    } = outcome;
    let verdict = violation.as_ref().map_or_else(
        || "holds".to_owned(),
        |violation| format!("BROKEN {violation}"),
    );
    format!(
        "seed {seed} [{faults}] {verdict}; {lasted}, {steps} polls, {calls} calls, projects {}; {hash}",
        ends.join(" ")
    )
}

/// Report of a failed seed: the end of its log and the command that replays it.
pub fn failure_report(outcome: &Outcome, options: &Options) -> String {
    let mut text = outcome.tail.join("\n");
    text.push_str(&format!(
        "\n\n{}\nreplay: cargo run -p chorus-simulation --bin world -- --seed {}",
        summary_line(outcome),
        outcome.seed
    ));
    if let Some(faults) = &options.faults {
        text.push_str(&format!(" --faults {faults:?}"));
    }
    let SafetyNets {
        unclaimed,
        expiry,
        resend,
        folded,
    } = options.nets;
    for (there, name) in [
        (unclaimed, "unclaimed"),
        (expiry, "expiry"),
        (resend, "resend"),
        (folded, "folded"),
    ] {
        if !there {
            text.push_str(&format!(" --without {name}"));
        }
    }
    text.push_str(" --trace");
    text
}

fn summary(outcomes: &[Outcome]) -> String {
    let mut broken: BTreeMap<Invariant, Vec<u64>> = BTreeMap::new();
    let mut plans: BTreeMap<&str, u32> = BTreeMap::new();
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for outcome in outcomes {
        *plans.entry(outcome.faults).or_default() += 1;
        outcome
            .ends
            .iter()
            .for_each(|end| *ends.entry(end).or_default() += 1);
        if let Some(violation) = &outcome.violation {
            broken
                .entry(violation.invariant)
                .or_default()
                .push(outcome.seed);
        }
    }
    let calls: usize = outcomes.iter().map(|outcome| outcome.calls).sum();
    format!(
        "{} worlds, {calls} calls; plans {plans:?}; projects {ends:?}; broken {broken:?}",
        outcomes.len()
    )
}
