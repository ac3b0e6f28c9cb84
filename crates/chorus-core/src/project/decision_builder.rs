//! A decision under construction: the rows that change, laid over the project as it is.
//!
//! Every change of a state passes through [`DecisionBuilder::enter`], [`pause`](DecisionBuilder::pause),
//! [`resume`](DecisionBuilder::resume), [`set_attention`](DecisionBuilder::set_attention) or
//! [`set`](DecisionBuilder::set), which hold the tables of arrows and keep the head's counters. While a
//! project is paused or halted its inner state goes on folding, but nothing is queued. Deliberately absent: rules of what follows from a command, which are the topics of `decide`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::decision::{DecideContext, Decision, Effect, Inconsistency, Queue, Refusal};
use super::machine::{PROJECT_MACHINE, TASK_MACHINE};
#[cfg(test)]
use super::tests::recorder::{self, Step};
use super::{
    Attention, CurrentAttempt, Head, HistoryEvent, Project, ProjectStateKind, State, Task,
    TaskState, TaskStateKind,
};
use crate::id::{AttemptId, EventId, TaskId};
use crate::state_machine::InvalidTransition;
use crate::task_kind::TaskKind;
use crate::time::{Millis, Timestamp};

/// An attempt to be made at a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Try {
    /// Number of the try, from 1.
    pub(super) number: u32,
    /// Number of the tries before it that do not count.
    pub(super) uncounted: u32,
    /// Faults of the tries before, for the prompt.
    pub(super) feedback: Vec<String>,
    /// Time to wait before the first delivery.
    pub(super) delay: Millis,
}

impl Try {
    /// The first try of a task.
    pub(super) const FIRST: Self = Self {
        number: 1,
        uncounted: 0,
        feedback: Vec::new(),
        delay: Millis::ZERO,
    };

    /// The same try in a fresh attempt.
    pub(super) fn again(current: CurrentAttempt) -> Self {
        Self {
            number: current.number,
            uncounted: current.uncounted,
            feedback: current.feedback,
            delay: Millis::ZERO,
        }
    }

    /// The first of a fresh series of tries after this number of them.
    pub(super) const fn after(number: u32) -> Self {
        Self {
            number: number.saturating_add(1),
            uncounted: number,
            feedback: Vec::new(),
            delay: Millis::ZERO,
        }
    }
}

pub(super) struct DecisionBuilder<'a> {
    base: &'a Project,
    context: DecideContext<'a>,
    pub(super) head: Head,
    tasks: BTreeMap<TaskId, Task>,
    history: Vec<HistoryEvent>,
    effects: Vec<Effect>,
}

