//! A client's answers to open questions.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decision::{Interrupt, Refusal};
use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, State, WaitingOn};
use super::{open_questions, plan, worker_question};
use crate::brief::{Answered, Question};

/// Questions that the client answers by their defaults.
pub(super) enum Assumed {
    /// None of them.
    None,
    /// All that are open.
    All,
    /// Those that the client has seen.
    Seen(BTreeSet<String>),
}

impl Assumed {
    pub(super) fn of(assume_rest: bool, seen: Option<BTreeSet<String>>) -> Self {
        match (assume_rest, seen) {
            (false, _) => Self::None,
            (true, None) => Self::All,
            (true, Some(seen)) => Self::Seen(seen),
        }
    }

    fn contains(&self, question: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Seen(seen) => seen.contains(question),
        }
    }
}

/// Closes the questions that are answered or assumed.
pub(super) fn fold(
    builder: &mut DecisionBuilder<'_>,
    answers: &BTreeMap<String, String>,
    assumed: &Assumed,
) -> Result<(), Interrupt> {
    let open = std::mem::take(&mut builder.head.open);
    let (closed, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|open| {
        assumed.contains(&open.question.id) || answers.contains_key(&open.question.id)
    });
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
