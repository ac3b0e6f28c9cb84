//! A project as clients see it.

use chorus_core::brief::Question;
use chorus_core::id::{ProjectId, TaskId};
use chorus_core::money::MicroUsd;
use chorus_core::money::ProjectMoney;
use chorus_core::port::projects::Loaded;
use chorus_core::project::{Head, Project, State, Summary, Task, TaskState, WaitingOn};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Estimate;

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectResource {
    /// Its id.
    pub id: ProjectId,
    /// What it is called.
    pub title: String,
    /// Where it stands: `submitted`, `clarifying`, `waiting_client`, `planning`, `waiting_approval`, `running`, `paused`,
    /// `merging`, `evaluating`, `done`, `partial`, `failed` or `cancelled`.
    pub state: String,
    /// What is done in that state: `plan`, `work`, `resolve`, `judge` or `over`.
    pub phase: String,
    /// Whether nothing will happen any more.
    pub over: bool,
    /// When it was accepted.
    pub created_at_ms: Timestamp,
    /// Grows with every change.
    pub version: u64,
    /// Place of its last event.
    pub last_event: u64,
    /// Its tasks, counted.
    pub tasks: TaskCounts,
    /// Its money.
    pub money: MoneyResource,
    /// Questions that wait for the client.
    pub questions: Vec<QuestionResource>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
    /// What the plan will take, while it waits for approval.
    #[serde(default)]
    pub estimate: Option<Estimate>,
    /// What the judge thought of what was delivered, or of the best so far.
    #[serde(default)]
    pub verdict: Option<VerdictResource>,
    /// What is wrong with what was delivered, or why nothing was.
    pub defects: Vec<String>,
    /// Where to go on.
    pub links: Links,
}

/// Tasks that stand, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskCounts {
    /// All of them.
    pub total: u64,
    /// Those that are over.
    pub over: u64,
    /// Those with a result.
    pub succeeded: u64,
    /// Those without one, for good.
    pub failed: u64,
    /// Those queued or under way.
    pub under_way: u64,
    /// By phase.
    pub phases: Phases,
}

/// Tasks of each phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Phases {
    /// Clarifying and planning.
    pub plan: PhaseCount,
    /// Making parts, and answering workers' questions.
    pub work: PhaseCount,
    /// Resolving conflicts.
    pub resolve: PhaseCount,
    /// Judging.
    pub judge: PhaseCount,
}

/// Tasks of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PhaseCount {
    /// Those that are over.
    pub over: u64,
    /// All of them.
    pub total: u64,
}

/// ProjectMoney of a project, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MoneyResource {
    /// Most that may be spent.
    pub budget_usd: f64,
    /// Paid for, waste included.
    pub spent_usd: f64,
    /// Set aside for calls under way.
    pub reserved_usd: f64,
    /// The part of `spent_usd` that bought nothing.
    pub wasted_usd: f64,
}

/// A question that waits for the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionResource {
    /// The name by which it is answered.
    pub id: String,
    /// The question.
    pub text: String,
    /// What depends on it.
    pub why: String,
    /// Likely answers.
    pub options: Vec<String>,
    /// What is assumed when nobody answers.
    pub default: String,
    /// The task whose worker asked; none for a question about the brief.
    #[serde(default)]
    pub task: Option<TaskId>,
}

/// What the judge thought of a deliverable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictResource {
    /// Share of the requirements that are met, from 0 to 1.
    pub score: f64,
    /// What is wrong with it.
    pub defects: Vec<String>,
    /// Rounds of rework so far.
    pub rounds: u32,
}

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The project.
    #[serde(rename = "self")]
    pub own: String,
    /// Its events.
    pub events: String,
    /// Its plan.
    pub plan: String,
    /// Its deliverable.
    pub deliverable: String,
    /// Its report.
    pub report: String,
}

/// A page of projects, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectList {
    /// The projects.
    pub projects: Vec<SummaryResource>,
    /// What to give as `cursor` for the next page; none when this is the last.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// What a list shows of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryResource {
    /// Its id.
    pub id: ProjectId,
    /// What it is called.
    pub title: String,
    /// Where it stands.
    pub state: String,
    /// Whether nothing will happen any more.
    pub over: bool,
    /// When it was accepted.
    pub created_at_ms: Timestamp,
    /// What it has cost so far.
    pub spent_usd: f64,
}

