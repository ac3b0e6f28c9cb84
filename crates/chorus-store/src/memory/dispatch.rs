//! Dispatches: the step with delivery, money and record, or the refusal with its record.

use chorus_core::attempt::{Assignment, AttemptTrigger, Dispatch, DispatchDecision, Dispatched};
use chorus_core::time::Timestamp;

use super::State;
use crate::rows::StoredDelivery;
use crate::rows::money::{Movement, covers};

impl State {
    pub(super) fn dispatch(&mut self, dispatch: Dispatch, now: Timestamp) -> Dispatched {
        let Some(row) = self.rows.attempts.get_mut(&dispatch.attempt) else {
            return Dispatched::Conflict;
        };
        let trigger = match &dispatch.decision {
            DispatchDecision::Send(_) => AttemptTrigger::Admitted,
            DispatchDecision::Refuse(_) => AttemptTrigger::Refused,
        };
        let Some(next) = row.step(trigger, dispatch.epoch, now) else {
            return if self.was_done(&dispatch) {
                Dispatched::Done
            } else {
                Dispatched::Conflict
            };
        };
        match dispatch.decision {
            DispatchDecision::Refuse(_) => *row = next,
            DispatchDecision::Send(assignment) => {
                let Some(project) = self.rows.projects.get_mut(&row.attempt.project) else {
                    return Dispatched::Conflict;
                };
                if !covers(&project.money, assignment.estimate) {
                    return Dispatched::OverBudget;
                }
                project.pay(Movement::dispatched(assignment.estimate));
                *row = next;
                let stored = StoredDelivery::new(row, *assignment, dispatch.term, now);
                self.rows
                    .deliveries
                    .insert((dispatch.attempt, dispatch.epoch), stored);
            }
        }
        self.put_record(dispatch.record, now);
        Dispatched::Done
    }

    /// Returns true if an earlier call carried out the same statement: its lease, or the refusal's record, is stored.
    fn was_done(&self, dispatch: &Dispatch) -> bool {
        match &dispatch.decision {
            DispatchDecision::Send(assignment) => {
                let Assignment { lease, .. } = &**assignment;
                let stored = self
                    .rows
                    .deliveries
                    .get(&(dispatch.attempt, dispatch.epoch));
                stored.is_some_and(|stored| stored.delivery.assignment.lease.id == lease.id)
            }
            DispatchDecision::Refuse(_) => self.rows.outbox.contains_key(&dispatch.record.id),
        }
    }
}
