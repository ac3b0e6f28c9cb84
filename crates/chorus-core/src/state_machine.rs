//! State machines as tables of typed arrows.
//!
//! A [`StateMachine`] lists every [`Arrow`] that rows of one kind may take. [`StateMachine::step`] is the
//! gate: the arrow between two states, or an [`InvalidTransition`]. `cargo xtask drawings` prints the
//! tables into `docs/machines.md`. Deliberately absent: the facts of a state, which are the variants of
//! [`State`](crate::project::State) and [`TaskState`](crate::project::TaskState).

use std::fmt;

use crate::id::TaskKey;

/// Kind of a state, without the facts of that state.
pub trait StateKind: Copy + Eq + fmt::Debug + 'static {
    /// All kinds, in the order of a row's life.
    const ALL: &'static [Self];

    /// Text of the kind in stores, in the public API and in drawings.
    fn as_str(self) -> &'static str;

    /// Returns true if the state is final.
    fn is_terminal(self) -> bool;
}

/// One arrow of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrow<S> {
    /// State that the row leaves.
    pub from: S,
    /// State that the row enters.
    pub to: S,
    /// Reasons for taking the arrow, as the drawing shows them.
    pub trigger: &'static str,
}

/// Every arrow that a row of one kind may take.
#[derive(Debug, Clone, Copy)]
pub struct StateMachine<S: 'static> {
    /// Kind of row in error messages and drawings: `project` or `task`.
    pub name: &'static str,
    /// State of a new row.
    pub initial: S,
    /// The table.
    pub arrows: &'static [Arrow<S>],
}

/// A step that no [`Arrow`] of the machine allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTransition {
    /// Name of the [`StateMachine`].
    pub machine: &'static str,
    /// Text of the state that the row has.
    pub from: &'static str,
    /// Text of the state that was asked for.
    pub to: &'static str,
    /// Key of the task; `None` for a step of the project itself.
    pub task: Option<TaskKey>,
}

impl<S> Arrow<S> {
    /// Creates an arrow in one line of a table.
    pub const fn new(from: S, to: S, trigger: &'static str) -> Self {
        Self { from, to, trigger }
    }
}

impl<S: StateKind> StateMachine<S> {
    /// Returns the arrow between two states, or the error that there is none.
    pub fn step(&self, from: S, to: S) -> Result<&'static Arrow<S>, InvalidTransition> {
        self.arrows
            .iter()
            .find(|arrow| arrow.from == from && arrow.to == to)
            .ok_or_else(|| InvalidTransition {
                machine: self.name,
                from: from.as_str(),
                to: to.as_str(),
                task: None,
            })
    }
}

impl InvalidTransition {
    /// Names the task of the refused step.
    #[must_use]
    pub fn of_task(self, task: &TaskKey) -> Self {
        Self {
            task: Some(task.clone()),
            ..self
        }
    }
}

impl fmt::Display for InvalidTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            from,
            to,
            task,
        } = self;
        match task {
            Some(task) => write!(f, "no arrow leads {machine} {task} from {from} to {to}"),
            None => write!(f, "no arrow leads the {machine} from {from} to {to}"),
        }
    }
}

impl std::error::Error for InvalidTransition {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{PROJECT_MACHINE, ProjectStateKind, TASK_MACHINE, TaskStateKind};

    /// Checks the arrows of a machine; only a client's command leaves the final states that are listed.
    fn check<S: StateKind>(machine: &StateMachine<S>, left_on_command: &[S]) {
        for kind in S::ALL {
            let leaves = machine.arrows.iter().any(|arrow| arrow.from == *kind);
            let entered = machine.arrows.iter().any(|arrow| arrow.to == *kind);
            let may_leave = !kind.is_terminal() || left_on_command.contains(kind);
            assert_eq!(leaves, may_leave, "arrows that leave {kind:?}");
            assert!(
                entered || *kind == machine.initial,
                "{kind:?} can be entered"
            );
        }
        for (at, arrow) in machine.arrows.iter().enumerate() {
            assert!(
                !(arrow.from.is_terminal() && arrow.to.is_terminal()),
                "{arrow:?} changes an end into another"
            );
            let same = |other: &Arrow<S>| other.from == arrow.from && other.to == arrow.to;
            assert!(
                !machine.arrows[..at].iter().any(same),
                "{arrow:?} is listed once"
            );
        }
    }

    #[test]
    fn arrows_leave_every_state_but_the_final_ones_and_reach_all() {
        check(
            &PROJECT_MACHINE,
            &[ProjectStateKind::Partial, ProjectStateKind::Failed],
        );
        check(&TASK_MACHINE, &[]);
    }

    #[test]
    fn a_step_outside_the_table_names_machine_states_and_task() {
        let project = PROJECT_MACHINE
            .step(ProjectStateKind::Done, ProjectStateKind::Running)
            .expect_err("done is final");
        assert_eq!(
            project.to_string(),
            "no arrow leads the project from done to running"
        );
        let task = TASK_MACHINE
            .step(TaskStateKind::Pending, TaskStateKind::Asking)
            .map_err(|invalid| invalid.of_task(&TaskKey::new("t3")))
            .expect_err("a pending task has no worker that could ask");
        assert_eq!(
            task.to_string(),
            "no arrow leads task t3 from pending to asking"
        );
    }
}
