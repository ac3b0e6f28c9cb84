//! A finished attempt: folded by task and attempt, in any later version of the plan.

use super::super::decision::{Effect, Inconsistency, Interrupt, Refusal};
use super::super::decision_builder::DecisionBuilder;
use super::super::{PlanOffer, Planned, Reading, Subject};
use super::steering::{Conclusion, Ended, conclude};
use super::{clarify, judge, plan, steering, work, worker_question};
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
    note_reachable(builder, &done);
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
        (
            TaskKind::Plan,
            Reading::Plan {
                read,
                repaired,
                fallback,
            },
        ) => planned(builder, &ended, read, Stand { repaired, fallback })?,
        (TaskKind::Answer, Reading::Answer(read)) => answered(builder, &ended, Some(read))?,
        (TaskKind::Resolve, Reading::Resolutions(read)) => resolved(builder, &ended, Some(read))?,
        (TaskKind::Judge, Reading::Verdict(read)) => judged(builder, &ended, Some(read))?,
        (_, _) => unread(builder, &ended)?,
    }
    Ok(())
}

/// Ends an outage when its task got an answer, and a wait of the whole project when any task did.
fn note_reachable(builder: &mut DecisionBuilder<'_>, done: &AttemptDone) {
    let outage = builder.head.outage.as_ref();
    if outage.is_some_and(|outage| outage.task == done.task) {
        builder.head.outage = None;
    }
    let is_answer = matches!(
        done.outcome,
        Outcome::Succeeded { .. } | Outcome::Asked { .. }
    );
    if is_answer && done.call.is_some() {
        builder.head.wait = None;
    }
}

/// Plans that stand in for an answer of the planner that cannot be used.
struct Stand {
    repaired: Option<Planned>,
    fallback: Option<Planned>,
}

/// Folds an attempt at a steering task without a reading of its kind.
fn unread(builder: &mut DecisionBuilder<'_>, ended: &Ended) -> Result<(), Inconsistency> {
    match ended.task.kind {
        TaskKind::Clarify => clarified(builder, ended, None),
        TaskKind::Plan => {
            let unread = Err(vec!["the plan was not read".to_owned()]);
            let stand = Stand {
                repaired: None,
                fallback: None,
            };
            planned(builder, ended, unread, stand)
        }
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
        Conclusion::Failed(cause) if builder.head.out_of_budget => {
            steering::give_up(builder, ended, cause)?;
            clarify::clarified(builder, Clarification::default())
        }
        Conclusion::Failed(cause) => steering::hold(builder, ended, cause),
    }
}

fn planned(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    read: Result<Planned, Vec<String>>,
    stand: Stand,
) -> Result<(), Inconsistency> {
    let cause = match conclude(builder, ended, Some(read))? {
        Conclusion::Retried => return Ok(()),
        Conclusion::Answered(planned) => {
            return plan::planned(builder, planned);
        }
        Conclusion::Failed(cause) => cause,
    };
    let repaired = stand.repaired.is_some();
    builder.head.offer = stand
        .repaired
        .or(stand.fallback)
        .filter(|_| !work::waits_for_person(builder, &cause))
        .map(|planned| PlanOffer {
            repaired,
            plan: planned.hash,
            tasks: u32::try_from(planned.plan.tasks.len()).unwrap_or(u32::MAX),
            warnings: planned.warnings,
            estimate: planned.estimate,
        });
    steering::hold(builder, ended, cause)
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
        Conclusion::Failed(cause) if work::waits_for_person(builder, &cause) => {
            steering::hold(builder, ended, cause)
        }
        Conclusion::Failed(cause) => {
            steering::give_up(builder, ended, cause)?;
            worker_question::planner_answered(builder, asking, None)
        }
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
        Conclusion::Failed(cause) if work::waits_for_person(builder, &cause) => {
            return steering::hold(builder, ended, cause);
        }
        Conclusion::Failed(cause) => {
            steering::give_up(builder, ended, cause)?;
            Vec::new()
        }
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
        Conclusion::Failed(cause) if builder.head.out_of_budget => {
            steering::give_up(builder, ended, cause)?;
            judge::part_judged(builder, ended.task.id, None)
        }
        Conclusion::Failed(cause) => steering::hold(builder, ended, cause),
    }
}
