//! Collects the decisions of one batch of records and builds their [`Commit`].
//!
//! The [`Decider`](crate::decider::Decider) adds decisions; [`fold`](crate::fold) commits the result.

use std::collections::BTreeSet;

use chorus_core::attempt::NewAttempt;
use chorus_core::id::{AttemptId, Epoch, EventId, Seq, TaskId, Version};
use chorus_core::merge::Resolution;
use chorus_core::money::MicroUsd;
use chorus_core::port::bus::Record;
use chorus_core::port::projects::{Commit, StoredEvent};
use chorus_core::project::{Decision, Effect, HistoryEvent, Project, Queue};
use chorus_core::record::{self, EventNotice};

use crate::context::Context;

/// Rows, attempts, events and records of a commit under construction.
#[derive(Debug, Default)]
pub(crate) struct CommitBuilder {
    folded: BTreeSet<EventId>,
    changed: BTreeSet<TaskId>,
    history: Vec<HistoryEvent>,
    pub(crate) queue: Vec<Queue>,
    cancel: Vec<AttemptId>,
    dead_letters: Vec<Record>,
    budget: Option<MicroUsd>,
}

/// A merge requested by a decision.
pub(crate) struct MergeRequest {
    pub(crate) resolutions: Vec<Resolution>,
    pub(crate) ask_model: bool,
}

impl CommitBuilder {
    /// Marks a record as folded by this commit; returns false if it was marked before.
    pub(crate) fn fold(&mut self, event: EventId) -> bool {
        self.folded.insert(event)
    }

    /// Adds a dead letter, which is published with this commit.
    pub(crate) fn add_dead_letter(&mut self, dead_letter: Record) {
        self.dead_letters.push(dead_letter);
    }

    /// Adds a decision; returns the merge that it requests. An attempt that is queued and cancelled within the
    /// same batch is never committed.
    pub(crate) fn add(&mut self, decision: Decision) -> Option<MergeRequest> {
        let mut request = None;
        self.changed
            .extend(decision.tasks.iter().map(|task| task.id));
        self.history.extend(decision.history);
        for effect in decision.effects {
            match effect {
                Effect::Queue(queue) => self.queue.push(queue),
                Effect::Cancel(attempt) => {
                    let before = self.queue.len();
                    self.queue.retain(|queue| queue.attempt != attempt);
                    if self.queue.len() == before {
                        self.cancel.push(attempt);
                    }
                }
                Effect::Merge {
                    resolutions,
                    ask_model,
                } => {
                    request = Some(MergeRequest {
                        resolutions,
                        ask_model,
                    });
                }
                Effect::RaiseBudget(budget) => self.budget = self.budget.max(Some(budget)),
            }
        }
        request
    }

    /// Builds the commit on the project as decided, at the version and after the event that it was decided on.
    pub(crate) fn commit(
        self,
        context: &Context,
        project: &Project,
        (expected, seq): (Version, Seq),
        attempts: Vec<NewAttempt>,
    ) -> Commit {
        let head = &project.head;
        let now = context.clock.now();
        let numbers = (seq.0 + 1..).map(Seq);
        let stored = |(seq, event)| StoredEvent {
            project: head.id,
            seq,
            at: now,
            event,
        };
        let events: Vec<_> = numbers.zip(self.history).map(stored).collect();
        let mut outbox = self.dead_letters;
        outbox.extend(
            attempts
                .first()
                .map(|first| record::task_ready(context.event_id(), first, Epoch::default())),
        );
        outbox.extend(record::cancelled(
            || context.event_id(),
            &head.tenant,
            head.id,
            &self.cancel,
        ));
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            let notice = EventNotice {
                project: head.id,
                first: first.seq,
                last: last.seq,
            };
            outbox.push(record::event(context.event_id(), &head.tenant, &notice));
        }
        Commit {
            project: head.id,
            expected,
            head: head.clone(),
            tasks: self
                .changed
                .iter()
                .filter_map(|id| project.tasks.get(id))
                .cloned()
                .collect(),
            attempts,
            cancel: self.cancel,
            events,
            outbox,
            budget: self.budget,
            folded: self.folded.into_iter().collect(),
        }
    }
}
