//! From the submission to a clear brief.

use super::super::draft::Draft;
use super::super::{About, HistoryEvent, OpenQuestion, State, Task, TaskState, Waits};
use super::{Refusal, client, plan};
use crate::brief::{Answered, Clarification, Question};
use crate::delivery::{ArtifactHash, TaskKind};
use crate::id::{TaskId, TaskKey};
use crate::plan::ParentPolicy;
use crate::time::Millis;

/// Tokens that a steering task's answer is expected to have.
const STEERING_TOKENS: u32 = 1_000;

pub(super) fn submit(draft: &mut Draft<'_>, outline: ArtifactHash) -> Result<(), Refusal> {
    if draft.head.state != State::Submitted {
        return Err(client::not_now(draft, "submit"));
    }
    draft.head.outline = Some(outline);
    draft.record(HistoryEvent::Submitted);
    let task = steer(
        draft,
        TaskKind::Clarify,
        TaskKey::new("clarify"),
        "Find what is unclear in the brief",
        About::Itself,
    );
    draft.enter(State::Clarifying { task });
    Ok(())
}

/// Makes one of the tasks that steer a project, and has it done.
pub(super) fn steer(
    draft: &mut Draft<'_>,
    kind: TaskKind,
    key: TaskKey,
    title: &str,
    about: About,
) -> TaskId {
    let id = TaskId::new(draft.number());
    draft.add(Task {
        id,
        key,
        kind,
        plan_version: draft.head.plan_version(),
        title: title.to_owned(),
        parents: Vec::new(),
        children: Vec::new(),
        policy: ParentPolicy::All,
        output_tokens: STEERING_TOKENS,
        path: draft.head.plan.map_or(Millis::ZERO, |plan| plan.path),
        about,
        answers: Vec::new(),
        rework: None,
        superseded_by: None,
        state: TaskState::Pending {
            succeeded: 0,
            over: 0,
        },
    });
    draft.queue(id, 1, Vec::new(), "");
    id
}

/// The planner said what is unclear, or could not say: then nothing is.
pub(super) fn clarified(draft: &mut Draft<'_>, clarification: Clarification) {
    let Clarification {
        questions,
        assumptions,
    } = clarification;
    draft.head.assumptions.clone_from(&assumptions);
    draft.record(HistoryEvent::Clarified { assumptions });
    if questions.is_empty() {
        return plan::begin(draft);
    }
    if draft.head.options.assume {
        let answers: Vec<_> = questions.into_iter().map(assumed).collect();
        draft.head.answers.extend(answers.clone());
        draft.record(HistoryEvent::Answered { answers });
        return plan::begin(draft);
    }
    let questions: Vec<_> = questions
        .into_iter()
        .map(|question| super::ask::numbered(draft, question))
        .collect();
    let open = questions.iter().map(|question| OpenQuestion {
        question: question.clone(),
        task: None,
    });
    draft.head.open.extend(open);
    draft.record(HistoryEvent::QuestionsAsked {
        questions,
        task: None,
    });
    draft.enter(State::WaitingClient {
        waits: Waits::Planning,
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
