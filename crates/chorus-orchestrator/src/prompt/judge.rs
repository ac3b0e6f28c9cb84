//! Prompt of a judge task: the judge checks files against the requirements of the plan.

use chorus_core::id::TaskKey;
use chorus_core::llm::Request;
use chorus_core::merge::JudgeChunk;
use chorus_core::plan::Plan;
use chorus_core::sizes::TokenBudget;
use serde_json::json;

use super::blocks::Turn;
use super::request::Draft;
use super::schema;

/// A deliverable, or an excerpt of one, with the plan that made it.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// Text of the brief.
    pub brief: &'a str,
    /// Plan with the requirements.
    pub plan: &'a Plan,
    /// Files shown to the judge, and the requirements that they decide.
    pub chunk: &'a JudgeChunk,
    /// Faults of the answer before; empty for a first attempt.
    pub refused: &'a [String],
    /// Tokens that the answer may have.
    pub budget: TokenBudget,
}

const RULES: &str = r#"
Your step: judge the finished files against the rubric, one item for each <requirement>, in the order given. You are not the author, and
praise helps nobody; but what is there is there.
First find the evidence, then decide. `evidence` for a requirement that is met: the words of the file that show it, quoted exactly and
briefly, with the file's path. For one that is not met: what is missing or wrong, and where you
looked. A requirement is met when a reader who wanted just that would find it in the files; style, length and taste count only where the
requirement speaks of them. What merely sounds right is not evidence; what you cannot find is not met.
The lines [[part t1]] and [[end t1]] frame the part that task t1 made; they are not in the client's files. For a requirement that is not
met, `redo` names the fewest tasks whose parts must be made again (normally among the `tasks` of that
requirement), and `feedback` tells them, in one to three sentences and in the language of the deliverable, exactly what must be
different. When it is met, `redo` is [] and `feedback` is "".
If <excerpt /> is there, you see only an excerpt: leave out requirements that it cannot decide, and do not call missing what may stand
elsewhere.

Form: {"items":[{"requirement":"r1","met":true,"evidence":"…","redo":[],"feedback":""}]}
"#;

/// Builds the request of a judge task. Its answer is parsed by [`read`](chorus_core::verdict::read).
pub fn judge(input: &Judge<'_>) -> Request {
    let mut turn = Turn::of("judge");
    turn.long("brief", &[], input.brief);
    let asked = input
        .plan
        .requirements
        .iter()
        .filter(|requirement| input.chunk.requirements.contains(&requirement.id));
    let mut count = 0;
    for requirement in asked {
        let covering = input
            .plan
            .tasks
            .iter()
            .filter(|task| task.covers.contains(&requirement.id));
        let tasks = covering
            .map(|task| &task.key)
            .map(TaskKey::as_str)
            .collect::<Vec<_>>()
            .join(",");
        turn.short(
            "requirement",
            &[("id", &requirement.id), ("tasks", &tasks)],
            &requirement.text,
        );
        count += 1;
    }
    if !input.chunk.whole {
        turn.mark("excerpt", &[]);
    }
    for file in &input.chunk.files {
        turn.long("file", &[("path", &file.path)], &file.text);
    }
    turn.refused(input.refused);
    let item = [
        ("requirement", schema::text()),
        ("met", json!({"type": "boolean"})),
        ("evidence", schema::text()),
        ("redo", schema::texts()),
        ("feedback", schema::text()),
    ];
    let form = schema::object(&[("items", schema::list(&schema::object(&item)))]);
    let draft = Draft {
        rules: RULES.into(),
        turn: turn.finish(),
        max_tokens: input.budget.max_tokens(600 + 220 * count),
        temperature: 0.0,
    };
    draft.for_json("verdict", form, true)
}
