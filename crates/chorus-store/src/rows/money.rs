//! Changes of a project's money by dispatches, ends and late usage of deliveries.
//!
//! At every moment `reserved` is the sum of the estimates of deliveries under way and `spent` the sum of what
//! deliveries cost; `wasted` is the part of `spent` that bought nothing.

use chorus_core::attempt::{Outcome, Requeue};
use chorus_core::money::MicroUsd;
use chorus_core::money::ProjectMoney;

/// A change of a project's money, to be added to [`ProjectMoney`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Movement {
    /// Change of the reserved sum.
    pub reserved: MicroUsd,
    /// Change of the spent sum.
    pub spent: MicroUsd,
    /// Change of the wasted part of it.
    pub wasted: MicroUsd,
}

impl Movement {
    /// Reserves the estimate of a dispatched delivery.
    pub const fn dispatched(estimate: MicroUsd) -> Self {
        Self {
            reserved: estimate,
            spent: MicroUsd::ZERO,
            wasted: MicroUsd::ZERO,
        }
    }

    /// Spends `cost` for a finished delivery; wasted when the outcome has no text.
    pub fn finished(estimate: MicroUsd, cost: MicroUsd, outcome: &Outcome) -> Self {
        let wasted = if bought_something(outcome) {
            MicroUsd::ZERO
        } else {
            cost
        };
        Self {
            reserved: MicroUsd::ZERO - estimate,
            spent: cost,
            wasted,
        }
    }

    /// Ends a delivery that was taken back. A claimed one may have been paid for: its estimate is wasted until
    /// late usage corrects it. An unclaimed one cost nothing.
    pub fn taken_back(estimate: MicroUsd, claimed: bool) -> Self {
        let lost = if claimed { estimate } else { MicroUsd::ZERO };
        Self {
            reserved: MicroUsd::ZERO - estimate,
            spent: lost,
            wasted: lost,
        }
    }

    /// Replaces an assumed cost by the real one.
    pub fn corrected(assumed: MicroUsd, cost: MicroUsd) -> Self {
        Self {
            reserved: MicroUsd::ZERO,
            spent: cost - assumed,
            wasted: cost - assumed,
        }
    }

    /// The opposite change.
    #[must_use]
    pub fn reversed(self) -> Self {
        let back = |amount| MicroUsd::ZERO - amount;
        Self {
            reserved: back(self.reserved),
            spent: back(self.spent),
            wasted: back(self.wasted),
        }
    }

    /// The money after this change.
    #[must_use]
    pub fn applied_to(self, money: ProjectMoney) -> ProjectMoney {
        ProjectMoney {
            budget: money.budget,
            spent: money.spent + self.spent,
            reserved: money.reserved + self.reserved,
            wasted: money.wasted + self.wasted,
        }
    }
}

/// Returns true if the budget of [`ProjectMoney`] covers one more delivery.
pub fn covers(money: &ProjectMoney, estimate: MicroUsd) -> bool {
    money.spent + money.reserved + estimate <= money.budget
}

fn bought_something(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Succeeded { .. } | Outcome::Asked { .. } => true,
        Outcome::Failed { .. } => false,
        Outcome::Requeue { reason, .. } => *reason == Requeue::Continue,
    }
}
