//! A project in full ([`ProjectResource`]) and as a row of a list ([`SummaryResource`]).

use std::collections::BTreeSet;

use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::Question;
use chorus_core::id::{ProjectId, TaskId};
use chorus_core::money::MicroUsd;
use chorus_core::money::ProjectMoney;
use chorus_core::port::projects::Loaded;
use chorus_core::project::{Head, Project, State, Summary, Task, TaskState, WaitingOn};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountNames, AttentionResource, Estimate, WaitResource};

/// Body of `GET /v1/projects/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectResource {
    /// Id, `prj_…`.
    pub id: ProjectId,
    /// Title of the client, of the brief, or of the plan once there is one.
    pub title: String,
    /// `submitted`, `clarifying`, `waiting_client`, `planning`, `waiting_approval`, `running`,
    /// `paused`, `needs_attention`, `merging`, `evaluating`, `done`, `partial`, `failed` or `cancelled`.
    pub state: String,
    /// Kind of work in that state: `plan`, `work`, `resolve`, `judge`, or `ended`.
    pub phase: String,
    /// True in the states `done`, `partial`, `failed` and `cancelled`. Only a reopening leaves `partial` or `failed`.
    #[serde(rename = "terminal")]
    pub is_terminal: bool,
    /// Time of acceptance.
    pub created_at_ms: Timestamp,
    /// Number that grows with every change.
    pub version: u64,
    /// Id of the newest event.
    pub last_event: u64,
    /// Counts of the active tasks.
    pub tasks: TaskCounts,
    /// Budget and spending.
    pub money: MoneyResource,
    /// What the project waits for that a person can put right, in state `needs_attention` and in a pause of it.
    #[serde(default)]
    pub attention: Option<AttentionResource>,
    /// Hash of the newest plan, which an approval names.
    #[serde(default)]
    pub plan: Option<ArtifactHash>,
    /// Reasons why tasks wait for a call, the most frequent first.
    #[serde(default)]
    pub waits: Vec<WaitResource>,
    /// Questions that wait for the client, until [`Answers`](crate::Answers) name them.
    pub questions: Vec<QuestionResource>,
    /// Assumptions made in place of questions.
    pub assumptions: Vec<String>,
    /// Estimate of the plan, in state `waiting_approval` only.
    #[serde(default)]
    pub estimate: Option<Estimate>,
    /// Verdict on the deliverable, or on the best so far.
    #[serde(default)]
    pub verdict: Option<VerdictResource>,
    /// Defects of a partial deliverable, or the reason of a failure.
    pub defects: Vec<String>,
    /// Addresses of the other resources.
    pub links: Links,
}

/// Counts of active tasks ([`PlanTask`](crate::PlanTask)); replaced and cancelled ones are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Number of all tasks.
    pub total: u64,
    /// Number of tasks in a final state.
    pub ended: u64,
    /// Number of tasks with a result.
    pub succeeded: u64,
    /// Number of tasks that failed for good.
    pub failed: u64,
    /// Number of tasks that wait until a person or the end of a condition puts it right.
    #[serde(default)]
    pub held: u64,
    /// Number of tasks with an open call.
    pub under_way: u64,
    /// Number of tasks that wait for a call.
    #[serde(default)]
    pub queued: u64,
    /// The same tasks by phase.
    pub phases: Phases,
}

/// Counts for each phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Phases {
    /// Clarifying and planning.
    pub plan: PhaseCount,
    /// Writing parts, and answering questions of workers.
    pub work: PhaseCount,
    /// Resolving conflicts between parts.
    pub resolve: PhaseCount,
    /// Judging the deliverable.
    pub judge: PhaseCount,
}

/// Counts of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PhaseCount {
    /// Number of tasks in a final state.
    pub ended: u64,
    /// Number of all tasks.
    pub total: u64,
}

/// [`ProjectMoney`] in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MoneyResource {
    /// Maximum that may be spent.
    pub budget_usd: f64,
    /// Cost so far, waste included.
    pub spent_usd: f64,
    /// Sum reserved for calls under way.
    pub reserved_usd: f64,
    /// Part of [`spent_usd`](Self::spent_usd) for calls without a usable reply.
    pub wasted_usd: f64,
}

/// An open question to the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionResource {
    /// Key of its answer in [`Answers`](crate::Answers).
    pub id: String,
    /// Question in full.
    pub text: String,
    /// Reason for asking; empty if none was given.
    pub why: String,
    /// Suggested answers; others are taken too.
    pub options: Vec<String>,
    /// Answer taken by `assume_rest`.
    pub default: String,
    /// Task that waits for the answer; `null` for a question about the brief.
    #[serde(default)]
    pub task: Option<TaskId>,
}

/// Result of judging a deliverable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictResource {
    /// Share of the requirements that are met, from 0 to 1.
    pub score: f64,
    /// Defects that the judge found.
    pub defects: Vec<String>,
    /// Number of rework rounds so far.
    pub rounds: u32,
}

