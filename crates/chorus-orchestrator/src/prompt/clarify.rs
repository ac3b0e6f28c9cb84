//! Prompt of the clarify task: the planner lists questions about a brief and its assumptions.

use chorus_core::brief::Outline;
use chorus_core::llm::Request;
use chorus_core::sizes::TokenBudget;

use super::blocks::Turn;
use super::outline_block;
use super::request::Draft;
use super::schema;

/// A brief before it is planned.
#[derive(Debug, Clone, Copy)]
pub struct Clarify<'a> {
    /// Text of the brief.
    pub brief: &'a str,
    /// Sections of the attachments.
    pub outline: &'a Outline,
    /// Faults of the answer before; empty for a first attempt.
    pub refused: &'a [String],
    /// Tokens that the answer may have.
    pub budget: TokenBudget,
}

const RULES: &str = r#"
Your step: decide whether the brief can be worked on as it is.
Ask only what the client alone can decide and what would change the deliverable: its form, its readers, its language, its scope,
contradictory wishes. Do not ask what the brief or
the outline answers, what a careful professional would simply decide, or for permission. A brief that is clear gets no questions, and
most briefs are clear. At most five questions, the most important first.
Every question has a default: the answer that you would assume if nobody replied, chosen so that work can go on well. Give two to four
options where answers are few.
Put what you take for granted anyway, and did not need to ask, into `assumptions`, each as one sentence that could be shown to the client.
Write questions and assumptions in the language of the brief.

Form: {"questions":[{"id":"q1","text":"…","why":"what depends on it","options":["…"],"default":"…"}],"assumptions":["…"]}
"#;

/// Builds the request of a clarify task. Its answer is parsed by
/// [`read_clarification`](chorus_core::brief::read_clarification).
pub fn clarify(input: &Clarify<'_>) -> Request {
    let mut turn = Turn::of("clarify");
    turn.long("brief", &[], input.brief);
    turn.written(&outline_block::of(input.outline, input.brief));
    turn.refused(input.refused);
    let mut question = vec![("id", schema::text())];
    question.extend(schema::question());
    let form = schema::object(&[
        ("questions", schema::list(&schema::object(&question))),
        ("assumptions", schema::texts()),
    ]);
    let draft = Draft {
        rules: RULES.into(),
        turn: turn.finish(),
        max_tokens: input.budget.max_tokens(3_000),
        temperature: 0.3,
    };
    draft.for_json("clarification", form, true)
}
