//! Questions to the client and their answers.

use std::collections::BTreeMap;

use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, OpenQuestion, State, TaskRef, WaitingOn};
use super::{Refusal, begin, plan, question};
use crate::brief::{Answered, Question};
use crate::id::TaskId;

/// What stands in for an answer that nobody has.
pub(super) const NOBODY_KNOWS: &str =
    "Nobody can say. Choose what serves the brief best and state the assumption.";

/// The question under the next id that this project has not used.
pub(super) fn numbered(builder: &mut DecisionBuilder<'_>, mut question: Question) -> Question {
    builder.head.asked += 1;
    question.id = format!("q{}", builder.head.asked);
    question
}

/// Asks the client on behalf of a task.
pub(super) fn client(
    builder: &mut DecisionBuilder<'_>,
    task: TaskId,
    about: TaskRef,
    question: Question,
) {
    let question = numbered(builder, question);
    builder.record(HistoryEvent::QuestionsAsked {
        questions: vec![question.clone()],
        task: Some(about),
    });
    builder.head.open.push(OpenQuestion {
        question,
        task: Some(task),
    });
}

pub(super) fn answer(
    builder: &mut DecisionBuilder<'_>,
    answers: &BTreeMap<String, String>,
    assume_rest: bool,
) -> Result<(), Refusal> {
    let open = std::mem::take(&mut builder.head.open);
    let (closed, open): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|open| assume_rest || answers.contains_key(&open.question.id));
    builder.head.open = open;
    if closed.is_empty() {
        return Err(Refusal::NothingAsked);
    }
    let closed: Vec<_> = closed
        .into_iter()
        .map(|open| (open.task, answered(open.question, answers)))
        .collect();
    builder.record(HistoryEvent::Answered {
        answers: closed
            .iter()
            .map(|(_, answered)| answered.clone())
            .collect(),
    });
    for (task, answered) in closed {
        match task {
            None => builder.head.answers.push(answered),
            Some(task) => question::resolve(builder, task, answered.answer, answered.assumed),
        }
    }
    let brief_is_clear = builder.head.open.iter().all(|open| open.task.is_some());
    if brief_is_clear
        && builder.head.state
            == (State::WaitingClient {
                waits: WaitingOn::Planning,
            })
    {
        plan::begin(builder);
    }
    Ok(())
}

fn answered(question: Question, answers: &BTreeMap<String, String>) -> Answered {
    match answers.get(&question.id) {
        Some(answer) => Answered {
            answer: answer.clone(),
            question,
            assumed: false,
        },
        None => begin::assumed(question),
    }
}
