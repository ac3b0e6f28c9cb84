//! A decision in the making: the rows that change, laid over the project as it is.
//!
//! Every change of a state passes through [`DecisionBuilder::enter`] or [`DecisionBuilder::set`], which hold the tables of arrows
//! and keep the head's counters. While a project is paused its inner state goes on folding, but nothing is
//! queued.

use std::collections::BTreeMap;

use super::decide::{DecideContext, Decision, Effect, Queue};
use super::{CurrentAttempt, Head, HistoryEvent, Project, State, Task, TaskState, table};
use crate::drawing::leads;
use crate::id::{AttemptId, TaskId};
use crate::task_kind::TaskKind;

pub(super) struct DecisionBuilder<'a> {
    base: &'a Project,
    given: DecideContext<'a>,
    pub(super) head: Head,
    paused: bool,
    tasks: BTreeMap<TaskId, Task>,
    history: Vec<HistoryEvent>,
    effects: Vec<Effect>,
}

impl<'a> DecisionBuilder<'a> {
    pub(super) fn new(base: &'a Project, given: DecideContext<'a>) -> Self {
        let mut head = base.head.clone();
        let paused = match head.state {
            State::Paused { was } => {
                head.state = *was;
                true
            }
            other => {
                head.state = other;
                false
            }
        };
        Self {
            base,
            given,
            head,
            paused,
            tasks: BTreeMap::new(),
            history: Vec::new(),
            effects: Vec::new(),
        }
    }

    pub(super) fn finish(mut self) -> Decision {
        if self.paused && !self.head.is_terminal() {
            self.head.state = State::Paused {
                was: Box::new(self.head.state),
            };
        }
        Decision {
            head: self.head,
            tasks: self.tasks.into_values().collect(),
            history: self.history,
            effects: self.effects,
        }
    }

    pub(super) const fn paused(&self) -> bool {
        self.paused
    }

    pub(super) const fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(super) fn record(&mut self, event: HistoryEvent) {
        self.history.push(event);
    }

    pub(super) fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn number(&mut self) -> u128 {
        (self.given.number)()
    }

    /// The project's next state.
    pub(super) fn enter(&mut self, state: State) {
        let (from, to) = (self.head.state.as_str(), state.as_str());
        assert!(
            from == to || leads(&table::PROJECT_ARROWS, from, to),
            "no arrow leads a project from {from} to {to}"
        );
        self.head.state = state;
    }

    pub(super) fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id).or_else(|| self.base.tasks.get(&id))
    }

    /// Every task, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Task> {
        let untouched = self
            .base
            .tasks
            .values()
            .filter(|task| !self.tasks.contains_key(&task.id));
        untouched.chain(self.tasks.values())
    }

    /// The tasks that no later plan version replaced, in no order.
    pub(super) fn active(&self) -> impl Iterator<Item = &Task> {
        self.all().filter(|task| task.superseded_by.is_none())
    }

    /// Ids of the tasks that stand and for which `wanted` holds.
    pub(super) fn ids(&self, wanted: impl Fn(&Task) -> bool) -> Vec<TaskId> {
        let mut ids: Vec<_> = self
            .active()
            .filter(|task| wanted(task))
            .map(|task| task.id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Changes anything of a task but its state.
    pub(super) fn change(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) {
        let base = self.base;
        let row = self.tasks.entry(id).or_insert_with(|| {
            base.tasks
                .get(&id)
                .expect("a task is changed after it was made")
                .clone()
        });
        change(row);
    }

    pub(super) fn add(&mut self, task: Task) -> TaskId {
        let id = task.id;
        let (unfinished, ready) = weight(task.kind, &task.state);
        self.head.unfinished = shifted(self.head.unfinished, unfinished);
        self.head.ready = shifted(self.head.ready, ready);
        self.tasks.insert(id, task);
        id
    }

    /// The task's next state.
    pub(super) fn set(&mut self, id: TaskId, state: TaskState) {
        let task = self.task(id).expect("a task is moved after it was made");
        let (kind, from, to) = (task.kind, task.state.as_str(), state.as_str());
        assert!(
            leads(&table::TASK_ARROWS, from, to),
            "no arrow leads task {} from {from} to {to}",
            task.key
        );
        let (before, after) = (weight(kind, &task.state), weight(kind, &state));
        self.head.unfinished = shifted(self.head.unfinished, after.0 - before.0);
        self.head.ready = shifted(self.head.ready, after.1 - before.1);
        self.change(id, |task| task.state = state);
    }

    /// Makes the task `Ready` with a fresh attempt of this number and has the attempt queued.
    pub(super) fn queue(&mut self, id: TaskId, number: u32, feedback: Vec<String>, why: &str) {
        let attempt = AttemptId::new(self.number());
        self.set(
            id,
            TaskState::Ready(CurrentAttempt {
                attempt,
                number,
                feedback,
            }),
        );
        let task = self.task(id).expect("it was just made ready");
        let (task, queue) = (task.reference(), Queue::of(task, attempt, number));
        self.record(HistoryEvent::TaskReady {
            task,
            attempt,
            number,
            why: why.to_owned(),
        });
        if !self.paused {
            self.ask(Effect::Queue(queue));
        }
    }

    /// Cancels every attempt that may be under way; the tasks stay `Ready`.
    pub(super) fn cancel_ready(&mut self) {
        for id in self.ids(|task| task.current_attempt().is_some()) {
            let Some(attempt) = self
                .task(id)
                .and_then(Task::current_attempt)
                .map(|doing| doing.attempt)
            else {
                continue;
            };
            self.ask(Effect::Cancel(attempt));
        }
    }

    /// Ends a live task that nobody wants any more, with its attempt.
    pub(super) fn drop_task(&mut self, id: TaskId) {
        let Some(task) = self.task(id) else { return };
        if task.state.is_terminal() {
            return;
        }
        if let Some(doing) = task.current_attempt() {
            let attempt = doing.attempt;
            self.ask(Effect::Cancel(attempt));
        }
        self.set(id, TaskState::Cancelled);
    }
}

/// What a task in this state adds to the head's counters `unfinished` and `ready`.
fn weight(kind: TaskKind, state: &TaskState) -> (i64, i64) {
    let unfinished = kind == TaskKind::Work && !state.is_terminal();
    (
        i64::from(unfinished),
        i64::from(matches!(state, TaskState::Ready(_))),
    )
}

fn shifted(count: u32, by: i64) -> u32 {
    u32::try_from(i64::from(count) + by).expect("counters follow the tasks they count")
}
