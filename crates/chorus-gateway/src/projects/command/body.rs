//! Bodies of commands: each is read into the command that it means.

use chorus_core::project::{ClientCommand, Reopening};
use serde::de::DeserializeOwned;

use crate::api_error::ApiError;
use crate::json_body::read_json;
use crate::resource::{Answers, NewBudget, PlanApproval, Rejection, Reopen, TaskChoice, micro_usd};

/// Maximum number of rounds that one reopening may name.
const MAX_ROUNDS: u32 = 10;

/// `POST …/answers`
pub(crate) fn read_answers(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let Answers {
        answers,
        assume_rest,
        questions,
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
        questions,
    })
}

/// `POST …/approve`
pub(crate) fn read_approve(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let PlanApproval { plan } = read_or_default(body)?;
    Ok(ClientCommand::Approve { plan })
}

/// `POST …/reject`
pub(crate) fn read_reject(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let Rejection { reason, plan } = read_json(body)?;
    if reason.trim().is_empty() {
        return Err(ApiError::field(
            "reason",
            "it is empty: write what should be different",
        ));
    }
    Ok(ClientCommand::Reject { reason, plan })
}

/// `POST …/pause`; the body is ignored, as for all commands without parameters.
pub(crate) fn read_pause(_: &[u8]) -> Result<ClientCommand, ApiError> {
    Ok(ClientCommand::Pause { at: None })
}

/// `POST …/resume`
pub(crate) fn read_resume(_: &[u8]) -> Result<ClientCommand, ApiError> {
    Ok(ClientCommand::Resume { at: None })
}

/// `POST …/cancel`
pub(crate) fn read_cancel(_: &[u8]) -> Result<ClientCommand, ApiError> {
    Ok(ClientCommand::Cancel)
}

/// `POST …/budget`
pub(crate) fn read_budget(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let NewBudget { budget_usd } = read_json(body)?;
    Ok(ClientCommand::RaiseBudget {
        budget: micro_usd(budget_usd),
    })
}

/// `POST …/retry`
pub(crate) fn read_retry(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let TaskChoice { task } = read_or_default(body)?;
    Ok(ClientCommand::Retry { task })
}

/// `POST …/skip`
pub(crate) fn read_skip(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let TaskChoice { task } = read_or_default(body)?;
    Ok(ClientCommand::Skip { task })
}

/// `POST …/reopen`
pub(crate) fn read_reopen(body: &[u8]) -> Result<ClientCommand, ApiError> {
    let Reopen {
        rounds,
        budget_usd,
        instruction,
    } = read_or_default(body)?;
    if rounds.is_some_and(|rounds| rounds > MAX_ROUNDS) {
        let message = format!("it must be between 0 and {MAX_ROUNDS}");
        return Err(ApiError::field("rounds", message));
    }
    Ok(ClientCommand::Reopen(Reopening {
        rounds,
        budget: budget_usd.map(micro_usd),
        instruction: instruction.unwrap_or_default().trim().to_owned(),
    }))
}

/// Reads the parameters of a command that needs none.
fn read_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    read_json(body)
}
