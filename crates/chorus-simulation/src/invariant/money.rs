//! Money: reserved and spent are sums over the deliveries, and no dispatch exceeds the budget.

use std::collections::BTreeMap;

use chorus_core::id::ProjectId;
use chorus_core::money::MicroUsd;
use chorus_store::rows::Rows;

use super::{Invariant, Violation};

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    reserved: MicroUsd,
    spent: MicroUsd,
    over_estimate: MicroUsd,
}

pub(super) fn check(rows: &Rows) -> Result<(), Violation> {
    let mut sums: BTreeMap<ProjectId, Sums> = BTreeMap::new();
    for stored in rows.deliveries.values() {
        let sum = sums.entry(stored.project).or_default();
        let estimate = stored.delivery.assignment.estimate;
        if stored.delivery.end.is_none() {
            sum.reserved = sum.reserved + estimate;
        } else {
            sum.spent = sum.spent + stored.delivery.cost;
            sum.over_estimate =
                sum.over_estimate + (stored.delivery.cost - estimate).max(MicroUsd::ZERO);
        }
    }
    for (id, row) in &rows.projects {
        let (money, sum) = (row.money, sums.get(id).copied().unwrap_or_default());
        if (money.reserved, money.spent) != (sum.reserved, sum.spent) {
            return Err(Violation::new(
                Invariant::Money,
                format!("{id} has {money:?}, its deliveries make {sum:?}"),
            ));
        }
        // Each dispatch was within the budget; only calls that cost more than their estimate exceed
        // it.
        if money.spent + money.reserved > money.budget + sum.over_estimate {
            return Err(Violation::new(
                Invariant::Budget,
                format!("{id} has {money:?}, its deliveries make {sum:?}"),
            ));
        }
    }
    Ok(())
}
