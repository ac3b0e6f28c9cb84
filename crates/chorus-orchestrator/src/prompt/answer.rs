//! Prompt of an answer task: the planner answers the question of a writer, or passes it on to the client.

use chorus_core::brief::Answered;
use chorus_core::llm::Request;
use chorus_core::plan::PlannedTask;
use chorus_core::sizes::TokenBudget;
use serde_json::json;

use super::blocks::Turn;
use super::request::Draft;
use super::schema;

/// A question of a writer about its task.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Text of the brief.
    pub brief: &'a str,
    /// Earlier questions with their answers or assumptions.
    pub answers: &'a [Answered],
    /// Task that the question is about.
    pub task: &'a PlannedTask,
    /// Text of the question.
    pub question: &'a str,
    /// Faults of the answer before; empty for a first attempt.
    pub refused: &'a [String],
    /// Tokens that the answer may have.
    pub budget: TokenBudget,
}

const RULES: &str = r#"
Your step: a worker that makes one part asks a question; answer it so that the work can go on. Decide as a careful professional would,
from the brief and what was answered before; an answer that could be guessed is given
as a decision, in one to three sentences, without reasons. Pass the question on to the client only if a wrong guess would make the part
worthless and nothing in the brief helps; then give a default on which work can go on if nobody replies.
Use the language of the question.

Form: {"answer":"…"} or {"ask_client":{"text":"…","why":"…","options":["…"],"default":"…"}}
"#;

/// Builds the request of an answer task. Its answer is parsed by [`read_answer`](chorus_core::brief::read_answer).
pub fn answer(input: &Answer<'_>) -> Request {
    let mut turn = Turn::of("answer");
    turn.long("brief", &[], input.brief);
    turn.answers(input.answers);
    turn.short(
        "question",
        &[
            ("task", input.task.key.as_str()),
            ("title", &input.task.title),
        ],
        input.question,
    );
    turn.refused(input.refused);
    let ask = json!({"anyOf": [schema::object(&schema::question()), {"type": "null"}]});
    let form = schema::object(&[("answer", schema::text_or_null()), ("ask_client", ask)]);
    let draft = Draft {
        rules: RULES.into(),
        turn: turn.finish(),
        max_tokens: input.budget.max_tokens(1_200),
        temperature: 0.2,
    };
    draft.for_json("answer", form, true)
}
