//! From the submission to a clear brief.

use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, OpenQuestion, State, Subject, Task, TaskState, WaitingOn};
use super::{Refusal, client, plan};
use crate::artifact::ArtifactHash;
use crate::brief::{Answered, Clarification, Question};
use crate::id::{TaskId, TaskKey};
use crate::plan::ParentPolicy;
use crate::task_kind::TaskKind;
use crate::time::Millis;

/// Tokens that a steering task's answer is expected to have.
const STEERING_TOKENS: u32 = 1_000;

pub(super) fn submit(
    builder: &mut DecisionBuilder<'_>,
    outline: ArtifactHash,
) -> Result<(), Refusal> {
    if builder.head.state != State::Submitted {
        return Err(client::not_now(builder, "submit"));
    }
    builder.head.outline = Some(outline);
    builder.record(HistoryEvent::Submitted);
    let task = steer(
        builder,
        TaskKind::Clarify,
        TaskKey::new("clarify"),
        "Find what is unclear in the brief",
        Subject::Itself,
    );
    builder.enter(State::Clarifying { task });
    Ok(())
}

/// Makes one of the tasks that steer a project, and has it done.
pub(super) fn steer(
    builder: &mut DecisionBuilder<'_>,
    kind: TaskKind,
    key: TaskKey,
    title: &str,
    about: Subject,
) -> TaskId {
    let id = TaskId::new(builder.number());
    builder.add(Task {
        id,
        key,
        kind,
        plan_version: builder.head.plan_version(),
        title: title.to_owned(),
        parents: Vec::new(),
        children: Vec::new(),
        policy: ParentPolicy::All,
        output_tokens: STEERING_TOKENS,
        path: builder.head.plan.map_or(Millis::ZERO, |plan| plan.path),
        about,
        answers: Vec::new(),
        rework: None,
        superseded_by: None,
        state: TaskState::Pending {
            succeeded: 0,
            over: 0,
        },
    });
    builder.queue(id, 1, Vec::new(), "");
    id
}

/// The planner said what is unclear, or could not say: then nothing is.
pub(super) fn clarified(builder: &mut DecisionBuilder<'_>, clarification: Clarification) {
    let Clarification {
        questions,
        assumptions,
    } = clarification;
    builder.head.assumptions.clone_from(&assumptions);
    builder.record(HistoryEvent::Clarified { assumptions });
    if questions.is_empty() {
        return plan::begin(builder);
    }
    if builder.head.options.assume {
        let answers: Vec<_> = questions.into_iter().map(assumed).collect();
        builder.head.answers.extend(answers.clone());
        builder.record(HistoryEvent::Answered { answers });
        return plan::begin(builder);
    }
    let questions: Vec<_> = questions
        .into_iter()
        .map(|question| super::ask::numbered(builder, question))
        .collect();
    let open = questions.iter().map(|question| OpenQuestion {
        question: question.clone(),
        task: None,
    });
    builder.head.open.extend(open);
    builder.record(HistoryEvent::QuestionsAsked {
        questions,
        task: None,
    });
    builder.enter(State::WaitingClient {
        waits: WaitingOn::Planning,
    });
}

/// The question with its default for an answer.
pub(super) fn assumed(question: Question) -> Answered {
    let answer = if question.default.is_empty() {
        super::ask::NOBODY_KNOWS.to_owned()
    } else {
        question.default.clone()
    };
    Answered {
        question,
        answer,
        assumed: true,
    }
}
