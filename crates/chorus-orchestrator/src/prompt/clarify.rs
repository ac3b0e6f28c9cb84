//! What is unclear in a brief?

use chorus_core::brief::Outline;
use chorus_core::llm::Request;

use super::blocks::Turn;
use super::request::{Draft, Room};
use super::schema;

/// A brief that somebody should look at before work is planned.
#[derive(Debug, Clone, Copy)]
pub struct Clarify<'a> {
    /// The brief's text.
    pub brief: &'a str,
    /// The sections of its attachments.
    pub outline: &'a Outline,
    /// What was wrong with the answer before; empty the first time.
    pub refused: &'a [String],
    /// Room to answer.
    pub room: Room,
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

/// Asks the planner what is unclear.
pub fn clarify(input: &Clarify<'_>) -> Request {
    let mut turn = Turn::of("clarify");
    turn.long("brief", &[], input.brief);
    turn.outline(input.outline);
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
        max_tokens: input.room.of(3_000),
        temperature: 0.3,
    };
    draft.for_json("clarification", form, true)
}
