//! A worker's question: the planner answers it, or the client does, or an assumption stands in. The task goes
//! on with an attempt of the same number: asking burns no try.

use super::super::draft::Draft;
use super::super::{About, Doing, HistoryEvent, Task, TaskAnswer, TaskState};
use super::{QUESTIONS, ask, begin};
use crate::brief::AnswerReply;
use crate::delivery::TaskKind;
use crate::id::{TaskId, TaskKey};

/// Hands the question to the planner; false when this task has asked too often.
pub(super) fn ask(draft: &mut Draft<'_>, task: &Task, doing: &Doing, text: String) -> bool {
    if task.answers.len() >= QUESTIONS || draft.head.out_of_budget {
        return false;
    }
    draft.record(HistoryEvent::TaskAsked {
        task: task.reference(),
        question: text.clone(),
    });
    let key = TaskKey::new(format!("answer.{}.{}", task.key, task.answers.len() + 1));
    let about = About::Question {
        task: task.id,
        text: text.clone(),
    };
    let answerer = begin::steer(
        draft,
        TaskKind::Answer,
        key,
        &format!("Answer a question about: {}", task.title),
        about,
    );
    draft.set(
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
pub(super) fn planner_said(draft: &mut Draft<'_>, asking: TaskId, answer: Option<AnswerReply>) {
    let Some(task) = draft.task(asking) else {
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
        None => resolve(draft, asking, ask::NOBODY_KNOWS.to_owned(), true),
        Some(AnswerReply::Answer(answer)) => resolve(draft, asking, answer, false),
        Some(AnswerReply::AskClient(asked)) if draft.head.options.assume => {
            let assumed = begin::assumed(asked);
            resolve(draft, asking, assumed.answer, true);
        }
        Some(AnswerReply::AskClient(asked)) => {
            draft.set(
                asking,
                TaskState::Asking {
                    question,
                    answerer: None,
                    number,
                },
            );
            ask::client(draft, asking, about, asked);
        }
    }
}

/// Lets the task go on with an answer.
pub(super) fn resolve(draft: &mut Draft<'_>, asking: TaskId, answer: String, assumed: bool) {
    let Some(task) = draft.task(asking) else {
        return;
    };
    let TaskState::Asking {
        question, number, ..
    } = task.state.clone()
    else {
        return;
    };
    let task = task.reference();
    draft.record(HistoryEvent::TaskAnswered {
        task,
        question: question.clone(),
        answer: answer.clone(),
        assumed,
    });
    draft.change(asking, |task| {
        task.answers.push(TaskAnswer {
            question,
            answer,
            assumed,
        })
    });
    draft.queue(asking, number, Vec::new(), "answered");
}
