//! The machines of projects and tasks, each as one table of [`Arrow`]s.
//!
//! Every change of a state is held against them by the decision builder, the tests of this module demand
//! that each arrow is taken, and `docs/machines.md` is printed from them.

use super::{ProjectStateKind, TaskStateKind};
use crate::state_machine::{Arrow, StateMachine};

use ProjectStateKind::{
    Cancelled, Clarifying, Done, Evaluating, Failed, Merging, NeedsAttention, Partial, Paused,
    Planning, Running, Submitted, WaitingApproval, WaitingClient,
};

/// Live states of the work: each of them can need attention, be paused, be cancelled, and fail.
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

/// Arrows of the work itself. A project that is paused or needs attention keeps the live state that it
/// returns to, and that state moves by these arrows too.
const WORK: [Arrow<ProjectStateKind>; 37] = [
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
    Arrow::new(NeedsAttention, Done, "accepted"),
    Arrow::new(NeedsAttention, Partial, "delivered as it is"),
    Arrow::new(NeedsAttention, Cancelled, "cancel"),
    Arrow::new(
        NeedsAttention,
        Failed,
        "nothing to deliver, or rows unusable",
    ),
    Arrow::new(NeedsAttention, Paused, "pause"),
    Arrow::new(Paused, NeedsAttention, "resume"),
    Arrow::new(Partial, Running, "reopen"),
    Arrow::new(Failed, Running, "reopen"),
    Arrow::new(Failed, Planning, "reopen without a plan"),
    Arrow::new(Failed, Clarifying, "reopen before the brief is clear"),
    Arrow::new(Failed, Submitted, "reopen before anything was read"),
];

/// All arrows of a project.
pub const PROJECT_ARROWS: [Arrow<ProjectStateKind>; WORK.len() + 6 * LIVE.len()] = {
    let mut arrows = [WORK[0]; WORK.len() + 6 * LIVE.len()];
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
        arrows[at + 4] = Arrow::new(LIVE[live], NeedsAttention, "a person can put it right");
        arrows[at + 5] = Arrow::new(NeedsAttention, LIVE[live], "put right");
        at += 6;
        live += 1;
    }
    arrows
};

/// All arrows of a task.
pub const TASK_ARROWS: [Arrow<TaskStateKind>; 21] = {
    use TaskStateKind::{Asking, Cancelled, Failed, Held, Pending, Ready, Skipped, Succeeded};
    [
        Arrow::new(Pending, Pending, "a parent ended"),
        Arrow::new(Pending, Ready, "parents' policy holds"),
        Arrow::new(Pending, Skipped, "policy can never hold"),
        Arrow::new(Pending, Cancelled, "not wanted"),
        Arrow::new(Pending, Succeeded, "what it reads is unchanged"),
        Arrow::new(Ready, Ready, "another try, or resumed"),
        Arrow::new(Ready, Succeeded, "result"),
        Arrow::new(Ready, Asking, "the result is a question"),
        Arrow::new(Ready, Failed, "no tries left"),
        Arrow::new(Ready, Cancelled, "not wanted, or replaced"),
        Arrow::new(Asking, Asking, "asked again, or of the client"),
        Arrow::new(Asking, Ready, "answered, or assumed"),
        Arrow::new(Asking, Cancelled, "not wanted, or replaced"),
        Arrow::new(Pending, Held, "no answer could be read"),
        Arrow::new(Ready, Held, "a person can put it right"),
        Arrow::new(Held, Ready, "retry"),
        Arrow::new(Held, Failed, "go on without it"),
        Arrow::new(Held, Skipped, "skip"),
        Arrow::new(Held, Cancelled, "not wanted, or replaced"),
        Arrow::new(Ready, Skipped, "skip"),
        Arrow::new(Asking, Skipped, "skip"),
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
