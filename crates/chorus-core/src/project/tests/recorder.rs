//! Records the arrows that decisions on this thread take.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::id::TaskId;
use crate::project::{Decision, Project, ProjectStateKind, State, TaskStateKind};

/// One arrow taken.
#[derive(Debug, Clone, Copy)]
pub(in crate::project) enum Step {
    Project(ProjectStateKind, ProjectStateKind),
    Task(TaskId, TaskStateKind, TaskStateKind),
}

thread_local! {
    static TAKEN: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
}

pub(in crate::project) fn record(step: Step) {
    TAKEN.with_borrow_mut(|taken| taken.push(step));
}

/// Returns the arrows taken since the last call.
pub(super) fn drain() -> Vec<Step> {
    TAKEN.take()
}

/// Arrows taken in one or more runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) project: BTreeSet<(ProjectStateKind, ProjectStateKind)>,
    pub(super) task: BTreeSet<(TaskStateKind, TaskStateKind)>,
}

impl Taken {
    pub(super) fn extend(&mut self, other: Self) {
        self.project.extend(other.project);
        self.task.extend(other.task);
    }

    /// Adds the arrows of a decision, and asserts that they lead from the rows before it to those after it.
    pub(super) fn add(&mut self, before: &Project, decision: &Decision, steps: &[Step]) {
        let mut project = ProjectKinds::of(&before.head.state);
        let mut tasks: BTreeMap<TaskId, TaskStateKind> = BTreeMap::new();
        let kind_before = |id: TaskId| {
            let task = before.tasks.get(&id);
            task.map_or(TaskStateKind::Pending, |task| task.state.kind())
        };
        for step in steps {
            match *step {
                Step::Project(from, to) => {
                    project.take(from, to);
                    self.project.insert((from, to));
                }
                Step::Task(id, from, to) => {
                    let last = tasks.insert(id, to);
                    assert_eq!(last.unwrap_or_else(|| kind_before(id)), from, "task {id}");
                    self.task.insert((from, to));
                }
            }
        }
        assert_eq!(project, ProjectKinds::of(&decision.head.state), "{steps:?}");
        for task in &decision.tasks {
            let last = tasks.get(&task.id).copied();
            let last = last.unwrap_or_else(|| kind_before(task.id));
            assert_eq!(last, task.state.kind(), "task {}: {steps:?}", task.key);
        }
    }
}

/// Kinds of a project's state: of the work, with the attention and the pause around it.
#[derive(Debug, PartialEq, Eq)]
struct ProjectKinds {
    is_paused: bool,
    needs_attention: bool,
    work: ProjectStateKind,
}

impl ProjectKinds {
    fn of(state: &State) -> Self {
        Self {
            is_paused: matches!(state, State::Paused { .. }),
            needs_attention: state.attention().is_some(),
            work: state.work().kind(),
        }
    }

    /// Kind of the state below the pause.
    fn below_pause(&self) -> ProjectStateKind {
        if self.needs_attention {
            ProjectStateKind::NeedsAttention
        } else {
            self.work
        }
    }

    fn take(&mut self, from: ProjectStateKind, to: ProjectStateKind) {
        use ProjectStateKind::{NeedsAttention, Paused};
        match (from, to) {
            (from, Paused) => {
                assert_eq!((self.is_paused, self.below_pause()), (false, from));
                self.is_paused = true;
            }
            (from, NeedsAttention) if from != Paused => {
                assert_eq!((self.needs_attention, self.work), (false, from));
                self.needs_attention = true;
            }
            (Paused | NeedsAttention, to) if to.is_terminal() => {
                assert_eq!(self.work, to, "the work has ended");
                (self.is_paused, self.needs_attention) = (false, false);
            }
            (Paused, to) => {
                assert_eq!((self.is_paused, self.below_pause()), (true, to));
                self.is_paused = false;
            }
            (NeedsAttention, to) => {
                assert_eq!((self.needs_attention, self.work), (true, to));
                self.needs_attention = false;
            }
            (from, to) => {
                assert_eq!(self.work, from);
                self.work = to;
            }
        }
    }
}
