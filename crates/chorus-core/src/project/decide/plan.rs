//! Planning: the planner's plan, or the one by rule that the client accepts; approval; the plan's tasks.

use std::collections::BTreeMap;

use super::super::decision::{Inconsistency, Interrupt, Refusal};
use super::super::decision_builder::DecisionBuilder;
use super::super::path::longest_paths;
use super::super::{HistoryEvent, PlanRef, Planned, State, Subject, Task, TaskState};
use super::{ending, steering, work};
use crate::artifact::ArtifactHash;
use crate::id::{TaskId, TaskKey};
use crate::plan::{Plan, PlannedTask};
use crate::task_kind::TaskKind;
use crate::time::Millis;

/// Maker of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The planner.
    Planner,
    /// The planner, with faults that were passed over.
    Repaired,
    /// A rule, because no reply of the planner could be used.
    Rule,
}

pub(super) fn begin(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    if builder.head.out_of_budget {
        return ending::fail_for_money(builder);
    }
    let key = match builder.head.plan_version() {
        0 => TaskKey::new("plan"),
        made => TaskKey::new(format!("plan.{}", u64::from(made) + 1)),
    };
    let task = steering::begin(
        builder,
        TaskKind::Plan,
        key,
        "Split the brief into tasks",
        Subject::Itself,
    )?;
    builder.enter(State::Planning { task })?;
    Ok(())
}

pub(super) fn planned(
    builder: &mut DecisionBuilder<'_>,
    planned: Planned,
) -> Result<(), Inconsistency> {
    if builder.head.out_of_budget {
        return ending::fail_for_money(builder);
    }
    let plan = adopt(builder, planned, Origin::Planner);
    if builder.head.options.approve {
        builder.push_event(HistoryEvent::ApprovalAsked);
        builder.enter(State::WaitingApproval)?;
        Ok(())
    } else {
        start(builder, &plan)
    }
}

/// Makes this the plan of the project.
fn adopt(builder: &mut DecisionBuilder<'_>, planned: Planned, origin: Origin) -> Box<Plan> {
    let Planned {
        plan,
        hash,
        warnings,
        estimate,
    } = planned;
    let version = builder.head.plan_version().saturating_add(1);
    let path = longest_paths(&plan)
        .into_iter()
        .max()
        .unwrap_or(Millis::ZERO);
    builder.head.plan = Some(PlanRef {
        hash,
        version,
        path,
    });
    builder.head.offer = None;
    if !plan.title.is_empty() && !builder.head.has_title_of_client {
        builder.head.title.clone_from(&plan.title);
    }
    builder.push_event(HistoryEvent::Planned {
        version,
        plan: hash,
        title: builder.head.title.clone(),
        tasks: u32::try_from(plan.tasks.len()).unwrap_or(u32::MAX),
        fallback: origin == Origin::Rule,
        repaired: origin == Origin::Repaired,
        warnings,
        estimate,
    });
    plan
}

/// The plan that waits for the client: the planner's, or the one by rule beside the held plan task.
enum Waiting {
    Plan,
    Offer(TaskId, ArtifactHash),
}

/// Finds the plan that waits, and refuses a command that names another one.
fn waiting(
    builder: &DecisionBuilder<'_>,
    command: &'static str,
    named: Option<ArtifactHash>,
) -> Result<Waiting, Refusal> {
    let (waiting, hash) = match (builder.state(), builder.head.plan, &builder.head.offer) {
        (State::WaitingApproval, Some(plan), _) => (Waiting::Plan, plan.hash),
        (State::Planning { task }, _, Some(offer)) => {
            (Waiting::Offer(*task, offer.plan), offer.plan)
        }
        _ => return Err(builder.not_now(command)),
    };
    if named.is_some_and(|named| named != hash) {
        return Err(Refusal::OtherPlan);
    }
    Ok(waiting)
}

/// Starts the plan that the client names; `plan` is absent when the shell does not know such a plan.
pub(super) fn approve(
    builder: &mut DecisionBuilder<'_>,
    named: ArtifactHash,
    plan: Option<Box<Plan>>,
) -> Result<(), Interrupt> {
    let waiting = waiting(builder, "approve", Some(named))?;
    let plan = plan.ok_or(Refusal::OtherPlan)?;
    builder.push_event(HistoryEvent::Approved);
    if let Waiting::Offer(task, hash) = waiting {
        let Some(offer) = builder.head.offer.take() else {
            return Err(Refusal::OtherPlan.into());
        };
        steering::end_held(builder, task)?;
        let planned = Planned {
            plan,
            hash,
            warnings: offer.warnings,
            estimate: offer.estimate,
        };
        let origin = if offer.repaired {
            Origin::Repaired
        } else {
            Origin::Rule
        };
        let plan = adopt(builder, planned, origin);
        start(builder, &plan)?;
    } else {
        start(builder, &plan)?;
    }
    Ok(())
}

pub(super) fn reject(
    builder: &mut DecisionBuilder<'_>,
    reason: String,
    named: Option<ArtifactHash>,
) -> Result<(), Interrupt> {
    let waiting = waiting(builder, "reject", named)?;
    builder.head.rejections.push(reason.clone());
    builder.push_event(HistoryEvent::Rejected { reason });
    if let Waiting::Offer(task, _) = waiting {
        builder.head.offer = None;
        steering::end_held(builder, task)?;
    }
    begin(builder)?;
    Ok(())
}

/// Ends a project without a plan, for which the client raises no money.
pub(super) fn give_up(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    ending::fail_for_money(builder)
}

/// Adds the plan's tasks and begins those that wait for nothing.
fn start(builder: &mut DecisionBuilder<'_>, plan: &Plan) -> Result<(), Inconsistency> {
    builder.enter(State::Running)?;
    let ids: BTreeMap<&TaskKey, TaskId> = plan
        .tasks
        .iter()
        .map(|task| (&task.key, TaskId::new(builder.draw_number())))
        .collect();
    let mut children: BTreeMap<&TaskKey, Vec<TaskId>> = BTreeMap::new();
    for task in &plan.tasks {
        for parent in &task.parents {
            children.entry(parent).or_default().push(ids[&task.key]);
        }
    }
    for (task, path) in plan.tasks.iter().zip(longest_paths(plan)) {
        builder.add(Task {
            id: ids[&task.key],
            key: task.key.clone(),
            kind: TaskKind::Work,
            plan_version: builder.head.plan_version(),
            title: task.title.clone(),
            parents: parents(task, &ids)?,
            children: children.remove(&task.key).unwrap_or_default(),
            policy: task.policy,
            output_tokens: task.output_tokens,
            path,
            about: Subject::Itself,
            answers: Vec::new(),
            rework: None,
            superseded_by: None,
            state: TaskState::NEW,
        })?;
    }
    for task in &plan.tasks {
        work::begin_or_skip(builder, ids[&task.key])?;
    }
    Ok(())
}

fn parents(
    task: &PlannedTask,
    ids: &BTreeMap<&TaskKey, TaskId>,
) -> Result<Vec<TaskId>, Inconsistency> {
    let id = |parent: &TaskKey| {
        ids.get(parent)
            .copied()
            .ok_or_else(|| Inconsistency::UnknownParent {
                task: task.key.clone(),
                parent: parent.clone(),
            })
    };
    task.parents.iter().map(id).collect()
}
