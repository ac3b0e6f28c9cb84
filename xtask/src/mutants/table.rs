//! The mutants: the edits, the simulation or test that searches them, and the invariants that may
//! find them.

mod accounts;
mod crashes;
mod protocol;

use std::fmt;

/// A planted fault.
pub(super) struct Mutant {
    /// Wrong behaviour of the program.
    pub(super) name: &'static str,
    /// Edits that cause it.
    pub(super) edits: &'static [Edit],
    /// Search that must find it.
    pub(super) search: Search,
}

/// One text and its replacement.
pub(super) struct Edit {
    /// Path of the file.
    pub(super) file: &'static str,
    /// Text to replace. It occurs once, regardless of formatting; see [`super::text::places`].
    pub(super) find: &'static str,
    /// Replacement.
    pub(super) replace: &'static str,
}

/// Search for a mutant.
pub(super) enum Search {
    /// Simulations, seed after seed.
    Simulation {
        /// Parameters of the simulations.
        world: World,
        /// Maximum number of seeds.
        seeds: u64,
        /// Invariants that may find it.
        expected: &'static [&'static str],
    },
    /// Tests of one package, which must fail.
    Tests {
        /// Name of the package.
        package: &'static str,
        /// Filter of the tests' names.
        filter: &'static str,
    },
}

/// Parameters of the simulations in which a mutant is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct World {
    /// Name of the fault plan.
    pub(super) faults: &'static str,
    /// Safety nets that are switched off.
    pub(super) without: &'static [&'static str],
}

impl World {
    const fn of(faults: &'static str) -> Self {
        Self {
            faults,
            without: &[],
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulations with {}", self.faults)?;
        self.without
            .iter()
            .try_for_each(|net| write!(f, ", without {net}"))
    }
}

const fn simulation(world: World, seeds: u64, expected: &'static [&'static str]) -> Search {
    Search::Simulation {
        world,
        seeds,
        expected,
    }
}

const fn tests(package: &'static str, filter: &'static str) -> Search {
    Search::Tests { package, filter }
}

/// All mutants.
pub(super) fn mutants() -> impl Iterator<Item = &'static Mutant> {
    [protocol::MUTANTS, accounts::MUTANTS, crashes::MUTANTS]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::text::places;

    #[test]
    fn the_text_of_every_mutant_occurs_once_in_its_file() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the workspace");
        let mut wrong = Vec::new();
        for mutant in mutants() {
            for edit in mutant.edits {
                let text = std::fs::read_to_string(root.join(edit.file)).unwrap_or_default();
                let count = places(&text, edit.find).len();
                if count != 1 {
                    wrong.push(format!(
                        "{}: {count} times in {}: {:?}",
                        mutant.name, edit.file, edit.find
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