impl ProjectResource {
    /// A project as it is in the store.
    pub(crate) fn new(loaded: &Loaded, money: ProjectMoney, estimate: Option<Estimate>) -> Self {
        let head = &loaded.project.head;
        let base = format!("/v1/projects/{}", head.id);
        Self {
            id: head.id,
            title: head.title.clone(),
            state: head.state.as_str().to_owned(),
            phase: phase(&head.state).to_owned(),
            over: head.is_terminal(),
            created_at_ms: head.created_at,
            version: loaded.version.0,
            last_event: loaded.seq.0,
            tasks: TaskCounts::of(&loaded.project),
            money: money.into(),
            questions: questions(head),
            assumptions: head.assumptions.clone(),
            estimate,
            verdict: verdict(head),
            defects: defects(&head.state),
            links: Links {
                events: format!("{base}/events"),
                plan: format!("{base}/plan"),
                deliverable: format!("{base}/deliverable"),
                report: format!("{base}/report"),
                own: base,
            },
        }
    }
}

/// What is done in a state.
fn phase(state: &State) -> &'static str {
    match state {
        State::Submitted
        | State::Clarifying { .. }
        | State::Planning { .. }
        | State::WaitingApproval => "plan",
        State::WaitingClient {
            waits: WaitingOn::Planning,
        } => "plan",
        State::WaitingClient {
            waits: WaitingOn::Tasks,
        }
        | State::Running => "work",
        State::Merging { .. } => "resolve",
        State::Evaluating { .. } => "judge",
        State::Paused { was } => phase(was),
        State::Done { .. } | State::Partial { .. } | State::Failed { .. } | State::Cancelled => {
            "over"
        }
    }
}

fn questions(head: &Head) -> Vec<QuestionResource> {
    let shown = head.open.iter().map(|open| {
        let Question {
            id,
            text,
            why,
            options,
            default,
        } = open.question.clone();
        QuestionResource {
            id,
            text,
            why,
            options,
            default,
            task: open.task,
        }
    });
    shown.collect()
}

/// A project is done when the judge accepted all; the head keeps the best of what was not accepted.
fn verdict(head: &Head) -> Option<VerdictResource> {
    if matches!(head.state, State::Done { .. }) {
        return Some(VerdictResource {
            score: 1.0,
            defects: Vec::new(),
            rounds: head.round,
        });
    }
    let best = head.best.as_ref()?;
    Some(VerdictResource {
        score: f64::from(best.score) / 1000.0,
        defects: best.defects.clone(),
        rounds: head.round,
    })
}

fn defects(state: &State) -> Vec<String> {
    match state {
        State::Partial { defects, .. } => defects.clone(),
        State::Failed { why } => vec![why.clone()],
        _ => Vec::new(),
    }
}

impl TaskCounts {
    fn of(project: &Project) -> Self {
        let mut counts = Self::default();
        for task in project
            .active()
            .filter(|task| !matches!(task.state, TaskState::Cancelled))
        {
            counts.add(task);
        }
        counts
    }

    fn add(&mut self, task: &Task) {
        let over = u64::from(task.state.is_terminal());
        self.total += 1;
        self.over += over;
        self.succeeded += u64::from(matches!(task.state, TaskState::Succeeded { .. }));
        self.failed += u64::from(matches!(task.state, TaskState::Failed { .. }));
        self.under_way += u64::from(task.current_attempt().is_some());
        let phase = match task.kind {
            TaskKind::Clarify | TaskKind::Plan => &mut self.phases.plan,
            TaskKind::Work | TaskKind::Answer => &mut self.phases.work,
            TaskKind::Resolve => &mut self.phases.resolve,
            TaskKind::Judge => &mut self.phases.judge,
        };
        phase.total += 1;
        phase.over += over;
    }
}

impl From<ProjectMoney> for MoneyResource {
    fn from(money: ProjectMoney) -> Self {
        Self {
            budget_usd: dollars(money.budget),
            spent_usd: dollars(money.spent),
            reserved_usd: dollars(money.reserved),
            wasted_usd: dollars(money.wasted),
        }
    }
}

/// An amount in dollars.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 millionths are nine billion dollars"
)]
pub(crate) fn dollars(amount: MicroUsd) -> f64 {
    amount.0 as f64 / 1_000_000.0
}

impl From<Summary> for SummaryResource {
    fn from(summary: Summary) -> Self {
        let Summary {
            id,
            title,
            state,
            is_terminal,
            created_at,
            spent,
        } = summary;
        Self {
            id,
            title,
            state,
            over: is_terminal,
            created_at_ms: created_at,
            spent_usd: dollars(spent),
        }
    }
}
