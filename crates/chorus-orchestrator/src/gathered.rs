//! What a batch of records decided, gathered for one commit.

use std::collections::BTreeSet;

use chorus_core::attempt::NewAttempt;
use chorus_core::id::{AttemptId, Epoch, EventId, Seq, TaskId, Version};
use chorus_core::merge::Resolution;
use chorus_core::port::bus::Record;
use chorus_core::port::projects::{Commit, StoredEvent};
use chorus_core::project::{Decision, Effect, HistoryEvent, Project, Queue};
use chorus_core::record::{self, EventNotice};

use crate::context::Context;

/// Rows, attempts and news of one commit to be.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    folded: BTreeSet<EventId>,
    changed: BTreeSet<TaskId>,
    history: Vec<HistoryEvent>,
    pub(crate) queue: Vec<Queue>,
    cancel: Vec<AttemptId>,
    letters: Vec<Record>,
}

/// A merge that a decision asks for.
pub(crate) struct MergeWanted {
    pub(crate) resolutions: Vec<Resolution>,
    pub(crate) ask_model: bool,
}

impl Gathered {
    /// Notes a record as folded by this commit; false when it was noted before.
    pub(crate) fn fold(&mut self, event: EventId) -> bool {
        self.folded.insert(event)
    }

    /// A record that cannot be read goes to the operator with this commit.
    pub(crate) fn set_aside(&mut self, letter: Record) {
        self.letters.push(letter);
    }

    /// Adds a decision; returns the merge that it asks for. An attempt that is cancelled before it was
    /// committed never was.
    pub(crate) fn add(&mut self, decision: Decision) -> Option<MergeWanted> {
        let mut wanted = None;
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
                    wanted = Some(MergeWanted {
                        resolutions,
                        ask_model,
                    })
                }
            }
        }
        wanted
    }

    /// The commit of everything, on the project as it was decided.
    pub(crate) fn commit(
        self,
        context: &Context,
        project: &Project,
        (expected, seq): (Version, Seq),
        attempts: Vec<NewAttempt>,
    ) -> Commit {
        let head = &project.head;
        let now = context.clock.now();
        let places = (seq.0 + 1..).map(Seq);
        let stored = |(seq, event)| StoredEvent {
            project: head.id,
            seq,
            at: now,
            event,
        };
        let events: Vec<_> = places.zip(self.history).map(stored).collect();
        let mut outbox = self.letters;
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
            folded: self.folded.into_iter().collect(),
        }
    }
}