/// Addresses below the gateway's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// This project.
    #[serde(rename = "self")]
    pub own: String,
    /// Event stream.
    pub events: String,
    /// Plan with its tasks.
    pub plan: String,
    /// Deliverable as JSON or zip.
    pub deliverable: String,
    /// Report as JSON or HTML.
    pub report: String,
}

/// Body of `GET /v1/projects`: one page, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectList {
    /// At most `limit` projects.
    pub projects: Vec<SummaryResource>,
    /// Value of `cursor` for the next page; `null` on the last page.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// A project as a row of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryResource {
    /// Id, `prj_…`.
    pub id: ProjectId,
    /// Title as in [`ProjectResource::title`].
    pub title: String,
    /// State as in [`ProjectResource::state`].
    pub state: String,
    /// True in a final state.
    #[serde(rename = "terminal")]
    pub is_terminal: bool,
    /// Time of acceptance.
    pub created_at_ms: Timestamp,
    /// Cost so far, in US dollars.
    pub spent_usd: f64,
}

/// Facts about a project that are not in its own row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProjectFacts {
    /// Budget and spending.
    pub money: ProjectMoney,
    /// Estimate of a plan that waits for approval.
    pub estimate: Option<Estimate>,
    /// Tasks with an open call.
    pub open: BTreeSet<TaskId>,
    /// Reasons why tasks wait for a call.
    pub waits: Vec<WaitResource>,
    /// Names of accounts; none for a reader who may not see them.
    pub names: Option<AccountNames>,
}

impl ProjectResource {
    /// The resource of a stored project.
    pub fn new(loaded: &Loaded, facts: ProjectFacts) -> Self {
        let ProjectFacts {
            money,
            estimate,
            open,
            waits,
            names,
        } = facts;
        let head = &loaded.project.head;
        Self {
            id: head.id,
            title: head.title.clone(),
            state: head.state.as_str().to_owned(),
            phase: phase(&head.state).to_owned(),
            is_terminal: head.is_terminal(),
            created_at_ms: head.created_at,
            version: loaded.version.0,
            last_event: loaded.seq.0,
            tasks: TaskCounts::of(&loaded.project, &open),
            money: money.into(),
            attention: AttentionResource::of(head, names.as_ref()),
            plan: head.plan.map(|plan| plan.hash),
            waits,
            questions: questions(head),
            assumptions: head.assumptions.clone(),
            estimate,
            verdict: verdict(head),
            defects: defects(&head.state),
            links: Links::of(head),
        }
    }
}

impl Links {
    fn of(head: &Head) -> Self {
        let base = format!("/v1/projects/{}", head.id);
        Self {
            events: format!("{base}/events"),
            plan: format!("{base}/plan"),
            deliverable: format!("{base}/deliverable"),
            report: format!("{base}/report"),
            own: base,
        }
    }
}

/// Kind of work that a state does.
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
        State::Paused { was } | State::NeedsAttention { was, .. } => phase(was),
        State::Done { .. } | State::Partial { .. } | State::Failed { .. } | State::Cancelled => {
            "ended"
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

/// Full score in state `done`, else the best deliverable that the judge did not accept.
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
    fn of(project: &Project, open: &BTreeSet<TaskId>) -> Self {
        let mut counts = Self::default();
        for task in project
            .active()
            .filter(|task| !matches!(task.state, TaskState::Cancelled))
        {
            counts.add(task, open.contains(&task.id));
        }
        counts
    }

    fn add(&mut self, task: &Task, is_open: bool) {
        let ended = u64::from(task.state.is_terminal());
        self.total += 1;
        self.ended += ended;
        self.succeeded += u64::from(matches!(task.state, TaskState::Succeeded { .. }));
        self.failed += u64::from(matches!(task.state, TaskState::Failed { .. }));
        self.held += u64::from(matches!(task.state, TaskState::Held { .. }));
        let has_attempt = task.current_attempt().is_some();
        self.under_way += u64::from(has_attempt && is_open);
        self.queued += u64::from(has_attempt && !is_open);
        let phase = match task.kind {
            TaskKind::Clarify | TaskKind::Plan => &mut self.phases.plan,
            TaskKind::Work | TaskKind::Answer => &mut self.phases.work,
            TaskKind::Resolve => &mut self.phases.resolve,
            TaskKind::Judge => &mut self.phases.judge,
        };
        phase.total += 1;
        phase.ended += ended;
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

/// Converts an amount to US dollars.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 millionths are nine billion dollars"
)]
pub fn dollars(amount: MicroUsd) -> f64 {
    amount.0 as f64 / 1_000_000.0
}

/// Amount of a field that is in dollars, rounded to the nearest millionth.
#[expect(
    clippy::cast_possible_truncation,
    reason = "amounts of money are far below 2^53 millionths"
)]
pub fn micro_usd(dollars: f64) -> MicroUsd {
    MicroUsd((dollars * 1_000_000.0).round() as i64)
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
            is_terminal,
            created_at_ms: created_at,
            spent_usd: dollars(spent),
        }
    }
}
