//! The whole matrix: fleets, shapes, faults, processes and rivals; a table and a plot in `bench/results`.

use std::path::Path;

use anyhow::Context;

use super::bars::{Results, all, cells as bar_cells, retain_chosen, table};
use super::cell::{Cell, Chooser};
use super::faults::Fault;
use super::fleet::{Charging, Spread};
use super::plot;
use super::rivals::Policy;
use super::workload::Shape;

/// Tasks for each account of the largest fleet, in per cent of the usual number: a makespan of half a minute.
const LARGE_PERCENT: usize = 20;

/// Runs the chosen cells and writes `pool.md` and `pool.svg` into `folder`.
pub fn run(chosen: &[String], seeds: u64, folder: &Path) -> anyhow::Result<()> {
    let mut cells = cells();
    retain_chosen(&mut cells, chosen);
    anyhow::ensure!(!cells.is_empty(), "no cell is named like {chosen:?}");
    let results = all(&cells, seeds)?;
    write(&cells, &results, seeds, folder)
}

fn write(cells: &[Cell], results: &Results, seeds: u64, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let text = format!(
        "# Account pool on a virtual clock\n\nMeans of {seeds} seeds; definitions in `bench/README.md`. A makespan \
         of 0 utilisation is a run in which tasks failed.\n\n{}",
        table(results)
    );
    let of = |name: &str| folder.join(name);
    std::fs::write(of("pool.md"), text).context("write the table")?;
    std::fs::write(of("pool.svg"), plot::svg(cells, results)).context("write the plot")?;
    println!("{}", table(results));
    Ok(())
}

/// All cells; those of the bars come first.
pub(crate) fn cells() -> Vec<Cell> {
    let mut cells = bar_cells();
    let plain = Cell::plain(Shape::Flat, Charging::Admission);
    cells.extend(Charging::OTHERS.map(|charging| Cell { charging, ..plain }));
    for (accounts, processes, size_percent) in
        [(12, 1, 100), (12, 4, 100), (64, 1, 20), (1_000, 1, 1)]
    {
        cells.push(Cell {
            accounts,
            chooser: Chooser::Redis(processes),
            size_percent,
            ..plain
        });
    }
    for shape in Shape::ALL {
        for accounts in [1, 4, 12, 64, 1_000] {
            for spread in [Spread::Unequal, Spread::Equal, Spread::Wide] {
                let size_percent = if accounts == 1_000 {
                    LARGE_PERCENT
                } else {
                    100
                };
                cells.push(Cell {
                    accounts,
                    spread,
                    shape,
                    size_percent,
                    ..plain
                });
            }
        }
        for fault in Fault::all() {
            for charging in Charging::ALL {
                cells.push(Cell {
                    shape,
                    fault,
                    charging,
                    ..plain
                });
            }
            cells.push(Cell {
                shape,
                fault,
                chooser: Chooser::Chorus(4),
                ..plain
            });
        }
    }
    for policy in Policy::ALL {
        let chooser = Chooser::Rival(policy);
        for charging in Charging::ALL {
            for shape in Shape::ALL {
                cells.push(Cell {
                    shape,
                    charging,
                    chooser,
                    ..plain
                });
            }
        }
        for fault in Fault::all() {
            cells.push(Cell {
                fault,
                chooser,
                ..plain
            });
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    cells.retain(|cell| seen.insert(cell.name()));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_has_every_fault_rival_shape_and_size_once() {
        let names: Vec<String> = cells().iter().map(Cell::name).collect();
        for part in [
            "1000/1:20",
            "sick-slow",
            "own-queues",
            "chorus x4",
            "chorus x4 redis",
            "tenants40",
            "killed",
        ] {
            assert!(names.iter().any(|name| name.contains(part)), "{part}");
        }
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), names.len());
    }
}
