//! Commands to a project: answers, approve, reject, pause, resume, cancel, budget, retry, skip, reopen.
//!
//! A command is committed to the outbox before the reply 202. The orchestrator carries it out, and
//! its effect shows in the project and its events. An equal `Idempotency-Key` and body are the same
//! command, however often they arrive and in any state that the project has by then.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use chorus_core::id::EventId;
use chorus_core::project::{ClientCommand, Head};
use chorus_core::record;
use chorus_core::time::{Millis, Timestamp};
use http::{HeaderMap, StatusCode};

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::idempotency;
use crate::project_request::HeadRequest;
use crate::resource::{CommandAccepted, dollars};
use crate::submission::checked_budget;

pub(crate) use body::{
    read_answers, read_approve, read_budget, read_cancel, read_pause, read_reject, read_reopen,
    read_resume, read_retry, read_skip,
};

mod body;
mod effect;

/// Reads one kind of command from a request's body.
pub(crate) type ReadCommand = fn(&[u8]) -> Result<ClientCommand, ApiError>;

/// The route of a command.
pub(crate) fn route(read: ReadCommand) -> MethodRouter<Arc<AppState>> {
    post(
        move |project: HeadRequest, headers: HeaderMap, body: Bytes| async move {
            accept(project, &headers, read(&body)?).await
        },
    )
}

/// Commits a command to the outbox, publishes it, and replies 202.
async fn accept(
    request: HeadRequest,
    headers: &HeaderMap,
    command: ClientCommand,
) -> Result<Response, ApiError> {
    let HeadRequest {
        state,
        caller,
        head,
    } = request;
    let head = &head;
    let event = match idempotency::key(headers)? {
        Some(key) => idempotency::command_id(head, &key, &command),
        None => EventId::new(state.ports.clock.random_u128()),
    };
    if !head.folded.contains(&event) {
        effect::check(head, &command)?;
        check_task(&state, &caller, head, &command).await?;
        check_budget(&state, head, &command).await?;
        let command = completed(head, command, state.ports.clock.now())?;
        let record = record::command(event, &caller.tenant, head.id, &command);
        let projects = &state.ports.projects;
        if !projects
            .command(&caller.tenant, head.id, record.clone())
            .await?
        {
            return Err(ApiError::no_such_project(&head.id.to_string()));
        }
        state.publish(record);
    }
    let accepted = CommandAccepted {
        project: head.id,
        command: event,
    };
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// Refuses a task that the project does not have. Only a command that names a task reads the tasks.
async fn check_task(
    state: &AppState,
    caller: &Caller,
    head: &Head,
    command: &ClientCommand,
) -> Result<(), ApiError> {
    let (ClientCommand::Retry { task: Some(task) } | ClientCommand::Skip { task: Some(task) }) =
        command
    else {
        return Ok(());
    };
    let loaded = state.project(caller, &head.id.to_string()).await?;
    effect::check_task(&loaded.project, task)
}

/// Adds what the project as the client can see it says: the order of pauses and resumes, the plan, and the
/// questions. The id of the command follows from what the client sent alone.
fn completed(
    head: &Head,
    command: ClientCommand,
    now: Timestamp,
) -> Result<ClientCommand, ApiError> {
    let after_last = head.switched_at.map(|last| last + Millis(1));
    let at = Some(after_last.map_or(now, |after| after.max(now)));
    Ok(match command {
        ClientCommand::Pause { .. } => ClientCommand::Pause { at },
        ClientCommand::Resume { .. } => ClientCommand::Resume { at },
        ClientCommand::Approve { plan } => ClientCommand::Approve {
            plan: Some(effect::named_plan(head, plan)?),
        },
        ClientCommand::Reject { reason, plan } => ClientCommand::Reject {
            reason,
            plan: match plan {
                Some(plan) => Some(effect::named_plan(head, Some(plan))?),
                None => effect::waiting_plan(head),
            },
        },
        ClientCommand::Answer {
            answers,
            assume_rest: true,
            questions: None,
        } => ClientCommand::Answer {
            answers,
            assume_rest: true,
            questions: Some(effect::open_questions(head)),
        },
        other => other,
    })
}

/// Refuses a budget that raises nothing, or that the gateway does not allow.
async fn check_budget(
    state: &AppState,
    head: &Head,
    command: &ClientCommand,
) -> Result<(), ApiError> {
    let wanted = match command {
        ClientCommand::RaiseBudget { budget } => Some(*budget),
        ClientCommand::Reopen(reopening) => reopening.budget,
        _ => None,
    };
    let Some(wanted) = wanted else {
        return Ok(());
    };
    checked_budget(state, dollars(wanted))?;
    let money = state.money(head.id).await?;
    if wanted > money.budget {
        return Ok(());
    }
    let message = format!(
        "it must be above the present budget of {}, of which {} are spent",
        money.budget, money.spent
    );
    Err(ApiError::field("budget_usd", message))
}

#[cfg(test)]
mod tests;
