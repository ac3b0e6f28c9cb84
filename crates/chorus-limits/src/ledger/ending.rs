//! Ends of leases: explicitly by [`Ledger::end`], or by expiry.

use std::cmp::Reverse;

use chorus_core::id::LeaseId;
use chorus_core::limit::{Dimension, End};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::time::Timestamp;

use super::lease::{Ended, Life, Part};
use super::meter::Meter;
use super::{Ledger, REMEMBERED, tally};

impl Ledger {
    /// Ends a lease. A repeated end changes nothing; [`End::Unused`] acts on
    /// leases that were never sent.
    pub fn end(&mut self, lease: LeaseId, end: &End, now: Timestamp) {
        self.expire(now);
        let Some(life) = self.leases.get(&lease).map(|entry| entry.life.clone()) else {
            return;
        };
        match (end, life) {
            (End::Unused, Life::Sent { .. } | Life::Aborted { .. } | Life::Expired { .. })
            | (
                End::Aborted { .. } | End::Refused { .. } | End::Lost { .. },
                Life::Expired { .. },
            )
            | (End::Aborted { .. } | End::Lost { .. }, Life::Aborted { .. }) => {}
            (End::Unused | End::Lost { .. }, Life::Reserved) => self.give_back(lease, now),
            (End::Lost { grace }, Life::Sent { until, .. }) => {
                self.charge_reserved(lease, now);
                let until = until.min(now + *grace);
                self.aborted(lease, until);
                self.process_ended(lease, until);
            }
            (End::Used { usage, cost }, life @ (Life::Reserved | Life::Sent { .. })) => {
                self.settle(lease, now, |meter, _| {
                    Some(tally::units(meter.limit.charged_for(usage, *cost)))
                });
                if life != Life::Reserved {
                    self.on_success(lease);
                }
                self.over(lease, now, true);
            }
            (End::Used { usage, cost }, Life::Expired { .. }) => {
                self.settle_late(lease, usage, *cost, now);
                self.remember(lease, now, true);
            }
            (End::Used { usage, cost }, Life::Aborted { .. }) => {
                self.settle_late(lease, usage, *cost, now);
            }
            (End::Aborted { usage, grace }, Life::Reserved | Life::Sent { .. }) => {
                let known = usage.unwrap_or_default();
                self.settle(lease, now, |meter, part| {
                    Some(part.set_aside.max(tally::units(
                        meter.limit.charged_for(&known, MicroUsd::ZERO),
                    )))
                });
                self.aborted(lease, now + *grace);
            }
            (
                End::Refused { counts_request },
                Life::Reserved | Life::Sent { .. } | Life::Aborted { .. },
            ) => {
                let counts = i64::from(*counts_request);
                self.settle(lease, now, |meter, _| {
                    Some(if meter.limit.dimension == Dimension::Requests {
                        counts
                    } else {
                        0
                    })
                });
                self.over(lease, now, true);
            }
        }
    }

    /// Marks a lease as aborted; one that was not sent counts as sent from now on.
    fn aborted(&mut self, lease: LeaseId, until: Timestamp) {
        let Some(entry) = self.leases.get(&lease) else {
            return;
        };
        if entry.life == Life::Reserved {
            for key in &entry.groups {
                if let Some(group) = self.groups.get_mut(*key) {
                    group.sent += 1;
                }
            }
        }
        self.live_on(lease, Life::Aborted { until });
    }

    /// Charges the amounts that providers charge when a call starts, and marks the sums of every meter.
    pub(super) fn charge_sent(&mut self, lease: LeaseId, now: Timestamp) {
        self.settle(lease, now, |meter, part| {
            (part.charged.is_none() && meter.charged_when_sent()).then_some(part.set_aside)
        });
        let Some(entry) = self.leases.get_mut(&lease) else {
            return;
        };
        for part in &mut entry.parts {
            let meter = self
                .groups
                .get_mut(part.group)
                .and_then(|group| group.meter(part.dimension, part.nth));
            let is_new = part.mark.is_none() && part.charged.is_none_or(|(at, _)| at == now);
            if let Some(meter) = meter.filter(|_| is_new) {
                part.mark = Some(meter.sent(now, part.set_aside));
            }
        }
    }

    /// Gives everything back: the lease was not sent.
    pub(super) fn give_back(&mut self, lease: LeaseId, now: Timestamp) {
        self.settle(lease, now, |_, _| Some(0));
        self.over(lease, now, false);
    }

