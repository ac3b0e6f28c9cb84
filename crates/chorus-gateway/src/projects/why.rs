//! `GET /v1/projects/{id}/tasks/{task}/why`: the reason why a task is not done yet, with what it could run on.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use chorus_core::attempt::WaitReason;
use chorus_core::id::ModelSlug;
use chorus_core::port::directory::Account;
use chorus_core::port::keys::Scope;
use chorus_core::project::Task;

use super::MAX_OPEN;
use super::plan::TaskFacts;
use crate::api_error::ApiError;
use crate::error_code::ErrorCode;
use crate::levels;
use crate::project_request::ProjectRequest;
use crate::resource::{AccountResource, PlanTask, TaskWhy};

pub(crate) async fn why(
    Path((_, named)): Path<(String, String)>,
    State(_): State<std::sync::Arc<crate::app_state::AppState>>,
    request: ProjectRequest,
) -> Result<Json<TaskWhy>, ApiError> {
    let ProjectRequest {
        state,
        caller,
        loaded,
    } = request;
    let head = &loaded.project.head;
    let task = named_task(&loaded.project.tasks.values().collect::<Vec<_>>(), &named).ok_or_else(
        || {
            let message = format!("{} has no task {named:.64}", head.id);
            ApiError::new(ErrorCode::NoSuchTask, message).of_project(head.id)
        },
    )?;
    let facts = TaskFacts::new(
        &state.ports.deliveries.of_project(head.id).await?,
        state.ports.waits.waits_of(head.id, MAX_OPEN).await?,
        state.account_names(&caller).await?,
    );
    let shown = facts.resource(task);
    let tiers = state.settings.roles.get(&task.kind.role());
    let models: Vec<ModelSlug> = tiers.into_iter().flatten().flatten().cloned().collect();
    let serving: Vec<Account> = serving(state.accounts(&caller).await?, &models);
    let now = state.ports.clock.now();
    let mut accounts: Vec<AccountResource> = serving
        .iter()
        .map(|account| AccountResource::new(account, now))
        .collect();
    let may_read = caller.scopes.allow(Scope::AccountsRead);
    let has_levels = may_read && levels::add_to_accounts(&state, &serving, &mut accounts).await;
    let unfinished = task.parents.iter().filter_map(|parent| {
        let parent = loaded.project.tasks.get(parent)?;
        (!parent.state.is_terminal()).then(|| parent.key.clone())
    });
    let parents: Vec<_> = unfinished.collect();
    let ahead = shown.wait.as_ref().and_then(|wait| match &wait.detail {
        WaitReason::Queue { ahead } => Some(u64::from(*ahead)),
        _ => None,
    });
    Ok(Json(TaskWhy {
        project: head.id,
        task: task.id,
        key: task.key.clone(),
        title: task.title.clone(),
        kind: task.kind,
        answer: answer(&shown, parents.len(), head.state.as_str()),
        state: shown.state,
        is_open: shown.is_open,
        deliveries: shown.deliveries,
        wait: shown.wait,
        parents,
        models,
        accounts,
        ahead,
        has_levels,
    }))
}

/// The task of this id or key; of several with one key the newest.
fn named_task<'a>(tasks: &[&'a Task], named: &str) -> Option<&'a Task> {
    let is_it = |task: &&&Task| task.id.to_string() == named || task.key.as_str() == named;
    let found = tasks.iter().filter(is_it);
    found
        .max_by_key(|task| (task.plan_version, task.id))
        .copied()
}

/// Accounts with a credential that serves one of the models.
fn serving(accounts: Vec<Account>, models: &[ModelSlug]) -> Vec<Account> {
    let models: BTreeSet<&ModelSlug> = models.iter().collect();
    let serves = |account: &Account| {
        let mut groups = account.credentials.iter().flat_map(|of| &of.groups);
        groups.any(|of| of.models.is_empty() || of.models.iter().any(|slug| models.contains(slug)))
    };
    accounts.into_iter().filter(serves).collect()
}

/// One sentence that answers the question.
fn answer(task: &PlanTask, unfinished: usize, project: &str) -> String {
    if task.is_open {
        return "a call of it is under way".to_owned();
    }
    if let Some(wait) = &task.wait {
        return wait.text.clone();
    }
    if let Some(error) = &task.error {
        return format!("it is {}: {}", task.state, error.message);
    }
    match task.state.as_str() {
        "pending" => format!("it needs the results of {unfinished} tasks that are not done"),
        "ready" => {
            format!("it is queued and no dispatcher has looked at it yet; the project is {project}")
        }
        "asking" => "it waits for an answer of the client".to_owned(),
        other => format!("it is {other}"),
    }
}
