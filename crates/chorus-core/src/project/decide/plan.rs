//! Planning: the planner's plan, or the one by rule; the client's word on it; its tasks.

use std::collections::BTreeMap;

use super::super::decision_builder::DecisionBuilder;
use super::super::path::longest_paths;
use super::super::{HistoryEvent, PlanRef, Planned, State, Subject, Task, TaskState};
use super::{Refusal, begin, client, stop, work};
use crate::id::{TaskId, TaskKey};
use crate::plan::Plan;
use crate::task_kind::TaskKind;
use crate::time::Millis;

pub(super) fn begin(builder: &mut DecisionBuilder<'_>) {
    if builder.head.out_of_budget {
        return stop::fail_for_money(builder);
    }
    let key = match builder.head.plan_version() {
        0 => TaskKey::new("plan"),
        made => TaskKey::new(format!("plan.{}", made + 1)),
    };
    let task = begin::steer(
        builder,
        TaskKind::Plan,
        key,
        "Split the brief into tasks",
        Subject::Itself,
    );
    builder.enter(State::Planning { task });
}

pub(super) fn planned(builder: &mut DecisionBuilder<'_>, planned: Planned, fallback: bool) {
    if builder.head.out_of_budget {
        return stop::fail_for_money(builder);
    }
    let Planned {
        plan,
        hash,
        warnings,
        estimate,
    } = planned;
    let version = builder.head.plan_version() + 1;
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
    builder.record(HistoryEvent::Planned {
        version,
        plan: hash,
        title: builder.head.title.clone(),
        tasks: u32::try_from(plan.tasks.len()).unwrap_or(u32::MAX),
        fallback,
        warnings,
        estimate,
    });
    if builder.head.options.approve {
        builder.record(HistoryEvent::ApprovalAsked);
        builder.enter(State::WaitingApproval);
    } else {
        start(builder, &plan);
    }
}

pub(super) fn approve(builder: &mut DecisionBuilder<'_>, plan: &Plan) -> Result<(), Refusal> {
    if builder.head.state != State::WaitingApproval {
        return Err(client::not_now(builder, "approve"));
    }
    builder.record(HistoryEvent::Approved);
    start(builder, plan);
    Ok(())
}

pub(super) fn reject(builder: &mut DecisionBuilder<'_>, reason: String) -> Result<(), Refusal> {
    if builder.head.state != State::WaitingApproval {
        return Err(client::not_now(builder, "reject"));
    }
    builder.head.rejections.push(reason.clone());
    builder.record(HistoryEvent::Rejected { reason });
    begin(builder);
    Ok(())
}

/// Makes the plan's tasks and begins those that wait for nothing.
fn start(builder: &mut DecisionBuilder<'_>, plan: &Plan) {
    builder.enter(State::Running);
    let ids: BTreeMap<&TaskKey, TaskId> = plan
        .tasks
        .iter()
        .map(|task| (&task.key, TaskId::new(builder.number())))
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
            parents: task.parents.iter().map(|parent| ids[parent]).collect(),
            children: children.remove(&task.key).unwrap_or_default(),
            policy: task.policy,
            output_tokens: task.output_tokens,
            path,
            about: Subject::Itself,
            answers: Vec::new(),
            rework: None,
            superseded_by: None,
            state: TaskState::Pending {
                succeeded: 0,
                over: 0,
            },
        });
    }
    for task in &plan.tasks {
        work::look(builder, ids[&task.key]);
    }
}
