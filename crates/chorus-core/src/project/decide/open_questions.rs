//! Questions that wait for the client, and the answers that stand in for them.

use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, OpenQuestion, TaskRef};
use crate::brief::{Answered, Question};

/// Answer for a question without a default that is assumed. Prompts quote it.
pub(super) const DEFAULT_ANSWER: &str =
    "Nobody can say. Choose what serves the brief best and state the assumption.";

/// Gives the question the next id that this project has not used.
pub(super) fn with_next_id(builder: &mut DecisionBuilder<'_>, mut question: Question) -> Question {
    builder.head.asked = builder.head.asked.saturating_add(1);
    question.id = format!("q{}", builder.head.asked);
    question
}

/// Asks the client on behalf of a task.
pub(super) fn ask_for_task(builder: &mut DecisionBuilder<'_>, task: TaskRef, question: Question) {
    let question = with_next_id(builder, question);
    builder.head.open.push(OpenQuestion {
        question: question.clone(),
        task: Some(task.id),
    });
    builder.push_event(HistoryEvent::QuestionsAsked {
        questions: vec![question],
        task: Some(task),
    });
}

/// Answers the question with its default.
pub(super) fn assumed(question: Question) -> Answered {
    let answer = if question.default.is_empty() {
        DEFAULT_ANSWER.to_owned()
    } else {
        question.default.clone()
    };
    Answered {
        question,
        answer,
        assumed: true,
    }
}
