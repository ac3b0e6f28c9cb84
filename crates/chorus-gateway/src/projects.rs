//! Handlers of `/v1/projects` and below, except [submission](crate::submission) and
//! [events](crate::event_stream).

mod archive;
pub(crate) mod command;
mod deliverable;
mod deliveries;
mod format;
mod list;
mod plan;
mod report;
mod why;

use std::collections::BTreeSet;

use axum::Json;
use chorus_core::id::TaskId;
use chorus_core::port::deliveries::Selection;
use chorus_core::port::error::full_text;
use chorus_core::port::keys::Scope;
use chorus_core::port::projects::Loaded;
use chorus_core::project::{Attention, State};

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::error_code::ErrorCode;
use crate::estimate::{self, Sources};
use crate::project_request::ProjectRequest;
use crate::resource::{AccountNames, Estimate, ProjectFacts, ProjectResource, WaitResource};

pub(crate) use deliverable::{deliverable, file};
pub(crate) use deliveries::deliveries;
pub(crate) use list::list;
pub(crate) use plan::plan;
pub(crate) use report::report;
pub(crate) use why::why;

/// Maximum number of open calls, and of waiting tasks, of one project that are counted.
const MAX_OPEN: u32 = 10_000;

/// Maximum number of waiting tasks of which the reasons are read; the others wait for their place in the queue.
const MAX_WAITS: u32 = 500;

/// `GET /v1/projects/{id}`
pub(crate) async fn show(request: ProjectRequest) -> Result<Json<ProjectResource>, ApiError> {
    resource(&request.state, &request.caller, &request.loaded)
        .await
        .map(Json)
}

/// The resource of a loaded project.
pub(crate) async fn resource(
    state: &AppState,
    caller: &Caller,
    loaded: &Loaded,
) -> Result<ProjectResource, ApiError> {
    let facts = ProjectFacts {
        money: state.money(loaded.project.head.id).await?,
        estimate: estimate(state, loaded).await?,
        open: open_calls(state, loaded).await?,
        waits: waits(state, caller, loaded).await?,
        names: names_of_attention(state, caller, loaded).await?,
    };
    let mut resource = ProjectResource::new(loaded, facts);
    WaitResource::complete(&mut resource.waits, resource.tasks.queued);
    Ok(resource)
}

/// Names of accounts for the sentence of a long wait; none for callers without the scope.
async fn names_of_attention(
    state: &AppState,
    caller: &Caller,
    loaded: &Loaded,
) -> Result<Option<AccountNames>, ApiError> {
    let attention = loaded.project.head.state.attention();
    let is_waiting = matches!(attention, Some((_, Attention::Waiting { .. })));
    if is_waiting && caller.scopes.allow(Scope::AccountsRead) {
        return Ok(Some(state.account_names(caller).await?));
    }
    Ok(None)
}

/// Tasks with an open call.
async fn open_calls(state: &AppState, loaded: &Loaded) -> Result<BTreeSet<TaskId>, ApiError> {
    let head = &loaded.project.head;
    if head.is_terminal() {
        return Ok(BTreeSet::new());
    }
    let rows = &state.ports.deliveries;
    let rows = rows.selected(head.id, Selection::Open, MAX_OPEN).await?;
    Ok(rows.into_iter().map(|row| row.task).collect())
}

/// Reasons why tasks wait.
async fn waits(
    state: &AppState,
    caller: &Caller,
    loaded: &Loaded,
) -> Result<Vec<WaitResource>, ApiError> {
    let head = &loaded.project.head;
    if head.is_terminal() {
        return Ok(Vec::new());
    }
    let waits = state.ports.waits.waits_of(head.id, MAX_WAITS).await?;
    if waits.is_empty() {
        return Ok(Vec::new());
    }
    let names = state.account_names(caller).await?;
    Ok(WaitResource::gather(&waits, &names))
}

/// `GET /v1/projects/{id}/estimate`: the estimate of the newest plan, in any state of the project.
pub(crate) async fn estimate_of_plan(request: ProjectRequest) -> Result<Json<Estimate>, ApiError> {
    let ProjectRequest { state, loaded, .. } = request;
    let id = loaded.project.head.id;
    let not_ready = |reason: String| ApiError::new(ErrorCode::NotReady, reason).of_project(id);
    match estimate::of(&sources(&state), &loaded).await {
        Ok(estimate) => Ok(Json(estimate)),
        Err(estimate::Unknown::Store(error)) => Err(error.into()),
        Err(other) => Err(not_ready(format!(
            "{id} has no estimate: {}",
            full_text(&other)
        ))),
    }
}

/// The estimate of a plan that waits for approval. Without an account that can serve it there is
/// none, and the request still succeeds.
async fn estimate(state: &AppState, loaded: &Loaded) -> Result<Option<Estimate>, ApiError> {
    if !matches!(loaded.project.head.state, State::WaitingApproval) {
        return Ok(None);
    }
    match estimate::of(&sources(state), loaded).await {
        Ok(estimate) => Ok(Some(estimate)),
        Err(estimate::Unknown::Store(error)) => Err(error.into()),
        Err(other) => {
            tracing::warn!(project.id = %loaded.project.head.id, estimate.error = full_text(&other), "no estimate of a waiting plan");
            Ok(None)
        }
    }
}

/// Ports and settings of this gateway, for an estimate.
fn sources(state: &AppState) -> Sources<'_> {
    let (ports, settings) = (&state.ports, &state.settings);
    Sources {
        artifacts: &*ports.artifacts,
        deliveries: &*ports.deliveries,
        directory: &*ports.directory,
        catalog: &settings.catalog,
        roles: &settings.roles,
        now: ports.clock.now(),
    }
}