    /// Expires a sent lease: frees its slot and charges the reserved amounts.
    pub(super) fn lapse(&mut self, lease: LeaseId, now: Timestamp) {
        self.charge_reserved(lease, now);
        if let Some(entry) = self.leases.get_mut(&lease) {
            entry.parts.iter_mut().for_each(|part| part.mark = None);
        }
        self.free(lease, now);
        let until = now + REMEMBERED;
        self.live_on(lease, Life::Expired { until });
    }

    /// Charges the reserved amounts of a call with unknown usage.
    fn charge_reserved(&mut self, lease: LeaseId, now: Timestamp) {
        self.settle(lease, now, |_, part| {
            part.charged.is_none().then_some(part.set_aside)
        });
    }

    /// Sets the lease's charge on each limit to `used`; none leaves a limit as it is. Slots are left
    /// alone: they are freed, never charged.
    fn settle(
        &mut self,
        lease: LeaseId,
        now: Timestamp,
        used: impl Fn(&Meter, &Part) -> Option<i64>,
    ) {
        let Some(entry) = self.leases.get_mut(&lease) else {
            return;
        };
        for part in entry
            .parts
            .iter_mut()
            .filter(|part| part.dimension != Dimension::Concurrency)
        {
            let Some(meter) = self
                .groups
                .get_mut(part.group)
                .and_then(|group| group.meter(part.dimension, part.nth))
            else {
                continue;
            };
            let Some(used) = used(meter, part) else {
                continue;
            };
            match part.charged {
                None => {
                    if part.mark.is_some() {
                        meter.ended(part.set_aside);
                    }
                    meter.charge(now, part.set_aside, used);
                }
                Some((charged_at, before)) => {
                    meter.correct(now, charged_at, part.mark, used - before);
                }
            }
            let since = part.charged.map_or(now, |(charged_at, _)| charged_at);
            part.charged = Some((since, used));
        }
    }

    /// Corrects the charges of an expired or aborted lease by its real usage.
    fn settle_late(&mut self, lease: LeaseId, usage: &Usage, cost: MicroUsd, now: Timestamp) {
        self.settle(lease, now, |meter, _| {
            Some(tally::units(meter.limit.charged_for(usage, cost)))
        });
        if let Some(entry) = self.leases.get(&lease) {
            entry.groups.iter().for_each(|key| self.groups.freed(*key));
        }
    }

    /// Frees the lease's slots and keeps of it only that it ended.
    fn over(&mut self, lease: LeaseId, now: Timestamp, sent: bool) {
        self.free(lease, now);
        self.remember(lease, now, sent);
    }

    /// Keeps of a lease only that it ended.
    fn remember(&mut self, lease: LeaseId, now: Timestamp, sent: bool) {
        if self.leases.remove(&lease).is_some() {
            let until = now + REMEMBERED;
            self.ended.insert(lease, Ended { sent, until });
            self.forgotten_at.push(Reverse((until, lease)));
        }
    }

    /// Frees the lease's slots.
    fn free(&mut self, lease: LeaseId, now: Timestamp) {
        let Some(entry) = self.leases.get_mut(&lease) else {
            return;
        };
        let was_sent = entry.life != Life::Reserved;
        for part in entry
            .parts
            .iter_mut()
            .filter(|part| part.dimension == Dimension::Concurrency && part.charged.is_none())
        {
            part.charged = Some((now, 0));
            if let Some(meter) = self
                .groups
                .get_mut(part.group)
                .and_then(|group| group.meter(part.dimension, part.nth))
            {
                meter.give_back(part.set_aside);
            }
        }
        for key in &entry.groups {
            if let Some(group) = self.groups.get_mut(*key) {
                group.in_flight = group.in_flight.saturating_sub(1);
                group.sent = group.sent.saturating_sub(u64::from(was_sent));
                group.of_ended_process.remove(&lease);
            }
            self.groups.freed(*key);
        }
    }

    fn on_success(&mut self, lease: LeaseId) {
        let Some(entry) = self.leases.get(&lease) else {
            return;
        };
        for key in &entry.groups {
            if let Some(group) = self.groups.get_mut(*key) {
                group.accepted(entry.sent_at);
                group.on_success();
            }
        }
    }
}
