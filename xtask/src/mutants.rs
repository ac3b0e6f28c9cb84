//! `cargo xtask mutants`: plants one fault at a time in a copy of the sources and checks that the
//! tests find it.
//!
//! A [`Mutant`] replaces one text of a file by another. The text must occur exactly once,
//! regardless of white space, so that drift is noticed. A mutant that no run finds, or that another
//! invariant than the expected ones finds, fails the command. Faults that a second safety net hides
//! are planted in simulations without that net, in which the unchanged program must hold. A run that
//! does not end is killed after ten minutes, and is a finding.

mod field;
mod limited;
mod table;
mod text;

use std::time::Duration;

use anyhow::bail;
use field::{Field, Found};
use table::{Mutant, Search, World, mutants};

/// Number of seeds that the unchanged program must survive in each simulation without a net.
const SOUND_SEEDS: u64 = 40;

/// Result of one mutant.
struct Verdict {
    name: &'static str,
    found: Option<Found>,
    wrong: Option<String>,
    took: Duration,
}

/// Runs all mutants, or those with an argument in their names.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let wanted = |mutant: &&Mutant| {
        arguments.is_empty()
            || arguments
                .iter()
                .any(|argument| mutant.name.contains(argument))
    };
    let mutants: Vec<&Mutant> = mutants().filter(wanted).collect();
    if mutants.is_empty() {
        bail!("no mutant is called like {arguments:?}");
    }
    let field = Field::lay_out()?;
    let mut wrong = sound(&field, &mutants)?;
    for mutant in &mutants {
        let verdict = try_one(&field, mutant)?;
        println!("{}", row(&verdict));
        wrong.extend(
            verdict
                .wrong
                .map(|problem| format!("{}: {problem}", verdict.name)),
        );
    }
    if wrong.is_empty() {
        println!("{} mutants, each found", mutants.len());
        return Ok(());
    }
    bail!("{}", wrong.join("\n"))
}

/// Checks that the unchanged program holds in every simulation in which a mutant is searched and a
/// net is missing.
fn sound(field: &Field, mutants: &[&Mutant]) -> anyhow::Result<Vec<String>> {
    let mut worlds: Vec<World> = Vec::new();
    for mutant in mutants {
        if let Search::Simulation { world, .. } = mutant.search
            && !world.without.is_empty()
            && !worlds.contains(&world)
        {
            worlds.push(world);
        }
    }
    let mut wrong = Vec::new();
    if !worlds.is_empty() {
        field.build()?;
    }
    for world in worlds {
        match field.search(world, SOUND_SEEDS)? {
            None => println!(
                "{:<62} holds for {SOUND_SEEDS} seeds",
                format!("(the program as it is, {world})")
            ),
            Some(found) => wrong.push(format!(
                "the program as it is breaks {} in seed {:?} of {world}",
                found.invariant, found.seed
            )),
        }
    }
    Ok(wrong)
}

fn try_one(field: &Field, mutant: &Mutant) -> anyhow::Result<Verdict> {
    let start = field.clock();
    let planted = field.plant(mutant.edits)?;
    let searched = search(field, &mutant.search);
    planted.pull_out()?;
    let (found, wrong) = searched?;
    Ok(Verdict {
        name: mutant.name,
        found,
        wrong,
        took: start.elapsed(),
    })
}

/// Searches the planted mutant; returns the finding, and the problem if it is not the expected one.
fn search(field: &Field, search: &Search) -> anyhow::Result<(Option<Found>, Option<String>)> {
    match search {
        Search::Simulation {
            world,
            seeds,
            expected,
        } => {
            field.build()?;
            let found = field.search(*world, *seeds)?;
            let wrong = match &found {
                None => Some(format!("survived {seeds} seeds of {world}")),
                Some(found) if !expected.contains(&found.invariant.as_str()) => Some(format!(
                    "was found by {}, expected one of {expected:?}",
                    found.invariant
                )),
                Some(_) => None,
            };
            Ok((found, wrong))
        }
        Search::Tests { package, filter } => {
            let found = field.test(package, filter)?;
            let wrong = found
                .is_none()
                .then(|| format!("survived the tests {filter:?} of {package}"));
            Ok((found, wrong))
        }
    }
}

fn row(verdict: &Verdict) -> String {
    let Verdict {
        name,
        found,
        wrong,
        took,
    } = verdict;
    let by = found.as_ref().map_or_else(
        || "SURVIVED".to_owned(),
        |found| match found.seed {
            Some(seed) => format!("{} in seed {seed}", found.invariant),
            None => found.invariant.clone(),
        },
    );
    let mark = if wrong.is_some() && found.is_some() {
        " UNEXPECTED"
    } else {
        ""
    };
    format!("{name:<62} {by}{mark} ({} s)", took.as_secs())
}
