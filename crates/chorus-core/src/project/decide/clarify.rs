//! From the submission to a clear brief.

use super::super::decision::{Inconsistency, Interrupt};
use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, OpenQuestion, State, Subject, WaitingOn};
use super::{open_questions, plan, steering};
use crate::artifact::ArtifactHash;
use crate::brief::Clarification;
use crate::id::TaskKey;
use crate::task_kind::TaskKind;

pub(super) fn submit(
    builder: &mut DecisionBuilder<'_>,
    outline: ArtifactHash,
) -> Result<(), Interrupt> {
    if *builder.state() != State::Submitted {
        return Err(builder.not_now("submit").into());
    }
    builder.head.outline = Some(outline);
    builder.push_event(HistoryEvent::Submitted);
    begin(builder)?;
    Ok(())
}

/// Asks the planner what is unclear in the brief.
pub(super) fn begin(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    let task = steering::begin(
        builder,
        TaskKind::Clarify,
        TaskKey::new("clarify"),
        "Find what is unclear in the brief",
        Subject::Itself,
    )?;
    builder.enter(State::Clarifying { task })?;
    Ok(())
}

/// Folds the planner's clarification. An empty one stands in for an answer that could not be had.
pub(super) fn clarified(
    builder: &mut DecisionBuilder<'_>,
    clarification: Clarification,
) -> Result<(), Inconsistency> {
    let Clarification {
        questions,
        assumptions,
    } = clarification;
    builder.head.assumptions.clone_from(&assumptions);
    builder.push_event(HistoryEvent::Clarified { assumptions });
    if questions.is_empty() {
        return plan::begin(builder);
    }
    if builder.head.options.assume {
        let answers: Vec<_> = questions.into_iter().map(open_questions::assumed).collect();
        builder.head.answers.extend(answers.clone());
        builder.push_event(HistoryEvent::Answered { answers });
        return plan::begin(builder);
    }
    let questions: Vec<_> = questions
        .into_iter()
        .map(|question| open_questions::with_next_id(builder, question))
        .collect();
    let open = questions.iter().map(|question| OpenQuestion {
        question: question.clone(),
        task: None,
    });
    builder.head.open.extend(open);
    builder.push_event(HistoryEvent::QuestionsAsked {
        questions,
        task: None,
    });
    builder.enter(State::WaitingClient {
        waits: WaitingOn::Planning,
    })?;
    Ok(())
}
