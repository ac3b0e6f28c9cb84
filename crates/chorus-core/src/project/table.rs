//! The arrows of projects and tasks, each machine in one table. The drawing in `docs/machines.md` is printed
//! from them, and every change of state is held against them.

use crate::drawing::Arrow;

/// Live states: any of them can be paused, cancelled, and fails when what it needs is gone.
const LIVE: [&str; 8] = [
    "submitted",
    "clarifying",
    "waiting_client",
    "planning",
    "waiting_approval",
    "running",
    "merging",
    "evaluating",
];

const OWN: [Arrow; 18] = [
    Arrow::new("submitted", "clarifying", "submit"),
    Arrow::new("clarifying", "waiting_client", "questions"),
    Arrow::new("clarifying", "planning", "nothing to ask, or assumed"),
    Arrow::new("waiting_client", "planning", "brief is clear"),
    Arrow::new("planning", "waiting_approval", "plan, approval wanted"),
    Arrow::new("planning", "running", "plan"),
    Arrow::new("waiting_approval", "planning", "reject"),
    Arrow::new("waiting_approval", "running", "approve"),
    Arrow::new("running", "waiting_client", "only questions left"),
    Arrow::new("waiting_client", "running", "answer"),
    Arrow::new("running", "merging", "all over, conflicts open"),
    Arrow::new("running", "evaluating", "all over, merged"),
    Arrow::new("merging", "evaluating", "resolved, merged"),
    Arrow::new("evaluating", "running", "rework"),
    Arrow::new("evaluating", "done", "accepted"),
    Arrow::new("evaluating", "partial", "no better, or no rounds left"),
    Arrow::new("running", "partial", "out of budget, or no better"),
    Arrow::new("merging", "partial", "out of budget"),
];

/// Every arrow of a project.
pub const PROJECT_ARROWS: [Arrow; OWN.len() + 4 * LIVE.len()] = {
    let mut arrows = [OWN[0]; OWN.len() + 4 * LIVE.len()];
    let mut at = 0;
    while at < OWN.len() {
        arrows[at] = OWN[at];
        at += 1;
    }
    let mut live = 0;
    while live < LIVE.len() {
        arrows[at] = Arrow::new(LIVE[live], "paused", "pause, the latest word");
        arrows[at + 1] = Arrow::new("paused", LIVE[live], "resume, the latest word");
        arrows[at + 2] = Arrow::new(LIVE[live], "cancelled", "cancel");
        arrows[at + 3] = Arrow::new(LIVE[live], "failed", "nothing to deliver");
        at += 4;
        live += 1;
    }
    arrows
};

/// Every arrow of a task.
pub const TASK_ARROWS: [Arrow; 13] = [
    Arrow::new("pending", "ready", "parents' policy holds"),
    Arrow::new("pending", "skipped", "policy can never hold"),
    Arrow::new("pending", "cancelled", "not wanted"),
    Arrow::new("ready", "succeeded", "result"),
    Arrow::new("ready", "asking", "the result is a question"),
    Arrow::new("ready", "failed", "no tries left"),
    Arrow::new("ready", "cancelled", "not wanted, or replaced"),
    Arrow::new("asking", "ready", "answered, or assumed"),
    Arrow::new("asking", "cancelled", "not wanted, or replaced"),
    Arrow::new("asking", "failed", "out of budget"),
    Arrow::new("ready", "ready", "another try"),
    Arrow::new("pending", "pending", "a parent is over"),
    Arrow::new("asking", "asking", "asked again, or of the client"),
];
