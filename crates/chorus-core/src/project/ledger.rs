//! The ledger of conflicts: each is found once and settled once, also when rework merges again.

use serde::{Deserialize, Serialize};

use crate::merge::{Conflict, SettledBy, Settlement};

/// All conflicts of the latest merge and how they were settled. Stored as an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Version of this form.
    pub version: u32,
    /// The conflicts.
    pub conflicts: Vec<Conflict>,
    /// One for each conflict that is settled.
    pub settlements: Vec<Settlement>,
}

impl Ledger {
    /// Version of the form that this release writes.
    pub const VERSION: u32 = 1;

    /// The conflicts that nobody has settled.
    pub fn open(&self) -> Vec<Conflict> {
        let settled = |conflict: &&Conflict| {
            !self
                .settlements
                .iter()
                .any(|settlement| settlement.conflict == conflict.id)
        };
        self.conflicts.iter().filter(settled).cloned().collect()
    }

    /// Whether this ledger knows a conflict about the same subject with the same values.
    pub fn knows(&self, conflict: &Conflict) -> bool {
        self.same(conflict).is_some()
    }

    /// How a conflict with the same subject and values was settled here, in the words of the new conflict.
    pub fn settled(&self, conflict: &Conflict) -> Option<Settlement> {
        let old = self.same(conflict)?;
        let settlement = self
            .settlements
            .iter()
            .find(|settlement| settlement.conflict == old.id)?;
        let keep = match &settlement.keep {
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
        Some(Settlement {
            conflict: conflict.id.clone(),
            keep,
            reason: settlement.reason.clone(),
            by: settlement.by,
        })
    }

    /// The ledger with every open conflict settled by nobody: both sides are kept with a note.
    #[must_use]
    pub fn closed(mut self) -> Self {
        for conflict in self.open() {
            let reason = "the source does not decide it".to_owned();
            self.settlements.push(Settlement {
                conflict: conflict.id,
                keep: None,
                reason,
                by: SettledBy::Nobody,
            });
        }
        self
    }

    /// The ledger with its settlements in the order of its conflicts.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let place = |settlement: &Settlement| {
            self.conflicts
                .iter()
                .position(|conflict| conflict.id == settlement.conflict)
        };
        self.settlements.sort_by_key(place);
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
