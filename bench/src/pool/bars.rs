//! The cells of the [`Bars`], and the one line that ends them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cell::{Cell, Chooser, Interactive, Measured};
use super::cost;
use super::faults::Fault;
use super::fleet::Charging;
use super::outcome::quantile;
use super::server::{Illness, LimitHeaders};
use super::workload::Shape;
use crate::time::stopwatch;

/// Cells run at once.
const THREADS: usize = 2;

/// Figures of the bars.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Bars {
    /// Utilisation of flat runs, in the order of [`Charging::ALL`].
    pub(crate) flat: [f64; 3],
    /// Utilisation at depth eight.
    pub(crate) depth8: [f64; 3],
    /// Utilisation at depth twenty, charged at admission.
    pub(crate) depth20: f64,
    /// Utilisation with mixed sizes, charged at admission.
    pub(crate) mixed: f64,
    /// Highest number of refusals a task in these cells.
    pub(crate) refusals: f64,
    /// Makespan without an account by that with it sick; the least of all ways of being sick.
    pub(crate) sick: f64,
    /// Utilisation of a flat run at 64 accounts, charged at admission.
    pub(crate) sixty_four: f64,
    /// Refusals a task when limits are halved and no header shows it.
    pub(crate) untold: f64,
    /// Microseconds of an admission at 64 accounts and 1,000 waiting calls.
    pub(crate) admission64: f64,
    /// Microseconds of an admission at 1,000 accounts and 100,000 waiting calls.
    pub(crate) admission1000: f64,
}

impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let three = |values: &[f64; 3]| {
            let [a, b, c] = values;
            format!("{a:.3}/{b:.3}/{c:.3}")
        };
        write!(
            f,
            "pool: flat {} depth8 {} depth20 {:.3} mixed {:.3} 429 {:.4} sick {:.3} sixtyfour {:.3} untold {:.4} \
             admission64 {:.1} us admission1000 {:.1} us",
            three(&self.flat),
            three(&self.depth8),
            self.depth20,
            self.mixed,
            self.refusals,
            self.sick,
            self.sixty_four,
            self.untold,
            self.admission64,
            self.admission1000,
        )
    }
}

/// Runs the cells of the bars and prints a table and the line.
///
/// `chosen` leaves only cells with one of these texts in their names; figures of the others are 0.
pub fn run(chosen: &[String], seeds: u64, with_cost: bool) -> anyhow::Result<()> {
    let took = stopwatch();
    let mut cells = cells();
    retain_chosen(&mut cells, chosen);
    let measured = all(&cells, seeds)?;
    println!("{}", table(&measured));
    let mut bars = bars(&measured);
    if with_cost {
        let (small, large) = (cost::admission(64, 1_000), cost::admission(1_000, 100_000));
        println!("{small}\n{large}");
        (bars.admission64, bars.admission1000) = (small.admission_us, large.admission_us);
    }
    println!("{:.0} s, {seeds} seeds", took());
    println!("{bars}");
    Ok(())
}

/// Leaves only cells with one of these texts in their names; all without a text.
pub(crate) fn retain_chosen(cells: &mut Vec<Cell>, chosen: &[String]) {
    cells.retain(|cell| {
        let name = cell.name();
        chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str()))
    });
}

/// Cells of the bars.
pub(crate) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for charging in Charging::ALL {
        cells.push(Cell::plain(Shape::Flat, charging));
        cells.push(Cell::plain(Shape::Depth8, charging));
    }
    let plain = Cell::plain(Shape::Flat, Charging::Admission);
    cells.push(Cell::plain(Shape::Depth20, Charging::Admission));
    cells.push(Cell::plain(Shape::Mixed, Charging::Admission));
    for charging in Charging::ALL {
        for headers in [
            LimitHeaders::All,
            LimitHeaders::Remaining,
            LimitHeaders::Nothing,
        ] {
            let fault = Fault::Halved(headers);
            cells.push(Cell {
                charging,
                fault,
                ..plain
            });
        }
        let fault = Fault::Others;
        cells.push(Cell {
            charging,
            fault,
            ..plain
        });
    }
    let sick = Illness::ALL.into_iter().map(Fault::Sick);
    cells.extend(
        sick.chain([Fault::Missing])
            .map(|fault| Cell { fault, ..plain }),
    );
    for interactive in [Interactive::First, Interactive::AsTasks] {
        cells.push(Cell {
            interactive,
            ..plain
        });
    }
    cells.push(Cell {
        chooser: Chooser::Chorus(4),
        ..plain
    });
    cells.push(Cell::plain(Shape::Tenants, Charging::Admission));
    for shape in [Shape::Flat, Shape::Mixed] {
        cells.push(Cell {
            accounts: 64,
            shape,
            ..plain
        });
    }
    cells
}

