//! Runs whole simulations: one seed gives one history, in one process and in two, and no seed
//! breaks an invariant.

mod slots_after_a_crash;

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use chorus_simulation::cli::failure_report;
use chorus_simulation::world::{Options, Outcome, SafetyNets, run};

/// Seeds of every test run. A nightly run uses `--bin world -- --seeds 100000`.
const SEEDS: u64 = 1_000;

fn options(seed: u64) -> Options {
    Options {
        seed,
        trace: false,
        faults: None,
        nets: SafetyNets::ALL,
    }
}

/// Runs the seeds on two threads and returns the outcomes with a violation.
fn check(seeds: u64) -> Vec<Outcome> {
    let next = AtomicU64::new(0);
    let broken = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= seeds {
                return;
            }
            let outcome = run(&options(seed));
            if outcome.violation.is_some() {
                broken.lock().expect("no world panics").push(outcome);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    broken.into_inner().expect("no world panics")
}

#[test]
fn a_thousand_seeds_with_faults_hold_every_invariant() {
    let broken = check(SEEDS);
    let reports: Vec<String> = broken
        .iter()
        .take(2)
        .map(|outcome| failure_report(outcome, &options(outcome.seed)))
        .collect();
    assert!(
        broken.is_empty(),
        "{} seeds broke an invariant\n{}",
        broken.len(),
        reports.join("\n\n")
    );
}

#[test]
fn one_seed_gives_one_history() {
    for seed in [3, 10, 11] {
        let (one, two) = (run(&options(seed)), run(&options(seed)));
        assert_eq!(
            (one.hash, one.ends, one.steps),
            (two.hash, two.ends, two.steps),
            "seed {seed}"
        );
    }
}

#[test]
fn two_processes_give_one_seed_the_same_hash_and_others_other_hashes() {
    let hash_of = |seed: u64| {
        let output = Command::new(env!("CARGO_BIN_EXE_world"))
            .args(["--seed", &seed.to_string()])
            .output()
            .unwrap();
        let line = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        line.rsplit("; ").next().unwrap_or_default().to_owned()
    };
    let hashes = [hash_of(7), hash_of(7), hash_of(8)];
    assert!(hashes[0].len() > 64, "no hash in {hashes:?}");
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
}

/// Found by simulation: a worker was paused between sending its lease and its first byte, and began
/// the call after the lease had expired.
#[test]
fn a_call_does_not_begin_after_its_deadline() {
    let outcome = run(&Options {
        faults: Some("pauses".to_owned()),
        ..options(91)
    });
    assert_eq!(
        outcome.violation,
        None,
        "{}",
        failure_report(&outcome, &options(91))
    );
}

/// Found by simulation: a worker was paused between its lease and its request, and began the call after the lease had
/// been counted as lost.
#[test]
fn a_call_does_not_begin_after_its_lease_is_counted_as_lost() {
    let wanted = Options {
        faults: Some("pauses".to_owned()),
        ..options(2158)
    };
    let outcome = run(&wanted);
    assert_eq!(
        outcome.violation,
        None,
        "{}",
        failure_report(&outcome, &wanted)
    );
}

/// Found by simulation: money was refused in mid-stream; the credential was tried again after five minutes, its quota
/// group only in the next month.
#[test]
fn an_account_without_money_is_tried_again_although_the_refusal_came_in_mid_stream() {
    let outcome = run(&options(505));
    assert_eq!(
        outcome.violation,
        None,
        "{}",
        failure_report(&outcome, &options(505))
    );
}

/// Found by simulation: a call that was aborted at its deadline freed its slot at once, while its
/// provider was still working on it.
#[test]
fn a_call_that_is_cut_keeps_its_slot_while_its_provider_goes_on() {
    for (faults, seed) in [("providers", 95), ("providers", 118)] {
        let wanted = Options {
            faults: Some(faults.to_owned()),
            ..options(seed)
        };
        let outcome = run(&wanted);
        assert_eq!(
            outcome.violation,
            None,
            "{}",
            failure_report(&outcome, &wanted)
        );
    }
}

/// Without a safety net the first line of defence holds alone.
#[test]
fn worlds_without_a_net_hold() {
    let nets = [
        (
            "workers die",
            SafetyNets {
                unclaimed: false,
                ..SafetyNets::ALL
            },
        ),
        (
            "orchestrators die",
            SafetyNets {
                resend: false,
                ..SafetyNets::ALL
            },
        ),
        (
            "orchestrators freeze",
            SafetyNets {
                folded: false,
                ..SafetyNets::ALL
            },
        ),
        (
            "calm",
            SafetyNets {
                expiry: false,
                ..SafetyNets::ALL
            },
        ),
    ];
    for (faults, nets) in nets {
        for seed in 0..15 {
            let wanted = Options {
                faults: Some(faults.to_owned()),
                nets,
                ..options(seed)
            };
            let outcome = run(&wanted);
            assert_eq!(
                outcome.violation,
                None,
                "{}",
                failure_report(&outcome, &wanted)
            );
        }
    }
}
