//! A decision under construction: the rows that change, laid over the project as it is.
//!
//! Every change of a state passes through [`DecisionBuilder::enter`], [`pause`](DecisionBuilder::pause),
//! [`resume`](DecisionBuilder::resume) or [`set`](DecisionBuilder::set), which hold the tables of arrows and
//! keep the head's counters. While a project is paused its inner state goes on folding, but nothing is
//! queued. Deliberately absent: rules of what follows from a command, which are the topics of `decide`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::decision::{DecideContext, Decision, Effect, Inconsistency, Queue, Refusal};
use super::machine::{PROJECT_MACHINE, TASK_MACHINE};
#[cfg(test)]
use super::tests::recorder::{self, Step};
use super::{
    CurrentAttempt, Head, HistoryEvent, Project, ProjectStateKind, State, Task, TaskState,
    TaskStateKind,
};
use crate::id::{AttemptId, EventId, TaskId};
use crate::state_machine::InvalidTransition;
use crate::task_kind::TaskKind;

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

    /// The present state; of a paused project the state that it returns to.
    pub(super) fn state(&self) -> &State {
        match &self.head.state {
            State::Paused { was } => was,
            state => state,
        }
    }

    /// Moves the project to its next state. A paused project moves the state that it returns to, and
    /// stays paused unless the next state is final.
    pub(super) fn enter(&mut self, next: State) -> Result<(), InvalidTransition> {
        take_project_arrow(self.state().kind(), next.kind())?;
        match &mut self.head.state {
            State::Paused { was } if !next.is_terminal() => **was = next,
            State::Paused { .. } => {
                take_project_arrow(ProjectStateKind::Paused, next.kind())?;
                self.head.state = next;
            }
            state => *state = next,
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

    /// Makes the task ready with a fresh attempt of this number and queues the attempt.
    pub(super) fn queue(
        &mut self,
        id: TaskId,
        number: u32,
        feedback: Vec<String>,
        why: &str,
    ) -> Result<(), Inconsistency> {
        let attempt = AttemptId::new(self.draw_number());
        let ready = CurrentAttempt {
            attempt,
            number,
            feedback,
        };
        self.set(id, TaskState::Ready(ready))?;
        let task = self.known_task(id)?;
        let (task, queue) = (task.reference(), Queue::of(task, attempt, number));
        self.push_event(HistoryEvent::TaskReady {
            task,
            attempt,
            number,
            why: why.to_owned(),
        });
        if !self.is_paused() {
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
            unfinished, ready, ..
        } = &mut self.head;
        shift(
            unfinished,
            "unfinished",
            after.unfinished - before.unfinished,
        )?;
        shift(ready, "ready", after.ready - before.ready)
    }
}

/// Share of one task in the head's counters.
#[derive(Debug, Clone, Copy)]
struct Weight {
    unfinished: i64,
    ready: i64,
}

impl Weight {
    const ZERO: Self = Self {
        unfinished: 0,
        ready: 0,
    };

    fn of(kind: TaskKind, state: TaskStateKind) -> Self {
        Self {
            unfinished: i64::from(kind == TaskKind::Work && !state.is_terminal()),
            ready: i64::from(state == TaskStateKind::Ready),
        }
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
