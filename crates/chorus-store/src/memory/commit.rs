//! Commits of decisions: everything is checked before the first row changes.

use chorus_core::attempt::{AttemptTrigger, DeliveryEnd};
use chorus_core::id::{AttemptId, Version};
use chorus_core::port::StoreError;
use chorus_core::port::projects::{Commit, Committed};
use chorus_core::time::Timestamp;

use super::State;
use crate::rows::commit::{fingerprint, last_event};
use crate::rows::money::Movement;
use crate::rows::{AttemptRow, ProjectRow};

impl State {
    pub(super) fn commit(
        &mut self,
        commit: Commit,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        let decided = fingerprint(&commit)?;
        let done = Version(commit.expected.0 + 1);
        let Some(row) = self.rows.projects.get(&commit.project) else {
            return Err(StoreError::broken(format!(
                "there is no project {} to decide on",
                commit.project
            )));
        };
        if row.version == done && row.decided == Some(decided) {
            return Ok(Committed::Done(done));
        }
        if row.version != commit.expected
            || commit.folded.iter().any(|id| self.rows.folded.contains(id))
        {
            return Ok(Committed::Conflict);
        }
        let seq = last_event(&commit, row.seq)?;
        if let Some(known) = commit
            .attempts
            .iter()
            .find(|attempt| self.rows.attempts.contains_key(&attempt.id))
        {
            return Err(StoreError::broken(format!(
                "attempt {} is there already",
                known.id
            )));
        }

        commit
            .cancel
            .iter()
            .for_each(|attempt| self.cancel(*attempt, now));
        if let Some(row) = self.rows.projects.get_mut(&commit.project) {
            row.version = done;
            row.seq = seq;
            row.decided = Some(decided);
            if let Some(budget) = commit.budget {
                row.money.budget = row.money.budget.max(budget);
            }
            row.project.head = commit.head;
            row.project
                .tasks
                .extend(commit.tasks.into_iter().map(|task| (task.id, task)));
        }
        let attempts = commit
            .attempts
            .into_iter()
            .map(|attempt| (attempt.id, AttemptRow::new(attempt, now)));
        self.rows.attempts.extend(attempts);
        self.rows.events.extend(
            commit
                .events
                .into_iter()
                .map(|event| ((event.project, event.seq), event)),
        );
        commit
            .outbox
            .into_iter()
            .for_each(|record| self.put_record(record, now));
        for id in commit.folded {
            self.rows.folded.insert(id);
            if let Some(row) = self.rows.outbox.get_mut(&id) {
                row.folded_at = Some(now);
            }
        }
        Ok(Committed::Done(done))
    }

    /// Cancels an attempt that is not terminal, with its delivery and money.
    fn cancel(&mut self, attempt: AttemptId, now: Timestamp) {
        let Some(row) = self.rows.attempts.get_mut(&attempt) else {
            return;
        };
        let Some(next) = row.step(AttemptTrigger::NotWanted, row.epoch, now) else {
            return;
        };
        *row = next;
        let (epoch, project) = (row.epoch, row.attempt.project);
        if let Some(stored) = self.rows.deliveries.get_mut(&(attempt, epoch)) {
            let movement = Movement::taken_back(
                stored.delivery.assignment.estimate,
                stored.delivery.claimed_at.is_some(),
            );
            stored.take_back(DeliveryEnd::Cancelled, now);
            self.rows
                .projects
                .get_mut(&project)
                .into_iter()
                .for_each(|row| row.pay(movement));
        }
    }
}

impl ProjectRow {
    /// Adds a movement to the project's money.
    pub(super) fn pay(&mut self, movement: Movement) {
        self.money = movement.applied_to(self.money);
    }
}
