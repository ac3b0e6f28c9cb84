//! A worker's question: the planner answers it, or the client does, or an assumption stands in.
//!
//! The task goes on with an attempt of the same number, for asking burns no try.

use super::super::decision::Inconsistency;
use super::super::decision_builder::{DecisionBuilder, Try};
use super::super::{CurrentAttempt, HistoryEvent, Subject, Task, TaskAnswer, TaskState};
use super::{open_questions, steering};
use crate::brief::AnswerReply;
use crate::id::{TaskId, TaskKey};
use crate::task_kind::TaskKind;

/// Questions that workers may ask about one task.
const QUESTIONS: usize = 3;

/// Hands the question to the planner. Returns false if the task has used up its questions or the money.
pub(super) fn ask_planner(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    attempt: &CurrentAttempt,
    text: String,
) -> Result<bool, Inconsistency> {
    if task.answers.len() >= QUESTIONS || builder.head.out_of_budget {
        return Ok(false);
    }
    builder.push_event(HistoryEvent::TaskAsked {
        task: task.reference(),
        question: text.clone(),
    });
    let key = TaskKey::new(format!("answer.{}.{}", task.key, task.answers.len() + 1));
    let about = Subject::Question {
        task: task.id,
        text: text.clone(),
    };
    let answerer = steering::begin(
        builder,
        TaskKind::Answer,
        key,
        &format!("Answer a question about: {}", task.title),
        about,
    )?;
    builder.set(
        task.id,
        TaskState::Asking {
            question: text,
            answerer: Some(answerer),
            number: attempt.number,
            uncounted: attempt.uncounted,
        },
    )?;
    Ok(true)
}

/// Folds the planner's answer; `None` if it could not be had.
pub(super) fn planner_answered(
    builder: &mut DecisionBuilder<'_>,
    asking: TaskId,
    answer: Option<AnswerReply>,
) -> Result<(), Inconsistency> {
    match answer {
        None => close(
            builder,
            asking,
            open_questions::DEFAULT_ANSWER.to_owned(),
            true,
        ),
        Some(AnswerReply::Answer(answer)) => close(builder, asking, answer, false),
        Some(AnswerReply::AskClient(question)) if builder.head.options.assume => {
            let assumed = open_questions::assumed(question);
            close(builder, asking, assumed.answer, true)
        }
        Some(AnswerReply::AskClient(for_client)) => {
            let Some((question, next)) = asked(builder, asking) else {
                return Ok(());
            };
            let task = builder.known_task(asking)?.reference();
            builder.set(
                asking,
                TaskState::Asking {
                    question,
                    answerer: None,
                    number: next.number,
                    uncounted: next.uncounted,
                },
            )?;
            open_questions::ask_for_task(builder, task, for_client);
            Ok(())
        }
    }
}

/// Lets an asking task go on with an answer; does nothing to a task that does not ask.
pub(super) fn close(
    builder: &mut DecisionBuilder<'_>,
    asking: TaskId,
    answer: String,
    assumed: bool,
) -> Result<(), Inconsistency> {
    let Some((question, next)) = asked(builder, asking) else {
        return Ok(());
    };
    let task = builder.known_task(asking)?.reference();
    builder.push_event(HistoryEvent::TaskAnswered {
        task,
        question: question.clone(),
        answer: answer.clone(),
        assumed,
    });
    let answer = TaskAnswer {
        question,
        answer,
        assumed,
    };
    builder.change(asking, |task| task.answers.push(answer))?;
    builder.queue(asking, next, "answered")
}

/// Question of an asking task and the try that asked.
fn asked(builder: &DecisionBuilder<'_>, asking: TaskId) -> Option<(String, Try)> {
    let TaskState::Asking {
        question,
        number,
        uncounted,
        ..
    } = &builder.task(asking)?.state
    else {
        return None;
    };
    let again = Try {
        number: *number,
        uncounted: *uncounted,
        ..Try::FIRST
    };
    Some((question.clone(), again))
}
