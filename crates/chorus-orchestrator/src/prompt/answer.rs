//! A worker asks; the planner answers, or says that only the client can.

use chorus_core::brief::Answered;
use chorus_core::llm::Request;
use chorus_core::plan::PlannedTask;
use serde_json::json;

use super::blocks::Turn;
use super::request::{Draft, Room};
use super::schema;

/// A worker's question.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The brief's text.
    pub brief: &'a str,
    /// What was asked before, and what was answered or assumed.
    pub answers: &'a [Answered],
    /// The task whose worker asks.
    pub task: &'a PlannedTask,
    /// The question.
    pub question: &'a str,
    /// What was wrong with the answer before; empty the first time.
    pub refused: &'a [String],
    /// Room to answer.
    pub room: Room,
}

const RULES: &str = r#"
Your step: a worker that makes one part asks a question; answer it so that the work can go on. Decide as a careful professional would,
from the brief and what was answered before; an answer that could be guessed is given
as a decision, in one to three sentences, without reasons. Pass the question on to the client only if a wrong guess would make the part
worthless and nothing in the brief helps; then give a default on which work can go on if nobody replies.
Use the language of the question.

Form: {"answer":"…"} or {"ask_client":{"text":"…","why":"…","options":["…"],"default":"…"}}
"#;

/// Asks the planner for an answer to a worker's question.
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
        max_tokens: input.room.of(1_200),
        temperature: 0.2,
    };
    draft.for_json("answer", form, true)
}