/// Cells by name, each with its results by seed.
pub(crate) type Results = BTreeMap<String, (usize, Vec<Measured>)>;

/// Runs cells with seeds from 1 on, some at once.
pub(crate) fn all(cells: &[Cell], seeds: u64) -> anyhow::Result<Results> {
    let jobs: Vec<(usize, u64)> = (0..cells.len())
        .flat_map(|cell| (1..=seeds).map(move |seed| (cell, seed)))
        .collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((cell, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let took = stopwatch();
                    let measured = cells[*cell].run(*seed);
                    eprintln!("{} seed {seed}: {:.1} s", cells[*cell].name(), took());
                    if let Ok(mut found) = found.lock() {
                        found.push((*cell, *seed, measured));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|(cell, seed, _)| (*cell, *seed));
    let mut results = Results::new();
    for (cell, _, measured) in found {
        let entry = results
            .entry(cells[cell].name())
            .or_insert((cell, Vec::new()));
        entry.1.push(measured?);
    }
    Ok(results)
}

/// Mean of a value of a cell's results; 0 for a cell that did not run.
fn mean(results: &Results, cell: Cell, value: impl Fn(&Measured) -> f64) -> f64 {
    results
        .get(&cell.name())
        .map_or(0.0, |(_, measured)| average(measured, value))
}

fn average(measured: &[Measured], value: impl Fn(&Measured) -> f64) -> f64 {
    measured.iter().map(value).sum::<f64>() / measured.len().max(1) as f64
}

fn bars(results: &Results) -> Bars {
    let plain = Cell::plain;
    let utilisation = |cell| mean(results, cell, Measured::utilisation);
    let refusals = |cell| mean(results, cell, |one| one.outcome.refusals_a_task());
    let base = plain(Shape::Flat, Charging::Admission);
    let makespan = |fault| {
        mean(results, Cell { fault, ..base }, |one| {
            if one.outcome.is_complete() {
                one.outcome.makespan.as_secs_f64()
            } else {
                f64::INFINITY
            }
        })
    };
    let without = makespan(Fault::Missing);
    let sick = Illness::ALL
        .into_iter()
        .map(|illness| without / makespan(Fault::Sick(illness)));
    let of_base = |shape, charging| refusals(plain(shape, charging));
    let in_base = Charging::ALL.into_iter().flat_map(|charging| {
        [
            of_base(Shape::Flat, charging),
            of_base(Shape::Depth8, charging),
        ]
    });
    let untold = Charging::ALL.into_iter().map(|charging| {
        refusals(Cell {
            charging,
            fault: Fault::Halved(LimitHeaders::Nothing),
            ..base
        })
    });
    Bars {
        flat: Charging::ALL.map(|charging| utilisation(plain(Shape::Flat, charging))),
        depth8: Charging::ALL.map(|charging| utilisation(plain(Shape::Depth8, charging))),
        depth20: utilisation(plain(Shape::Depth20, Charging::Admission)),
        mixed: utilisation(plain(Shape::Mixed, Charging::Admission)),
        refusals: in_base.fold(0.0, f64::max),
        sick: sick.fold(f64::INFINITY, f64::min),
        sixty_four: utilisation(Cell {
            accounts: 64,
            ..base
        }),
        untold: untold.fold(0.0, f64::max),
        admission64: 0.0,
        admission1000: 0.0,
    }
}

/// Table of all results, one row a cell, in the order of the cells.
pub(crate) fn table(results: &Results) -> String {
    let mut rows: Vec<_> = results.iter().collect();
    rows.sort_by_key(|(_, (cell, _))| *cell);
    let mut text = String::from(
        "| cell | U (least-most) | U without foresight | makespan s | 429 a task | failed | other failures | \
         wait p50/p99 s | interactive p50/p95 s | longest wait | gap | Jain | wasted tokens | us an admission | Redis us |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (name, (_, measured)) in rows {
        text.push_str(&row(name, measured));
    }
    text
}

fn row(name: &str, measured: &[Measured]) -> String {
    let of = |value: fn(&Measured) -> f64| average(measured, value);
    let utilisations = || measured.iter().map(Measured::utilisation);
    let seconds = |value: u64| value as f64 / 1000.0;
    let wait = |part| average(measured, |one| seconds(quantile(&one.outcome.waits, part)));
    let interactive = |part| {
        average(measured, |one| {
            seconds(quantile(&one.outcome.interactive_waits, part))
        })
    };
    format!(
        "| {name} | {:.3} ({:.3}-{:.3}) | {:.3} | {:.1} | {:.4} | {:.0} | {:.0} | {:.1}/{:.1} | {:.2}/{:.2} | {:.2} | \
         {:.2} | {:.3} | {:.0} | {:.1} | {:.0} |\n",
        of(Measured::utilisation),
        utilisations().fold(f64::INFINITY, f64::min),
        utilisations().fold(0.0, f64::max),
        of(Measured::unforeseen),
        of(|one| one.outcome.makespan.as_secs_f64()),
        of(|one| one.outcome.refusals_a_task()),
        of(|one| one.outcome.failed as f64),
        of(|one| one.outcome.failures as f64),
        wait(0.5),
        wait(0.99),
        interactive(0.5),
        interactive(0.95),
        of(|one| one.outcome.longest_wait),
        of(|one| one.outcome.fairness_gap(one.tenants)),
        of(|one| one.outcome.jain(one.tenants)),
        of(|one| one.outcome.wasted_tokens as f64),
        of(|one| one.outcome.ns_an_admission() / 1000.0),
        of(|one| one.outcome.redis_us),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_the_form_that_scripts_read() {
        let bars = Bars {
            flat: [0.929, 0.903, 0.877],
            depth8: [0.92, 0.895, 0.872],
            depth20: 0.975,
            mixed: 0.992,
            refusals: 0.0003,
            sick: 0.98,
            sixty_four: 0.923,
            untold: 0.03,
            admission64: 2.0,
            admission1000: 5.0,
        };
        assert_eq!(
            bars.to_string(),
            "pool: flat 0.929/0.903/0.877 depth8 0.920/0.895/0.872 depth20 0.975 mixed 0.992 429 0.0003 sick 0.980 \
             sixtyfour 0.923 untold 0.0300 admission64 2.0 us admission1000 5.0 us"
        );
    }

    #[test]
    fn a_run_has_the_same_result_for_the_same_seed_and_another_for_another() {
        let cell = Cell {
            accounts: 4,
            size_percent: 4,
            ..Cell::plain(Shape::Depth8, Charging::Anthropic)
        };
        let run = |seed| {
            let mut outcome = cell.run(seed).expect("it runs").outcome;
            assert!(outcome.is_complete(), "{outcome:?}");
            outcome.decide_ns = 0.0;
            outcome
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn every_rival_and_fault_runs_to_its_end_within_the_bound() {
        use super::super::rivals::Policy;
        let plain = Cell {
            accounts: 4,
            size_percent: 4,
            ..Cell::plain(Shape::Flat, Charging::Admission)
        };
        let rivals = Policy::ALL.map(|policy| Cell {
            chooser: Chooser::Rival(policy),
            ..plain
        });
        let faults = Fault::all()
            .into_iter()
            .map(|fault| Cell { fault, ..plain });
        let chargings = Charging::OTHERS.map(|charging| Cell { charging, ..plain });
        for cell in rivals.into_iter().chain(faults).chain(chargings) {
            let measured = cell.run(1).expect("no schedule is below the bound");
            assert!(
                measured.outcome.is_complete(),
                "{}: {:?}",
                cell.name(),
                measured.outcome
            );
            assert!(measured.utilisation() > 0.05, "{}", cell.name());
        }
    }

    #[test]
    fn the_utilisation_of_one_call_is_its_service_time_by_the_makespan() {
        let cell = Cell {
            accounts: 1,
            size_percent: 0,
            ..Cell::plain(Shape::Flat, Charging::Admission)
        };
        let measured = cell.run(1).expect("it runs");
        let makespan = measured.outcome.makespan.0;
        // A hop of 10 ms before the call, a flight of 20 ms after it.
        let by_hand = (makespan - 30) as f64 / makespan as f64;
        assert!(
            (measured.utilisation() - by_hand).abs() < 1e-3,
            "{measured:?}"
        );
    }
}
