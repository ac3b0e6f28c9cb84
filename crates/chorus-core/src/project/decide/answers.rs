//! A client's answers to open questions.

use std::collections::BTreeMap;

use super::super::decision::{Interrupt, Refusal};
use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, State, WaitingOn};
use super::{open_questions, plan, worker_question};
use crate::brief::{Answered, Question};

/// Closes the questions that are answered, or all of them when the rest is to be assumed.
pub(super) fn fold(
    builder: &mut DecisionBuilder<'_>,
    answers: &BTreeMap<String, String>,
    assume_rest: bool,
) -> Result<(), Interrupt> {
    let open = std::mem::take(&mut builder.head.open);
    let (closed, open): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|open| assume_rest || answers.contains_key(&open.question.id));
    builder.head.open = open;
    if closed.is_empty() {
        return Err(Refusal::NothingAsked.into());
    }
    let closed: Vec<_> = closed
        .into_iter()
        .map(|open| (open.task, answered(open.question, answers)))
        .collect();
    builder.push_event(HistoryEvent::Answered {
        answers: closed
            .iter()
            .map(|(_, answered)| answered.clone())
            .collect(),
    });
    for (task, answered) in closed {
        match task {
            None => builder.head.answers.push(answered),
            Some(task) => {
                worker_question::close(builder, task, answered.answer, answered.assumed)?;
            }
        }
    }
    let brief_is_clear = builder.head.open.iter().all(|open| open.task.is_some());
    let planning_waits = State::WaitingClient {
        waits: WaitingOn::Planning,
    };
    if brief_is_clear && *builder.state() == planning_waits {
        plan::begin(builder)?;
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
        None => open_questions::assumed(question),
    }
}
