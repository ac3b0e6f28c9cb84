//! The command line of the `world` binary: one seed or many, with a summary and, for a seed that fails, the
//! end of its log and how to see it again.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::invariant::Invariant;
use crate::world::{self, Nets, Options, Outcome};

const USAGE: &str = "usage: world [--seed N] [--seeds COUNT] [--threads N] [--mix NAME] [--without unclaimed|expiry|resend|folded] [--trace] [--keep-going] [--brief]";

/// What was asked for.
#[derive(Debug, Clone)]
struct Asked {
    options: Options,
    seeds: u64,
    threads: usize,
    keep_going: bool,
    brief: bool,
}

/// Runs the worlds that the arguments ask for.
pub fn main(arguments: &[String]) -> ExitCode {
    let asked = match read(arguments) {
        Ok(asked) => asked,
        Err(problem) => {
            eprintln!("world: {problem}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let outcomes = run_all(&asked);
    let mut failed: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| outcome.violation.is_some())
        .collect();
    failed.sort_by_key(|outcome| outcome.seed);
    for outcome in outcomes.iter().filter(|_| asked.seeds == 1 || asked.brief) {
        println!("{}", line(outcome));
        outcome
            .defects
            .iter()
            .for_each(|defect| println!("  {defect}"));
    }
    for outcome in failed.iter().take(if asked.brief { 0 } else { 3 }) {
        println!("{}", story(outcome, &asked.options));
    }
    println!("{}", summary(&outcomes));
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn read(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked {
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
            "--seed" => asked.options.seed = number(value()?)?,
            "--seeds" => asked.seeds = number(value()?)?,
            "--threads" => asked.threads = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
            "--mix" => asked.options.mix = Some(value()?.clone()),
            "--without" => switch_off(&mut asked.options.nets, value()?)?,
            "--trace" => asked.options.trace = true,
            "--keep-going" => asked.keep_going = true,
            "--brief" => asked.brief = true,
            unknown => return Err(format!("unknown argument {unknown}")),
        }
    }
    Ok(asked)
}

fn switch_off(nets: &mut Nets, name: &str) -> Result<(), String> {
    match name {
        "unclaimed" => nets.unclaimed = false,
        "expiry" => nets.expiry = false,
        "resend" => nets.resend = false,
        "folded" => nets.folded = false,
        unknown => return Err(format!("there is no net {unknown:?}")),
    }
    Ok(())
}

/// Runs consecutive seeds on so many threads, each world on one; stops at the first violation unless told
/// to keep going.
fn run_all(asked: &Asked) -> Vec<Outcome> {
    let next = AtomicU64::new(asked.options.seed);
    let end = asked.options.seed.saturating_add(asked.seeds);
    let outcomes = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return;
            }
            let outcome = world::run(&Options {
                seed,
                ..asked.options.clone()
            });
            if outcome.violation.is_some() && !asked.keep_going {
                next.store(end, Ordering::SeqCst);
            }
            outcomes
                .lock()
                .expect("no world panics while it is written down")
                .push(outcome);
        }
    };
    std::thread::scope(|scope| (0..asked.threads).for_each(|_| drop(scope.spawn(work))));
    let mut outcomes = outcomes
        .into_inner()
        .expect("no world panics while it is written down");
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

fn line(outcome: &Outcome) -> String {
    let Outcome {
        seed,
        mix,
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
        "seed {seed} [{mix}] {verdict}; {lasted}, {steps} polls, {calls} calls, projects {}; {hash}",
        ends.join(" ")
    )
}

/// A failing seed for people: the end of its log, and how to see all of it.
pub fn story(outcome: &Outcome, options: &Options) -> String {
    let mut text = outcome.tail.join("\n");
    text.push_str(&format!(
        "\n\n{}\nreplay: cargo run -p chorus-simulation --bin world -- --seed {}",
        line(outcome),
        outcome.seed
    ));
    if let Some(mix) = &options.mix {
        text.push_str(&format!(" --mix {mix:?}"));
    }
    let Nets {
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
    let mut mixes: BTreeMap<&str, u32> = BTreeMap::new();
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for outcome in outcomes {
        *mixes.entry(outcome.mix).or_default() += 1;
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
        "{} worlds, {calls} calls; mixes {mixes:?}; projects {ends:?}; broken {broken:?}",
        outcomes.len()
    )
}