impl<'a> DecisionBuilder<'a> {
    pub(super) fn new(base: &'a Project, context: DecideContext<'a>) -> Self {
        Self {
            base,
            context,
            head: base.head.clone(),
            tasks: BTreeMap::new(),
            history: Vec::new(),
            effects: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Decision {
        Decision {
            head: self.head,
            tasks: self.tasks.into_values().collect(),
            history: self.history,
            effects: self.effects,
            inconsistency: None,
        }
    }

    /// Id of the record that brought the command.
    pub(super) const fn event(&self) -> EventId {
        self.context.event
    }

    /// Time of the decision.
    pub(super) const fn now(&self) -> Timestamp {
        self.context.now
    }

    pub(super) fn push_event(&mut self, event: HistoryEvent) {
        self.history.push(event);
    }

    pub(super) fn push_effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn draw_number(&mut self) -> u128 {
        (self.context.number)()
    }

    /// The refusal of a command that has no meaning in the present state.
    pub(super) const fn not_now(&self, command: &'static str) -> Refusal {
        Refusal::NotNow {
            command,
            state: self.head.state.as_str(),
        }
    }
}

/// The state of the project.
impl DecisionBuilder<'_> {
    pub(super) const fn is_paused(&self) -> bool {
        matches!(self.head.state, State::Paused { .. })
    }

    /// Returns true if nothing may be queued: the project is paused or halted.
    pub(super) const fn is_stopped(&self) -> bool {
        self.is_paused() || self.head.halt.is_some()
    }

    /// The present state of the work, inside of a pause and of an attention.
    pub(super) fn state(&self) -> &State {
        self.head.state.work()
    }

    /// Moves the project to its next state. A project that is paused or needs attention moves the state
    /// that it returns to, and stays so unless the next state is final.
    pub(super) fn enter(&mut self, next: State) -> Result<(), InvalidTransition> {
        take_project_arrow(self.state().kind(), next.kind())?;
        if next.is_terminal() {
            let (outer, inner) = (self.head.state.kind(), self.state().kind());
            if outer != inner {
                take_project_arrow(outer, next.kind())?;
            }
            self.head.state = next;
        } else {
            *work_mut(&mut self.head.state) = next;
        }
        Ok(())
    }

    /// Makes the project need attention for this reason, or none any more. The reason holds since the
    /// decision in which it came to be; one of the same code is only brought up to date.
    pub(super) fn set_attention(
        &mut self,
        why: Option<Attention>,
    ) -> Result<(), InvalidTransition> {
        let now = self.now();
        let place = match &mut self.head.state {
            State::Paused { was } => &mut **was,
            state => state,
        };
        match (place, why) {
            (State::NeedsAttention { why: old, .. }, Some(why)) if old.code() == why.code() => {
                *old = why;
            }
            (
                State::NeedsAttention {
                    since, why: old, ..
                },
                Some(why),
            ) => {
                (*since, *old) = (now, why.clone());
                self.push_event(HistoryEvent::NeedsAttention { why, since: now });
            }
            (place @ State::NeedsAttention { .. }, None) => {
                let inner = place.work().clone();
                // A row may name an inner state that could never need attention.
                PROJECT_MACHINE.step(inner.kind(), ProjectStateKind::NeedsAttention)?;
                take_project_arrow(ProjectStateKind::NeedsAttention, inner.kind())?;
                *place = inner;
                self.push_event(HistoryEvent::AttentionEnded);
            }
            (place, Some(why)) => {
                take_project_arrow(place.kind(), ProjectStateKind::NeedsAttention)?;
                *place = State::NeedsAttention {
                    since: now,
                    why: why.clone(),
                    was: Box::new(place.clone()),
                };
                self.push_event(HistoryEvent::NeedsAttention { why, since: now });
            }
            (_, None) => {}
        }
        Ok(())
    }

    pub(super) fn pause(&mut self) -> Result<(), InvalidTransition> {
        take_project_arrow(self.head.state.kind(), ProjectStateKind::Paused)?;
        let was = Box::new(self.head.state.clone());
        self.head.state = State::Paused { was };
        Ok(())
    }

    /// Returns a paused project to its inner state; does nothing to any other project.
    pub(super) fn resume(&mut self) -> Result<(), InvalidTransition> {
        let State::Paused { was } = &self.head.state else {
            return Ok(());
        };
        let was = State::clone(was);
        // A row may name an inner state that could never be paused.
        PROJECT_MACHINE.step(was.kind(), ProjectStateKind::Paused)?;
        take_project_arrow(ProjectStateKind::Paused, was.kind())?;
        self.head.state = was;
        Ok(())
    }
}

/// Tasks.
impl DecisionBuilder<'_> {
    pub(super) fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id).or_else(|| self.base.tasks.get(&id))
    }

    /// The task, or the error that other rows name a task without a row.
    pub(super) fn known_task(&self, id: TaskId) -> Result<&Task, Inconsistency> {
        self.task(id).ok_or(Inconsistency::MissingTask(id))
    }

    /// All tasks, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Task> {
        let untouched = self
            .base
            .tasks
            .values()
            .filter(|task| !self.tasks.contains_key(&task.id));
        untouched.chain(self.tasks.values())
    }

    /// Tasks that no later plan version replaced, in no order.
    pub(super) fn active(&self) -> impl Iterator<Item = &Task> {
        self.all().filter(|task| task.superseded_by.is_none())
    }

    /// Ids of the active tasks that pass the filter, in order.
    pub(super) fn ids(&self, filter: impl Fn(&Task) -> bool) -> Vec<TaskId> {
        let mut ids: Vec<_> = self
            .active()
            .filter(|task| filter(task))
            .map(|task| task.id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Changes anything of a task but its state.
    pub(super) fn change(
        &mut self,
        id: TaskId,
        change: impl FnOnce(&mut Task),
    ) -> Result<(), Inconsistency> {
        let row = match self.tasks.entry(id) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(place) => {
                let base = self.base.tasks.get(&id);
                place.insert(base.ok_or(Inconsistency::MissingTask(id))?.clone())
            }
        };
        change(row);
        Ok(())
    }

    pub(super) fn add(&mut self, task: Task) -> Result<(), Inconsistency> {
        self.count(Weight::ZERO, Weight::of(task.kind, task.state.kind()))?;
        self.tasks.insert(task.id, task);
        Ok(())
    }

    /// Moves a task to its next state.
    pub(super) fn set(&mut self, id: TaskId, next: TaskState) -> Result<(), Inconsistency> {
        let task = self.known_task(id)?;
        let (kind, from, to) = (task.kind, task.state.kind(), next.kind());
        take_task_arrow(task, to)?;
        self.count(Weight::of(kind, from), Weight::of(kind, to))?;
        self.change(id, |task| task.state = next)
    }

    /// Makes the task ready with a fresh attempt and queues the attempt.
    pub(super) fn queue(&mut self, id: TaskId, next: Try, why: &str) -> Result<(), Inconsistency> {
        let attempt = AttemptId::new(self.draw_number());
        let Try {
            number,
            uncounted,
            feedback,
            delay,
        } = next;
        let ready = CurrentAttempt {
            attempt,
            number,
            uncounted,
            feedback,
        };
        self.set(id, TaskState::Ready(ready))?;
        let task = self.known_task(id)?;
        let (task, queue) = (task.reference(), Queue::of(task, attempt, number, delay));
        self.push_event(HistoryEvent::TaskReady {
            task,
            attempt,
            number,
            why: why.to_owned(),
        });
        if !self.is_stopped() {
            self.push_effect(Effect::Queue(queue));
        }
        Ok(())
    }

    /// Cancels every attempt that may be under way; the tasks stay ready.
    pub(super) fn cancel_attempts(&mut self) {
        for id in self.ids(|task| task.current_attempt().is_some()) {
            let current = self.task(id).and_then(Task::current_attempt);
            if let Some(attempt) = current.map(|current| current.attempt) {
                self.push_effect(Effect::Cancel(attempt));
            }
        }
    }

    /// Cancels a live task with its attempt; does nothing to a task in a final state.
    pub(super) fn drop_task(&mut self, id: TaskId) -> Result<(), Inconsistency> {
        let Some(task) = self.task(id).filter(|task| !task.state.is_terminal()) else {
            return Ok(());
        };
        if let Some(current) = task.current_attempt() {
            let attempt = current.attempt;
            self.push_effect(Effect::Cancel(attempt));
        }
        self.set(id, TaskState::Cancelled)
    }

    /// Keeps the head's counters when a task changes its weight.
    fn count(&mut self, before: Weight, after: Weight) -> Result<(), Inconsistency> {
        let Head {
            unfinished,
            ready,
            held,
            ..
        } = &mut self.head;
        shift(
            unfinished,
            "unfinished",
            after.unfinished - before.unfinished,
        )?;
        shift(ready, "ready", after.ready - before.ready)?;
        shift(held, "held", after.held - before.held)
    }
}

