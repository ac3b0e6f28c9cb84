//! Sentences about events of a project's history.

use chorus_core::attempt::FailureCause;
use chorus_core::project::HistoryEvent;

/// Maximum number of tasks that a sentence about rework names.
const REWORKED: usize = 4;

/// Sentence about one event; none for events that the line of the state shows.
pub(super) fn sentence(event: &HistoryEvent) -> Option<String> {
    Some(match event {
        HistoryEvent::Submitted => "accepted".to_owned(),
        // Questions, or the plan, follow: that nothing was assumed is no news by itself.
        HistoryEvent::Clarified { assumptions } if assumptions.is_empty() => return None,
        HistoryEvent::Clarified { assumptions } => format!("assuming: {}", assumptions.join("; ")),
        HistoryEvent::QuestionsAsked { questions, .. } => {
            format!("{} questions for you", questions.len())
        }
        HistoryEvent::Answered { answers } => {
            let given = answers.iter().map(|answered| {
                let how = if answered.assumed {
                    "assumed"
                } else {
                    "answered"
                };
                format!("{how}: {} {}", answered.question.text, answered.answer)
            });
            given.collect::<Vec<_>>().join("\n          ")
        }
        HistoryEvent::Planned {
            version,
            title,
            tasks,
            fallback,
            warnings,
            ..
        } => {
            let how = if *fallback {
                ", made by a rule: no reply of the planner could be used"
            } else {
                ""
            };
            let repaired = if warnings.is_empty() {
                String::new()
            } else {
                format!(", repaired: {}", warnings.join("; "))
            };
            format!("plan {version} “{title}” with {tasks} tasks{how}{repaired}")
        }
        HistoryEvent::ApprovalAsked | HistoryEvent::Approved => return None,
        HistoryEvent::Rejected { reason } => format!("plan refused: {reason}"),
        HistoryEvent::Paused => "paused".to_owned(),
        HistoryEvent::Resumed => "goes on".to_owned(),
        HistoryEvent::BudgetExhausted => {
            "the budget does not cover another call: nothing new is started".to_owned()
        }
        HistoryEvent::BudgetRaised { budget } => format!("the budget is raised to {budget}"),
        HistoryEvent::NeedsAttention { why, .. } => format!("needs attention: {why}"),
        HistoryEvent::AttentionEnded => "goes on".to_owned(),
        HistoryEvent::CommandRefused { command, why, .. } => {
            format!("{} was refused: {why}", command.replace('_', " "))
        }
        HistoryEvent::Reopened { .. } => "reopened".to_owned(),
        HistoryEvent::Done { .. } => "done".to_owned(),
        HistoryEvent::Partial { defects, .. } => {
            format!("delivered in part: {}", defects.join("; "))
        }
        HistoryEvent::Failed { why } => format!("failed: {why}"),
        HistoryEvent::Cancelled => "cancelled".to_owned(),
        other => return task_sentence(other).or_else(|| merge_sentence(other)),
    })
}

/// Sentence about an event of one task.
fn task_sentence(event: &HistoryEvent) -> Option<String> {
    Some(match event {
        HistoryEvent::TaskReady {
            task, number, why, ..
        } if *number > 1 => format!("{} “{}” try {number}: {why}", task.key, task.title),
        HistoryEvent::TaskReady { .. } => return None,
        HistoryEvent::TaskSucceeded { task, .. } => format!("{} “{}” done", task.key, task.title),
        HistoryEvent::TaskFailed { task, cause } => format!(
            "{} “{}” has no result: {}",
            task.key,
            task.title,
            cause_text(cause)
        ),
        HistoryEvent::TaskHeld { task, cause } => {
            format!("{} “{}” waits: {}", task.key, task.title, cause_text(cause))
        }
        HistoryEvent::TaskAsked { task, question } => format!("{} asks: {question}", task.key),
        HistoryEvent::TaskAnswered {
            task,
            answer,
            assumed,
            ..
        } => {
            format!(
                "{} gets an answer{}: {answer}",
                task.key,
                if *assumed { " (assumed)" } else { "" }
            )
        }
        HistoryEvent::TaskSkipped { task } => format!(
            "{} “{}” skipped: its parents failed it",
            task.key, task.title
        ),
        _ => return None,
    })
}

/// Sentence about merging, judging and rework.
fn merge_sentence(event: &HistoryEvent) -> Option<String> {
    Some(match event {
        HistoryEvent::ConflictFound { conflict } => {
            let values: Vec<&str> = conflict
                .claims
                .iter()
                .map(|claim| claim.value.as_str())
                .collect();
            format!(
                "conflict {} about {}: {}",
                conflict.id,
                conflict.subject,
                values.join(" against ")
            )
        }
        HistoryEvent::ConflictResolved { resolution } => {
            let kept = resolution
                .keep
                .as_ref()
                .map_or_else(|| "both kept".to_owned(), |claim| format!("kept {claim}"));
            format!(
                "conflict {} resolved, {kept}: {}",
                resolution.conflict, resolution.reason
            )
        }
        HistoryEvent::Merged { files, .. } => format!("merged: {}", files.join(", ")),
        HistoryEvent::Judged { score, verdict, .. } => {
            let unmet: Vec<&str> = verdict
                .items
                .iter()
                .filter(|item| !item.met)
                .map(|item| item.requirement.as_str())
                .collect();
            let missing = if unmet.is_empty() {
                String::new()
            } else {
                format!(", not met: {}", unmet.join(", "))
            };
            format!("judged: {}.{} %{missing}", score / 10, score % 10)
        }
        HistoryEvent::Reworked { round, tasks, .. } => {
            let named: Vec<String> = tasks
                .iter()
                .take(REWORKED)
                .map(|(task, _)| format!("{} “{}”", task.key, task.title))
                .collect();
            let more = match tasks.len().saturating_sub(REWORKED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("rework, round {round}: {}{more}", named.join(", "))
        }
        _ => return None,
    })
}

/// Reason why a task has no result, as the end of a sentence.
fn cause_text(cause: &FailureCause) -> String {
    match cause {
        FailureCause::Request { message } => format!("the provider refuses the request: {message}"),
        FailureCause::Upstream { message, .. } => format!("calls kept failing: {message}"),
        FailureCause::Empty => "the model returned nothing".to_owned(),
        FailureCause::Refused { message } => format!("the model declined: {message}"),
        FailureCause::Endless => "the answer never ended".to_owned(),
        FailureCause::KillsWorkers => "its workers died too often".to_owned(),
        FailureCause::NoAccount { message } => format!("no account can serve it: {message}"),
        FailureCause::OverBudget { .. } => cause.to_string(),
        FailureCause::MissingArtifact { message } => {
            format!("something it needs is not there: {message}")
        }
    }
}
