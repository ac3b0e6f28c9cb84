//! What happens to a project's money when a delivery is dispatched, ends, or is heard of late.
//!
//! At every moment `reserved` is the sum of the estimates of deliveries under way and `spent` the sum of what
//! deliveries cost; `wasted` is the part of `spent` that bought nothing.

use chorus_core::attempt::{Outcome, Requeue};
use chorus_core::money::MicroUsd;
use chorus_core::money::ProjectMoney;

/// A change of a project's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Movement {
    /// Added to what is set aside.
    pub reserved: MicroUsd,
    /// Added to what was spent.
    pub spent: MicroUsd,
    /// Added to what was wasted.
    pub wasted: MicroUsd,
}

impl Movement {
    /// A delivery begins: its estimate is set aside.
    pub const fn dispatched(estimate: MicroUsd) -> Self {
        Self {
            reserved: estimate,
            spent: MicroUsd::ZERO,
            wasted: MicroUsd::ZERO,
        }
    }

    /// A worker finished a delivery that cost `cost`.
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

    /// A delivery was taken back. A claimed one may have been called and paid for: its estimate counts as
    /// waste until a late word tells the real cost. An unclaimed one cost nothing.
    pub fn taken_back(estimate: MicroUsd, claimed: bool) -> Self {
        let lost = if claimed { estimate } else { MicroUsd::ZERO };
        Self {
            reserved: MicroUsd::ZERO - estimate,
            spent: lost,
            wasted: lost,
        }
    }

    /// A late word: the delivery cost `cost`, not `assumed`.
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

/// Whether the budget covers one more delivery.
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
