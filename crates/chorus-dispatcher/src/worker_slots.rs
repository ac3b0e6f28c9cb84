//! Slots that the workers of each pool have left, from their announcements ([`Workers`](chorus_core::port::Workers)) and the rows under way. Pure.
//!
//! A process counts with its slots less the deliveries that it holds; deliveries without a claim take
//! slots as well. None is handed out beyond the slots: a call may last longer than a delivery may stay unclaimed, so a
//! spare one would hold its reservation, be taken back and be dispatched anew until a call ends. Deliveries of processes
//! without a live announcement take none: those processes died, or are of an
//! earlier release that announces nothing. A pool without announcements gets one delivery at a time, and more for each
//! that such a process holds, so that earlier releases go on.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::Pool;
use chorus_core::port::workers::{AnnouncedWorker, TakenSlots};
use chorus_pool::PoolSlots;

/// Returns the slots of all pools that are announced or have deliveries under way, and of `pools`.
pub(crate) fn free_slots(
    announced: &[AnnouncedWorker],
    taken: &[TakenSlots],
    pools: impl Iterator<Item = Pool>,
) -> BTreeMap<Pool, PoolSlots> {
    let named = announced.iter().map(|one| one.worker.pool.clone());
    let busy = taken.iter().map(|one| one.pool.clone());
    let all: BTreeSet<Pool> = named.chain(busy).chain(pools).collect();
    let slots = all.into_iter().map(|pool| {
        let slots = of_pool(&pool, announced, taken);
        (pool, slots)
    });
    slots.collect()
}

fn of_pool(pool: &Pool, announced: &[AnnouncedWorker], taken: &[TakenSlots]) -> PoolSlots {
    let workers: BTreeMap<String, u32> = announced
        .iter()
        .filter(|one| one.worker.pool == *pool)
        .map(|one| (one.worker.boot.to_string(), one.worker.slots))
        .collect();
    let of_pool = || taken.iter().filter(|one| one.pool == *pool);
    let held = |boot: Option<&str>| -> u32 {
        let of_boot = of_pool().filter(|one| one.boot.as_deref() == boot);
        of_boot.map(|one| one.deliveries).sum()
    };
    let unclaimed = held(None);
    if workers.is_empty() {
        let running: u32 = of_pool()
            .filter(|one| one.boot.is_some())
            .map(|one| one.deliveries)
            .sum();
        return PoolSlots {
            free: (1 + 2 * running).saturating_sub(unclaimed + running),
            workers: 0,
        };
    }
    let left: u32 = workers
        .iter()
        .map(|(boot, slots)| slots.saturating_sub(held(Some(boot))))
        .sum();
    PoolSlots {
        free: left.saturating_sub(unclaimed),
        workers: u32::try_from(workers.len()).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::id::BootId;
    use chorus_core::port::workers::WorkerSlots;
    use chorus_core::time::Timestamp;

    use super::*;

    fn check(announced: &[(u128, u32)], taken: &[(Option<u128>, u32)]) -> (u32, u32) {
        let pool = Pool::new("claude");
        let boot = |number| BootId::new(number);
        let announced: Vec<_> = announced
            .iter()
            .map(|(number, slots)| AnnouncedWorker {
                worker: WorkerSlots {
                    boot: boot(*number),
                    pool: pool.clone(),
                    slots: *slots,
                },
                until: Timestamp(9),
            })
            .collect();
        let taken: Vec<_> = taken
            .iter()
            .map(|(number, deliveries)| TakenSlots {
                pool: pool.clone(),
                boot: number.map(|number| boot(number).to_string()),
                deliveries: *deliveries,
            })
            .collect();
        let slots = free_slots(&announced, &taken, [pool.clone()].into_iter());
        (slots[&pool].free, slots[&pool].workers)
    }

    #[test]
    fn grants_never_exceed_the_announced_slots() {
        assert_eq!(check(&[(1, 64)], &[]), (64, 1));
        assert_eq!(check(&[(1, 2)], &[(Some(1), 2)]), (0, 1));
        assert_eq!(check(&[(1, 2)], &[(Some(1), 2), (None, 1)]), (0, 1));
        assert_eq!(check(&[(1, 2), (2, 2)], &[(Some(1), 2)]), (2, 2));
    }

    #[test]
    fn deliveries_of_a_process_that_died_take_no_slot() {
        assert_eq!(check(&[(2, 4)], &[(Some(1), 64)]), (4, 1));
    }

    #[test]
    fn a_pool_without_announcements_gets_one_delivery_at_a_time() {
        assert_eq!(check(&[], &[]), (1, 0));
        assert_eq!(check(&[], &[(None, 1)]), (0, 0));
        assert_eq!(check(&[], &[(Some(1), 3)]), (4, 0), "an earlier release");
    }
}
