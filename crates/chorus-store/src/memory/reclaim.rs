//! Reclaims: overdue dispatches without a claim, and running attempts without heartbeats.

use chorus_core::attempt::{AttemptState, AttemptTrigger, DeliveryEnd, Reclaim, Reclaimed};
use chorus_core::id::AttemptId;
use chorus_core::time::Timestamp;

use super::State;
use crate::rows::money::Movement;

impl State {
    pub(super) fn reclaim(&mut self, reclaim: Reclaim, now: Timestamp) -> Vec<Reclaimed> {
        let unclaimed = self.overdue(AttemptState::Dispatched, now - reclaim.unclaimed_for);
        let silent = self.overdue(AttemptState::Running, reclaim.silent_since(now));
        let mut overdue: Vec<_> = unclaimed
            .into_iter()
            .map(|attempt| (attempt, AttemptTrigger::Unclaimed))
            .chain(
                silent
                    .into_iter()
                    .map(|attempt| (attempt, AttemptTrigger::WorkerLost)),
            )
            .collect();
        overdue.truncate(reclaim.limit as usize);
        overdue
            .into_iter()
            .filter_map(|(attempt, trigger)| self.take_back(attempt, trigger, now))
            .collect()
    }

    /// Attempts in this state that were due at `by`, longest overdue first.
    fn overdue(&self, state: AttemptState, by: Timestamp) -> Vec<AttemptId> {
        let rows = self.rows.attempts.values().filter(|row| row.state == state);
        let mut due: Vec<_> = rows
            .filter_map(|row| {
                let unclaimed = || {
                    self.rows
                        .deliveries
                        .get(&(row.attempt.id, row.epoch))
                        .map(|stored| stored.delivery.assignment.lease.not_after)
                };
                let since = row.heartbeat_at.or_else(unclaimed)?;
                (since <= by).then_some((since, row.attempt.id))
            })
            .collect();
        due.sort();
        due.into_iter().map(|(_, attempt)| attempt).collect()
    }

    fn take_back(
        &mut self,
        attempt: AttemptId,
        trigger: AttemptTrigger,
        now: Timestamp,
    ) -> Option<Reclaimed> {
        let row = self.rows.attempts.get_mut(&attempt)?;
        let stored = self.rows.deliveries.get_mut(&(attempt, row.epoch))?;
        let next = row.step(trigger, row.epoch, now)?;
        let lost_worker = trigger == AttemptTrigger::WorkerLost;
        let reclaimed = Reclaimed {
            attempt,
            epoch: row.epoch,
            lease: stored.delivery.assignment.lease.id,
            lost_worker,
            not_after: stored.delivery.assignment.lease.not_after,
            provider: stored.delivery.assignment.provider.clone(),
            model: stored.delivery.assignment.model.clone(),
        };
        let movement = Movement::taken_back(stored.delivery.assignment.estimate, lost_worker);
        *row = next;
        stored.take_back(
            if lost_worker {
                DeliveryEnd::WorkerLost
            } else {
                DeliveryEnd::Unclaimed
            },
            now,
        );
        self.rows
            .projects
            .get_mut(&stored.project)
            .into_iter()
            .for_each(|project| project.pay(movement));
        Some(reclaimed)
    }
}