/// Share of one task in the head's counters.
#[derive(Debug, Clone, Copy)]
struct Weight {
    unfinished: i64,
    ready: i64,
    held: i64,
}

impl Weight {
    const ZERO: Self = Self {
        unfinished: 0,
        ready: 0,
        held: 0,
    };

    fn of(kind: TaskKind, state: TaskStateKind) -> Self {
        Self {
            unfinished: i64::from(kind == TaskKind::Work && !state.is_terminal()),
            ready: i64::from(state == TaskStateKind::Ready),
            held: i64::from(state == TaskStateKind::Held),
        }
    }
}

/// The state of the work, inside of a pause and of an attention.
fn work_mut(state: &mut State) -> &mut State {
    match state {
        State::Paused { was } | State::NeedsAttention { was, .. } => work_mut(was),
        state => state,
    }
}

fn shift(value: &mut u32, counter: &'static str, change: i64) -> Result<(), Inconsistency> {
    *value =
        u32::try_from(i64::from(*value) + change).map_err(|_negative| Inconsistency::Counter {
            counter,
            value: *value,
            change,
        })?;
    Ok(())
}

fn take_project_arrow(
    from: ProjectStateKind,
    to: ProjectStateKind,
) -> Result<(), InvalidTransition> {
    PROJECT_MACHINE.step(from, to)?;
    #[cfg(test)]
    recorder::record(Step::Project(from, to));
    Ok(())
}

fn take_task_arrow(task: &Task, to: TaskStateKind) -> Result<(), InvalidTransition> {
    let from = task.state.kind();
    TASK_MACHINE
        .step(from, to)
        .map_err(|invalid| invalid.of_task(&task.key))?;
    #[cfg(test)]
    recorder::record(Step::Task(task.id, from, to));
    Ok(())
}
