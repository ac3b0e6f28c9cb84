//! States in which a command has an effect. The orchestrator decides finally; a command that it refuses shows
//! as an event.

use std::collections::BTreeSet;

use chorus_core::artifact::ArtifactHash;
use chorus_core::project::{ClientCommand, Head, Project, State};

use crate::api_error::ApiError;
use crate::error_code::ErrorCode;

/// Refuses a command that can have no effect in the loaded state.
pub(super) fn check(head: &Head, command: &ClientCommand) -> Result<(), ApiError> {
    let is_paused = matches!(head.state, State::Paused { .. });
    let not_now = "that cannot be done now";
    let (has_effect, reason) = match command {
        ClientCommand::Answer { answers, .. } => {
            check_question_ids(head, answers.keys())?;
            (!head.open.is_empty(), "it has no open question")
        }
        ClientCommand::Approve { .. } | ClientCommand::Reject { .. } => {
            (waiting_plan(head).is_some(), "no plan waits for approval")
        }
        ClientCommand::Pause { .. } => (!is_paused, not_now),
        ClientCommand::Resume { .. } => (is_paused, not_now),
        ClientCommand::Retry { task: None } => (
            head.held > 0 || head.halt.is_some(),
            "nothing waits for a retry",
        ),
        ClientCommand::Skip { task: None } => (head.held > 0, "nothing waits to be skipped"),
        // The task itself is looked up by `check_task`.
        ClientCommand::Retry { task: Some(_) } | ClientCommand::Skip { task: Some(_) } => {
            (true, not_now)
        }
        ClientCommand::Reopen(_) => {
            let is_open = matches!(head.state, State::Partial { .. } | State::Failed { .. });
            return if is_open {
                Ok(())
            } else {
                Err(wrong_state(
                    head,
                    "only a partial or failed project is reopened",
                ))
            };
        }
        ClientCommand::RaiseBudget { .. }
        | ClientCommand::Cancel
        | ClientCommand::Submit { .. }
        | ClientCommand::Condition { .. } => (true, not_now),
    };
    if has_effect && !head.is_terminal() {
        return Ok(());
    }
    Err(wrong_state(head, reason))
}

fn wrong_state(head: &Head, reason: &str) -> ApiError {
    let state = head.state.as_str().replace('_', " ");
    let message = format!("the project is {state}: {reason}");
    ApiError::new(ErrorCode::WrongState, message).of_project(head.id)
}

/// Hash of the plan that waits for the client: the planner's, or the one by rule.
pub(super) fn waiting_plan(head: &Head) -> Option<ArtifactHash> {
    match head.state.work() {
        State::WaitingApproval => head.plan.map(|plan| plan.hash),
        State::Planning { .. } => head.offer.as_ref().map(|offer| offer.plan),
        _ => None,
    }
}

/// The plan that a command is about: the one that it names, which must be the one that waits. A first plan need
/// not be named.
pub(super) fn named_plan(
    head: &Head,
    named: Option<ArtifactHash>,
) -> Result<ArtifactHash, ApiError> {
    let changed =
        |message: String| ApiError::new(ErrorCode::PlanChanged, message).of_project(head.id);
    let Some(waiting) = waiting_plan(head) else {
        return Err(wrong_state(head, "no plan waits for approval"));
    };
    match named {
        Some(named) if named == waiting => Ok(waiting),
        Some(named) => Err(changed(format!(
            "the plan {named} does not wait for approval any more; {waiting} does"
        ))),
        None if head.rejections.is_empty() && head.offer.is_none() => Ok(waiting),
        None => Err(changed(format!(
            "more than one plan was made: name the one that you have read as plan, for instance {waiting}"
        ))),
    }
}

/// Ids of the questions that wait for the client.
pub(super) fn open_questions(head: &Head) -> BTreeSet<String> {
    head.open
        .iter()
        .map(|open| open.question.id.clone())
        .collect()
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

/// Refuses a task that the project does not have, unless it has ended.
pub(super) fn check_task(project: &Project, name: &str) -> Result<(), ApiError> {
    let is_there = project
        .active()
        .any(|task| task.key.as_str() == name || task.id.to_string() == name);
    if is_there || project.head.is_terminal() {
        return Ok(());
    }
    Err(ApiError::field("task", "no task has this key or id"))
}
