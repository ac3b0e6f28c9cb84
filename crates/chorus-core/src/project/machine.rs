//! The machines of projects and tasks, each as one table of [`Arrow`]s.
//!
//! Every change of a state is held against them by the decision builder, the tests of this module demand
//! that each arrow is taken, and `docs/machines.md` is printed from them.

use super::{ProjectStateKind, TaskStateKind};
use crate::state_machine::{Arrow, StateMachine};

use ProjectStateKind::{
    Cancelled, Clarifying, Done, Evaluating, Failed, Merging, Partial, Paused, Planning, Running,
    Submitted, WaitingApproval, WaitingClient,
};

/// Live states: each of them can be paused, can be cancelled, and can fail.
const LIVE: [ProjectStateKind; 8] = [
    Submitted,
    Clarifying,
    WaitingClient,
    Planning,
    WaitingApproval,
    Running,
    Merging,
    Evaluating,
];

/// Arrows of the work itself. A paused project keeps the live state that it returns to, and that state
/// moves by these arrows too, for attempts that ended before the pause still count.
const WORK: [Arrow<ProjectStateKind>; 26] = [
    Arrow::new(Submitted, Clarifying, "submit"),
    Arrow::new(Clarifying, Clarifying, "asked again"),
    Arrow::new(Clarifying, WaitingClient, "questions"),
    Arrow::new(Clarifying, Planning, "nothing to ask, or assumed"),
    Arrow::new(WaitingClient, Planning, "brief is clear"),
    Arrow::new(Planning, Planning, "asked again"),
    Arrow::new(Planning, WaitingApproval, "plan, approval wanted"),
    Arrow::new(Planning, Running, "plan"),
    Arrow::new(WaitingApproval, Planning, "reject"),
    Arrow::new(WaitingApproval, Running, "approve"),
    Arrow::new(Running, WaitingClient, "only questions left"),
    Arrow::new(WaitingClient, Running, "answer"),
    Arrow::new(Running, Merging, "all tasks ended, conflicts open"),
    Arrow::new(Running, Evaluating, "all tasks ended, merged"),
    Arrow::new(Merging, Merging, "asked again"),
    Arrow::new(Merging, Evaluating, "resolved, merged"),
    Arrow::new(Evaluating, Evaluating, "a part is judged"),
    Arrow::new(Evaluating, Running, "rework"),
    Arrow::new(Evaluating, Done, "accepted"),
    Arrow::new(Evaluating, Partial, "no better, or no rounds left"),
    Arrow::new(Running, Partial, "out of budget, or no better"),
    Arrow::new(Merging, Partial, "out of budget"),
    Arrow::new(Paused, Done, "accepted, judged before the pause"),
    Arrow::new(Paused, Partial, "delivered, ended before the pause"),
    Arrow::new(Paused, Cancelled, "cancel"),
    Arrow::new(Paused, Failed, "nothing to deliver, or rows unusable"),
];

/// All arrows of a project.
pub const PROJECT_ARROWS: [Arrow<ProjectStateKind>; WORK.len() + 4 * LIVE.len()] = {
    let mut arrows = [WORK[0]; WORK.len() + 4 * LIVE.len()];
    let mut at = 0;
    while at < WORK.len() {
        arrows[at] = WORK[at];
        at += 1;
    }
    let mut live = 0;
    while live < LIVE.len() {
        arrows[at] = Arrow::new(LIVE[live], Paused, "pause");
        arrows[at + 1] = Arrow::new(Paused, LIVE[live], "resume");
        arrows[at + 2] = Arrow::new(LIVE[live], Cancelled, "cancel");
        arrows[at + 3] = Arrow::new(LIVE[live], Failed, "nothing to deliver, or rows unusable");
        at += 4;
        live += 1;
    }
    arrows
};

/// All arrows of a task.
pub const TASK_ARROWS: [Arrow<TaskStateKind>; 12] = {
    use TaskStateKind::{Asking, Cancelled, Failed, Pending, Ready, Skipped, Succeeded};
    [
        Arrow::new(Pending, Pending, "a parent ended"),
        Arrow::new(Pending, Ready, "parents' policy holds"),
        Arrow::new(Pending, Skipped, "policy can never hold"),
        Arrow::new(Pending, Cancelled, "not wanted"),
        Arrow::new(Ready, Ready, "another try, or resumed"),
        Arrow::new(Ready, Succeeded, "result"),
        Arrow::new(Ready, Asking, "the result is a question"),
        Arrow::new(Ready, Failed, "no tries left"),
        Arrow::new(Ready, Cancelled, "not wanted, or replaced"),
        Arrow::new(Asking, Asking, "asked again, or of the client"),
        Arrow::new(Asking, Ready, "answered, or assumed"),
        Arrow::new(Asking, Cancelled, "not wanted, or replaced"),
    ]
};

/// Machine of [`State`](super::State).
pub const PROJECT_MACHINE: StateMachine<ProjectStateKind> = StateMachine {
    name: "project",
    initial: Submitted,
    arrows: &PROJECT_ARROWS,
};

/// Machine of [`TaskState`](super::TaskState).
pub const TASK_MACHINE: StateMachine<TaskStateKind> = StateMachine {
    name: "task",
    initial: TaskStateKind::Pending,
    arrows: &TASK_ARROWS,
};
