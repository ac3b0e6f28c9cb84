//! How far each phase of a project has come, counted from its events.

use std::collections::BTreeSet;

use chorus_core::id::TaskId;
use chorus_core::money::ProjectMoney;
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::{HistoryEvent, Project, TaskState};
use chorus_core::task_kind::TaskKind;

/// The phases, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Plan,
    Work,
    Resolve,
    Judge,
}

impl Phase {
    pub(crate) const ALL: [Self; 4] = [Self::Plan, Self::Work, Self::Resolve, Self::Judge];

    /// The phase of a task.
    pub(crate) const fn of(kind: TaskKind) -> Self {
        match kind {
            TaskKind::Clarify | TaskKind::Plan => Self::Plan,
            TaskKind::Work | TaskKind::Answer => Self::Work,
            TaskKind::Resolve => Self::Resolve,
            TaskKind::Judge => Self::Judge,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Work => "work",
            Self::Resolve => "resolve",
            Self::Judge => "judge",
        }
    }
}

/// Where a project stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// State in one word.
    pub(crate) state: String,
    pub(crate) money: ProjectMoney,
    /// Tasks of each phase that are over, and all of them.
    pub(crate) phases: [(u64, u64); 4],
    /// Tasks that have an attempt queued or under way.
    pub(crate) under_way: u64,
    ready: BTreeSet<TaskId>,
}

impl Tally {
    /// Counts one event.
    pub(crate) fn add(&mut self, event: &StoredEvent) {
        match &event.event {
            HistoryEvent::TaskReady { task, .. } => {
                self.ready.insert(task.id);
            }
            HistoryEvent::TaskSucceeded { task, .. }
            | HistoryEvent::TaskFailed { task, .. }
            | HistoryEvent::TaskAsked { task, .. } => {
                self.ready.remove(&task.id);
            }
            _ => {}
        }
    }

    /// Takes the counts from the project as it is.
    pub(crate) fn stand(&mut self, project: &Project, money: ProjectMoney) {
        project.head.state.as_str().clone_into(&mut self.state);
        self.money = money;
        self.phases = [(0, 0); 4];
        for task in project.tasks.values().filter(|task| {
            task.superseded_by.is_none() && !matches!(task.state, TaskState::Cancelled)
        }) {
            let (over, all) = &mut self.phases[Phase::of(task.kind) as usize];
            *all += 1;
            *over += u64::from(task.state.is_terminal());
        }
        self.ready.retain(|id| {
            project
                .tasks
                .get(id)
                .is_some_and(|task| task.current_attempt().is_some())
        });
        self.under_way = self.ready.len() as u64;
    }
}
