//! `GET /v1/projects/{id}/plan`: the newest plan and the tasks of all its versions.

use std::collections::BTreeMap;

use axum::Json;
use chorus_core::attempt::{AttemptWait, DeliveryRow};
use chorus_core::id::{AttemptId, TaskId};
use chorus_core::money::MicroUsd;
use chorus_core::project::Task;

use super::MAX_OPEN;
use crate::api_error::ApiError;
use crate::error_code::ErrorCode;
use crate::project_request::ProjectRequest;
use crate::resource::{AccountNames, PlanResource, PlanTask, WaitResource, dollars};

pub(crate) async fn plan(request: ProjectRequest) -> Result<Json<PlanResource>, ApiError> {
    let ProjectRequest {
        state,
        caller,
        loaded,
    } = request;
    let head = &loaded.project.head;
    let newest = head.plan.ok_or_else(|| {
        let message = format!("{} has no plan yet: it is {}", head.id, head.state.as_str());
        ApiError::new(ErrorCode::NotReady, message).of_project(head.id)
    })?;
    let facts = TaskFacts::new(
        &state.ports.deliveries.of_project(head.id).await?,
        state.ports.waits.waits_of(head.id, MAX_OPEN).await?,
        state.account_names(&caller).await?,
    );
    let tasks = loaded.project.tasks.values();
    Ok(Json(PlanResource {
        version: newest.version,
        hash: Some(newest.hash),
        plan: state.artifact(newest.hash).await?,
        tasks: tasks.map(|task| facts.resource(task)).collect(),
    }))
}

/// Facts about the tasks of one project that are not in their own rows.
pub(super) struct TaskFacts {
    calls: BTreeMap<TaskId, Calls>,
    waits: BTreeMap<AttemptId, AttemptWait>,
    names: AccountNames,
}

/// Calls of one task.
#[derive(Default)]
struct Calls {
    cost: MicroUsd,
    count: u64,
    is_estimated: bool,
    is_open: bool,
}

impl TaskFacts {
    pub(super) fn new(rows: &[DeliveryRow], waits: Vec<AttemptWait>, names: AccountNames) -> Self {
        let mut calls: BTreeMap<TaskId, Calls> = BTreeMap::new();
        for row in rows {
            let of = calls.entry(row.task).or_default();
            of.cost = of.cost + row.cost;
            of.count += 1;
            of.is_estimated |= row.usage.is_some_and(|usage| usage.is_estimated);
            of.is_open |= row.claimed_at.is_some() && row.ended_at.is_none();
        }
        Self {
            calls,
            waits: waits.into_iter().map(|wait| (wait.attempt, wait)).collect(),
            names,
        }
    }

    pub(super) fn resource(&self, task: &Task) -> PlanTask {
        let plain = PlanTask::from(task);
        let calls = self.calls.get(&task.id);
        let attempt = task.current_attempt();
        let wait = attempt.and_then(|current| self.waits.get(&current.attempt));
        PlanTask {
            cost_usd: calls.map_or(0.0, |calls| dollars(calls.cost)),
            is_estimated: calls.is_some_and(|calls| calls.is_estimated),
            deliveries: calls.map_or(0, |calls| calls.count),
            is_open: attempt.is_some() && calls.is_some_and(|calls| calls.is_open),
            wait: wait.map(|wait| WaitResource::new(wait, &self.names)),
            ..plain
        }
    }
}
