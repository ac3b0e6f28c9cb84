//! A worker's question: the planner answers it, or the client does, or an assumption stands in. The task goes
//! on with an attempt of the same number: asking burns no try.

use super::super::decision_builder::DecisionBuilder;
use super::super::{CurrentAttempt, HistoryEvent, Subject, Task, TaskAnswer, TaskState};
use super::{QUESTIONS, ask, begin};
use crate::brief::AnswerReply;
use crate::id::{TaskId, TaskKey};
use crate::task_kind::TaskKind;

/// Hands the question to the planner; false when this task has asked too often.
pub(super) fn ask(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    doing: &CurrentAttempt,
    text: String,
) -> bool {
    if task.answers.len() >= QUESTIONS || builder.head.out_of_budget {
        return false;
    }
    builder.record(HistoryEvent::TaskAsked {
        task: task.reference(),
        question: text.clone(),
    });
    let key = TaskKey::new(format!("answer.{}.{}", task.key, task.answers.len() + 1));
    let about = Subject::Question {
        task: task.id,
        text: text.clone(),
    };
    let answerer = begin::steer(
        builder,
        TaskKind::Answer,
        key,
        &format!("Answer a question about: {}", task.title),
        about,
    );
    builder.set(
        task.id,
        TaskState::Asking {
            question: text,
            answerer: Some(answerer),
            number: doing.number,
        },
    );
    true
}

/// The planner's word on a worker's question; none when it could not be had.
pub(super) fn planner_said(
    builder: &mut DecisionBuilder<'_>,
    asking: TaskId,
    answer: Option<AnswerReply>,
) {
    let Some(task) = builder.task(asking) else {
        return;
    };
    let TaskState::Asking {
        question, number, ..
    } = task.state.clone()
    else {
        return;
    };
    let about = task.reference();
    match answer {
        None => resolve(builder, asking, ask::NOBODY_KNOWS.to_owned(), true),
        Some(AnswerReply::Answer(answer)) => resolve(builder, asking, answer, false),
        Some(AnswerReply::AskClient(asked)) if builder.head.options.assume => {
            let assumed = begin::assumed(asked);
            resolve(builder, asking, assumed.answer, true);
        }
        Some(AnswerReply::AskClient(asked)) => {
            builder.set(
                asking,
                TaskState::Asking {
                    question,
                    answerer: None,
                    number,
                },
            );
            ask::client(builder, asking, about, asked);
        }
    }
}

/// Lets the task go on with an answer.
pub(super) fn resolve(
    builder: &mut DecisionBuilder<'_>,
    asking: TaskId,
    answer: String,
    assumed: bool,
) {
    let Some(task) = builder.task(asking) else {
        return;
    };
    let TaskState::Asking {
        question, number, ..
    } = task.state.clone()
    else {
        return;
    };
    let task = task.reference();
    builder.record(HistoryEvent::TaskAnswered {
        task,
        question: question.clone(),
        answer: answer.clone(),
        assumed,
    });
    builder.change(asking, |task| {
        task.answers.push(TaskAnswer {
            question,
            answer,
            assumed,
        })
    });
    builder.queue(asking, number, Vec::new(), "answered");
}
