//! Planning: the planner's plan, or the one by rule; the client's word on it; its tasks.

use std::collections::BTreeMap;

use super::super::draft::Draft;
use super::super::path::longest_paths;
use super::super::{About, HistoryEvent, PlanRef, Planned, State, Task, TaskState};
use super::{Refusal, begin, client, stop, work};
use crate::delivery::TaskKind;
use crate::id::{TaskId, TaskKey};
use crate::plan::Plan;
use crate::time::Millis;

pub(super) fn begin(draft: &mut Draft<'_>) {
    if draft.head.out_of_budget {
        return stop::fail_for_money(draft);
    }
    let key = match draft.head.plan_version() {
        0 => TaskKey::new("plan"),
        made => TaskKey::new(format!("plan.{}", made + 1)),
    };
    let task = begin::steer(
        draft,
        TaskKind::Plan,
        key,
        "Split the brief into tasks",
        About::Itself,
    );
    draft.enter(State::Planning { task });
}

pub(super) fn planned(draft: &mut Draft<'_>, planned: Planned, fallback: bool) {
    if draft.head.out_of_budget {
        return stop::fail_for_money(draft);
    }
    let Planned {
        plan,
        hash,
        warnings,
        estimate,
    } = planned;
    let version = draft.head.plan_version() + 1;
    let path = longest_paths(&plan)
        .into_iter()
        .max()
        .unwrap_or(Millis::ZERO);
    draft.head.plan = Some(PlanRef {
        hash,
        version,
        path,
    });
    if !plan.title.is_empty() {
        draft.head.title.clone_from(&plan.title);
    }
    draft.record(HistoryEvent::Planned {
        version,
        plan: hash,
        title: draft.head.title.clone(),
        tasks: u32::try_from(plan.tasks.len()).unwrap_or(u32::MAX),
        fallback,
        warnings,
        estimate,
    });
    if draft.head.options.approve {
        draft.record(HistoryEvent::ApprovalAsked);
        draft.enter(State::WaitingApproval);
    } else {
        start(draft, &plan);
    }
}

pub(super) fn approve(draft: &mut Draft<'_>, plan: &Plan) -> Result<(), Refusal> {
    if draft.head.state != State::WaitingApproval {
        return Err(client::not_now(draft, "approve"));
    }
    draft.record(HistoryEvent::Approved);
    start(draft, plan);
    Ok(())
}

pub(super) fn reject(draft: &mut Draft<'_>, reason: String) -> Result<(), Refusal> {
    if draft.head.state != State::WaitingApproval {
        return Err(client::not_now(draft, "reject"));
    }
    draft.head.rejections.push(reason.clone());
    draft.record(HistoryEvent::Rejected { reason });
    begin(draft);
    Ok(())
}

/// Makes the plan's tasks and begins those that wait for nothing.
fn start(draft: &mut Draft<'_>, plan: &Plan) {
    draft.enter(State::Running);
    let ids: BTreeMap<&TaskKey, TaskId> = plan
        .tasks
        .iter()
        .map(|task| (&task.key, TaskId::new(draft.number())))
        .collect();
    let mut children: BTreeMap<&TaskKey, Vec<TaskId>> = BTreeMap::new();
    for task in &plan.tasks {
        for parent in &task.parents {
            children.entry(parent).or_default().push(ids[&task.key]);
        }
    }
    for (task, path) in plan.tasks.iter().zip(longest_paths(plan)) {
        draft.add(Task {
            id: ids[&task.key],
            key: task.key.clone(),
            kind: TaskKind::Work,
            plan_version: draft.head.plan_version(),
            title: task.title.clone(),
            parents: task.parents.iter().map(|parent| ids[parent]).collect(),
            children: children.remove(&task.key).unwrap_or_default(),
            policy: task.policy,
            output_tokens: task.output_tokens,
            path,
            about: About::Itself,
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
        work::look(draft, ids[&task.key]);
    }
}
