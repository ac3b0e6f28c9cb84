//! Record of a project's conflicts: each is found once and resolved once, also when rework merges again.
//!
//! Neighbour: [`crate::merge`] finds conflicts and resolves them by rule.

use serde::{Deserialize, Serialize};

use crate::merge::{Conflict, Resolution, ResolvedBy};

/// All conflicts of the latest merge with their resolutions. Stored as an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conflicts {
    /// Version of the stored form, at most [`Conflicts::VERSION`].
    pub version: u32,
    /// Conflicts in the order in which the merge found them.
    pub conflicts: Vec<Conflict>,
    /// Resolutions, at most one for each conflict.
    #[serde(alias = "settlements")]
    pub resolutions: Vec<Resolution>,
}

impl Conflicts {
    /// Version of the stored form that this release writes.
    pub const VERSION: u32 = 1;

    /// Returns the conflicts without a resolution.
    pub fn open(&self) -> Vec<Conflict> {
        let resolved = |conflict: &&Conflict| {
            !self
                .resolutions
                .iter()
                .any(|resolution| resolution.conflict == conflict.id)
        };
        self.conflicts.iter().filter(resolved).cloned().collect()
    }

    /// Returns true if there is a conflict about the same subject with the same values.
    pub fn knows(&self, conflict: &Conflict) -> bool {
        self.same(conflict).is_some()
    }

    /// Returns the resolution of the conflict with the same subject and values, with the ids of the new
    /// conflict.
    pub fn resolved(&self, conflict: &Conflict) -> Option<Resolution> {
        let old = self.same(conflict)?;
        let resolution = self
            .resolutions
            .iter()
            .find(|resolution| resolution.conflict == old.id)?;
        let keep = match &resolution.keep {
            None => None,
            Some(kept) => {
                let value = &old.claims.iter().find(|claim| claim.id == *kept)?.value;
                Some(
                    conflict
                        .claims
                        .iter()
                        .find(|claim| claim.value == *value)?
                        .id
                        .clone(),
                )
            }
        };
        Some(Resolution {
            conflict: conflict.id.clone(),
            keep,
            reason: resolution.reason.clone(),
            by: resolution.by,
        })
    }

    /// Closes every open conflict undecided ([`ResolvedBy::Undecided`]): all sides are kept with a note.
    #[must_use]
    pub fn closed(mut self) -> Self {
        for conflict in self.open() {
            let reason = "the source does not decide it".to_owned();
            self.resolutions.push(Resolution {
                conflict: conflict.id,
                keep: None,
                reason,
                by: ResolvedBy::Undecided,
            });
        }
        self
    }

    /// Sorts the resolutions in the order of the conflicts.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let place = |resolution: &Resolution| {
            self.conflicts
                .iter()
                .position(|conflict| conflict.id == resolution.conflict)
        };
        self.resolutions.sort_by_key(place);
        self
    }

    fn same(&self, conflict: &Conflict) -> Option<&Conflict> {
        self.conflicts
            .iter()
            .find(|old| old.subject == conflict.subject && values(old) == values(conflict))
    }
}

fn values(conflict: &Conflict) -> Vec<&str> {
    let mut values: Vec<_> = conflict
        .claims
        .iter()
        .map(|claim| claim.value.as_str())
        .collect();
    values.sort_unstable();
    values
}
