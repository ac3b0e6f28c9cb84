//! A finished attempt: folded by task and attempt, in any later version of the plan.

use super::super::decision::{Effect, Inconsistency, Interrupt, Refusal};
use super::super::decision_builder::DecisionBuilder;
use super::super::{Planned, Reading, Subject};
use super::steering::{Conclusion, Ended, conclude};
use super::{clarify, ending, judge, plan, work, worker_question};
use crate::attempt::{AttemptDone, FailureCause, Outcome};
use crate::brief::{AnswerReply, Clarification};
use crate::merge::Resolution;
use crate::task_kind::TaskKind;
use crate::verdict::Verdict;

/// An answer as the shell read it, or its faults; `None` if there was nothing to read.
type Read<T> = Option<Result<T, Vec<String>>>;

pub(super) fn fold(
    builder: &mut DecisionBuilder<'_>,
    done: AttemptDone,
    reading: Reading,
) -> Result<(), Interrupt> {
    let task = builder.task(done.task).ok_or(Refusal::Stale)?.clone();
    let attempt = task
        .current_attempt()
        .filter(|current| current.attempt == done.attempt)
        .ok_or(Refusal::Stale)?
        .clone();
    let over_budget = Outcome::Failed {
        cause: FailureCause::OverBudget,
    };
    if done.outcome == over_budget {
        ending::out_of_budget(builder, task.id)?;
    }
    let ended = Ended {
        task,
        attempt,
        outcome: done.outcome,
    };
    match (ended.task.kind, reading) {
        (TaskKind::Work, reading) => worked(builder, ended, reading)?,
        (TaskKind::Clarify, Reading::Clarification(read)) => {
            clarified(builder, &ended, Some(read))?;
        }
        (TaskKind::Plan, Reading::Plan { read, fallback }) => {
            planned(builder, &ended, read, fallback)?;
        }
        (TaskKind::Answer, Reading::Answer(read)) => answered(builder, &ended, Some(read))?,
        (TaskKind::Resolve, Reading::Resolutions(read)) => resolved(builder, &ended, Some(read))?,
        (TaskKind::Judge, Reading::Verdict(read)) => judged(builder, &ended, Some(read))?,
        (_, _) => unread(builder, &ended)?,
    }
    Ok(())
}

/// Folds an attempt at a steering task without a reading of its kind.
fn unread(builder: &mut DecisionBuilder<'_>, ended: &Ended) -> Result<(), Inconsistency> {
    match ended.task.kind {
        TaskKind::Clarify => clarified(builder, ended, None),
        TaskKind::Plan => ending::fail(builder, "the plan was not read".to_owned()),
        TaskKind::Answer => answered(builder, ended, None),
        TaskKind::Resolve => resolved(builder, ended, None),
        TaskKind::Judge => judged(builder, ended, None),
        TaskKind::Work => Ok(()),
    }
}

fn worked(
    builder: &mut DecisionBuilder<'_>,
    ended: Ended,
    reading: Reading,
) -> Result<(), Inconsistency> {
    let Ended {
        task,
        attempt,
        outcome,
    } = ended;
    match (outcome, reading) {
        (Outcome::Asked { .. }, Reading::Question(text)) => {
            if worker_question::ask_planner(builder, &task, &attempt, text)? {
                return Ok(());
            }
            // A task that asks too often has used up a try.
            let message = "kept asking instead of going on with an assumption".to_owned();
            work::retry_or_fail(builder, &task, &attempt, FailureCause::Refused { message })
        }
        (Outcome::Succeeded { result }, _) => work::succeed(builder, &task, &attempt, result),
        (Outcome::Failed { cause }, _) => work::retry_or_fail(builder, &task, &attempt, cause),
        (Outcome::Asked { .. } | Outcome::Requeue { .. }, _) => {
            work::retry_or_fail(builder, &task, &attempt, FailureCause::Empty)
        }
    }
}

fn clarified(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    read: Read<Clarification>,
) -> Result<(), Inconsistency> {
    match conclude(builder, ended, read)? {
        Conclusion::Retried => Ok(()),
        Conclusion::Answered(clarification) => clarify::clarified(builder, clarification),
        Conclusion::Failed => clarify::clarified(builder, Clarification::default()),
    }
}

fn planned(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    read: Result<Planned, Vec<String>>,
    fallback: Option<Planned>,
) -> Result<(), Inconsistency> {
    match (conclude(builder, ended, Some(read))?, fallback) {
        (Conclusion::Retried, _) => Ok(()),
        (Conclusion::Answered(planned), _) => plan::planned(builder, planned, false),
        (Conclusion::Failed, Some(fallback)) => plan::planned(builder, fallback, true),
        (Conclusion::Failed, None) => ending::fail(builder, "there is no plan".to_owned()),
    }
}

fn answered(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    read: Read<AnswerReply>,
) -> Result<(), Inconsistency> {
    let Subject::Question { task: asking, .. } = ended.task.about else {
        return Ok(());
    };
    match conclude(builder, ended, read)? {
        Conclusion::Retried => Ok(()),
        Conclusion::Answered(answer) => {
            worker_question::planner_answered(builder, asking, Some(answer))
        }
        Conclusion::Failed => worker_question::planner_answered(builder, asking, None),
    }
}

fn resolved(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    read: Read<Vec<Resolution>>,
) -> Result<(), Inconsistency> {
    let resolutions = match conclude(builder, ended, read)? {
        Conclusion::Retried => return Ok(()),
        Conclusion::Answered(resolutions) => resolutions,
        Conclusion::Failed => Vec::new(),
    };
    builder.push_effect(Effect::Merge {
        resolutions,
        ask_model: false,
    });
    Ok(())
}

fn judged(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    read: Read<Verdict>,
) -> Result<(), Inconsistency> {
    match conclude(builder, ended, read)? {
        Conclusion::Retried => Ok(()),
        Conclusion::Answered(verdict) => judge::part_judged(builder, ended.task.id, Some(verdict)),
        Conclusion::Failed => judge::part_judged(builder, ended.task.id, None),
    }
}
