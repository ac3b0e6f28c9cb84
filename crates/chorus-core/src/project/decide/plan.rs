//! Planning: the planner's plan, or the one by rule; the client's approval; the plan's tasks.

use std::collections::BTreeMap;

use super::super::decision::{Inconsistency, Interrupt};
use super::super::decision_builder::DecisionBuilder;
use super::super::path::longest_paths;
use super::super::{HistoryEvent, PlanRef, Planned, State, Subject, Task, TaskState};
use super::{ending, steering, work};
use crate::id::{TaskId, TaskKey};
use crate::plan::{Plan, PlannedTask};
use crate::task_kind::TaskKind;
use crate::time::Millis;

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
    fallback: bool,
) -> Result<(), Inconsistency> {
    if builder.head.out_of_budget {
        return ending::fail_for_money(builder);
    }
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
    if !plan.title.is_empty() {
        builder.head.title.clone_from(&plan.title);
    }
    builder.push_event(HistoryEvent::Planned {
        version,
        plan: hash,
        title: builder.head.title.clone(),
        tasks: u32::try_from(plan.tasks.len()).unwrap_or(u32::MAX),
        fallback,
        warnings,
        estimate,
    });
    if builder.head.options.approve {
        builder.push_event(HistoryEvent::ApprovalAsked);
        builder.enter(State::WaitingApproval)?;
        Ok(())
    } else {
        start(builder, &plan)
    }
}

pub(super) fn approve(builder: &mut DecisionBuilder<'_>, plan: &Plan) -> Result<(), Interrupt> {
    if *builder.state() != State::WaitingApproval {
        return Err(builder.not_now("approve").into());
    }
    builder.push_event(HistoryEvent::Approved);
    start(builder, plan)?;
    Ok(())
}

pub(super) fn reject(builder: &mut DecisionBuilder<'_>, reason: String) -> Result<(), Interrupt> {
    if *builder.state() != State::WaitingApproval {
        return Err(builder.not_now("reject").into());
    }
    builder.head.rejections.push(reason.clone());
    builder.push_event(HistoryEvent::Rejected { reason });
    begin(builder)?;
    Ok(())
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
