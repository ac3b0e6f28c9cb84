//! Commands to a project: answers, approve, reject, pause, resume, cancel.
//!
//! A command is committed to the outbox before the reply 202. The orchestrator carries it out, and
//! its effect shows in the project and its events. An equal `Idempotency-Key` and body are the same
//! command, however often they arrive and in whatever state the project is by then.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use chorus_core::id::EventId;
use chorus_core::project::{ClientCommand, Head, State};
use chorus_core::record;
use http::{HeaderMap, StatusCode};

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::error_code::ErrorCode;
use crate::idempotency;
use crate::json_body::read_json;
use crate::project_request::ProjectRequest;
use crate::resource::{Answers, CommandAccepted, Rejection};

/// Reads one kind of command from a request's body.
pub(crate) type ReadCommand = fn(&[u8]) -> Result<ClientCommand, ApiError>;

/// The route of a command.
pub(crate) fn route(read: ReadCommand) -> MethodRouter<Arc<AppState>> {
    post(
        move |project: ProjectRequest, headers: HeaderMap, body: Bytes| async move {
            accept(project, &headers, read(&body)?).await
        },
    )
}

/// `POST …/answers`
pub(crate) fn read_answers(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let Answers {
        answers,
        assume_rest,
    } = read_json(body)?;
    if answers.is_empty() && !assume_rest {
        return Err(ApiError::field(
            "answers",
            "there is none; give answers, or assume_rest",
        ));
    }
    Ok(ClientCommand::Answer {
        answers,
        assume_rest,
    })
}

/// `POST …/approve`; the body is ignored, as for all commands without parameters.
pub(crate) fn read_approve(_: &[u8]) -> Result<ClientCommand, ApiError> {
    Ok(ClientCommand::Approve)
}

/// `POST …/reject`
pub(crate) fn read_reject(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let Rejection { reason } = read_json(body)?;
    if reason.trim().is_empty() {
        return Err(ApiError::field(
            "reason",
            "it is empty: write what should be different",
        ));
    }
    Ok(ClientCommand::Reject { reason })
}

/// `POST …/pause`
pub(crate) fn read_pause(_: &[u8]) -> Result<ClientCommand, ApiError> {
    Ok(ClientCommand::Pause)
}

/// `POST …/resume`
pub(crate) fn read_resume(_: &[u8]) -> Result<ClientCommand, ApiError> {
    Ok(ClientCommand::Resume)
}

/// `POST …/cancel`
pub(crate) fn read_cancel(_: &[u8]) -> Result<ClientCommand, ApiError> {
    Ok(ClientCommand::Cancel)
}

/// Commits a command that can have an effect, publishes it, and replies 202.
async fn accept(
    request: ProjectRequest,
    headers: &HeaderMap,
    command: ClientCommand,
) -> Result<Response, ApiError> {
    let ProjectRequest {
        state,
        caller,
        loaded,
    } = request;
    let head = loaded.project.head;
    let event = match idempotency::key(headers)? {
        Some(key) => idempotency::command_id(&head, &key, &command),
        None => EventId::new(state.ports.clock.random_u128()),
    };
    if !head.folded.contains(&event) {
        check_effect(&head, &command)?;
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

/// Refuses a command that can have no effect in the loaded state. The orchestrator decides finally.
fn check_effect(head: &Head, command: &ClientCommand) -> Result<(), ApiError> {
    let (is_paused, inner) = match &head.state {
        State::Paused { was } => (true, &**was),
        other => (false, other),
    };
    let (has_effect, reason) = match command {
        ClientCommand::Answer { answers, .. } => {
            check_question_ids(head, answers.keys())?;
            (!head.open.is_empty(), "it has no open question")
        }
        ClientCommand::Approve | ClientCommand::Reject { .. } => (
            matches!(inner, State::WaitingApproval),
            "no plan waits for approval",
        ),
        ClientCommand::Pause => (!is_paused, "that cannot be done now"),
        ClientCommand::Resume => (is_paused, "that cannot be done now"),
        ClientCommand::Cancel | ClientCommand::Submit { .. } => (true, "that cannot be done now"),
    };
    if has_effect && !head.is_terminal() {
        return Ok(());
    }
    let state = head.state.as_str().replace('_', " ");
    let message = format!("the project is {state}: {reason}");
    Err(ApiError::new(ErrorCode::WrongState, message).of_project(head.id))
}

/// Refuses an answer to a question that is not open, while others are.
fn check_question_ids<'a>(
    head: &Head,
    mut ids: impl Iterator<Item = &'a String>,
) -> Result<(), ApiError> {
    let is_open = |id: &String| head.open.iter().any(|open| open.question.id == *id);
    match ids.find(|id| !is_open(id)) {
        Some(id) if !head.open.is_empty() => Err(ApiError::field(
            format!("answers.{id:.64}"),
            "no open question has this id",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
