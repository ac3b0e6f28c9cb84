//! Prompt of a judge task: the judge checks files against the requirements of the plan.

use chorus_core::brief::Answered;
use chorus_core::id::TaskKey;
use chorus_core::llm::Request;
use chorus_core::merge::JudgeChunk;
use chorus_core::plan::Plan;
use chorus_core::sizes::TokenBudget;
use chorus_core::verdict::Undecided;
use serde_json::json;

use super::blocks::Turn;
use super::request::Draft;
use super::schema;

/// A deliverable, or an excerpt of one, with the plan that made it.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// Text of the brief.
    pub brief: &'a str,
    /// Answers of the client about the brief, and assumptions.
    pub answers: &'a [Answered],
    /// Plan with the requirements.
    pub plan: &'a Plan,
    /// Files shown to the judge, and the requirements that are asked about.
    pub chunk: &'a JudgeChunk,
    /// Uncertain findings of the checks, which the judge confirms or overrules.
    pub suspected: &'a [Undecided],
    /// Findings of the judges of excerpts on what they left undecided; none for these judges.
    pub open: Option<&'a [Undecided]>,
    /// Faults of the answer before; empty for a first attempt.
    pub refused: &'a [String],
    /// Tokens that the answer may have.
    pub budget: TokenBudget,
}

const RULES: &str = r#"
Your step: judge the finished files against the rubric, one item for each <requirement>, in the order given. You are not the author, and
praise helps nobody; but what is there is there. <answers> says what the client decided about the brief, or what is assumed: the files keep to it.
First find the evidence, then decide. `finding` is one of
- "met": a reader who wanted just that would find it in the files. `evidence` quotes the words of the file that show it, exactly and
briefly, with the file's path. Style, length and taste count only where the requirement speaks of them. What merely sounds right is not
evidence, and neither is a count of nothing: where none of a thing is there that should be there, the requirement is not met.
- "not_met": something that the requirement asks for is missing or wrong. `evidence` says what, and where you looked.
- "cannot_tell": what you see does not decide it, because it depends on text, sources or results that are not shown to you. `evidence` says
what you saw of it, and what would have to be known. This is an honest answer; a guess is not.
The lines [[part t1]] and [[end t1]] frame the part that task t1 made; they are not in the client's files. For a requirement that is not
met, `redo` names the fewest tasks whose parts must be made again (normally among the `tasks` of that
requirement), and `feedback` tells them, in one to three sentences and in the language of the deliverable, exactly what must be
different. Otherwise `redo` is [] and `feedback` is "".
<suspected> is what a program noticed and may be wrong about: look there yourself, and judge the requirement by what you find.
"#;

const EXCERPT: &str = r#"
<excerpt /> says that you see one excerpt of a longer deliverable; other judges see the rest. Give every requirement its item all the same:
"met" only if this excerpt alone shows it for the whole deliverable, "not_met" only if something in this excerpt is wrong, else
"cannot_tell". Never call missing what may stand elsewhere. What you saw of it goes into `evidence`: a last judge decides by these notes.
"#;

const LAST: &str = r#"
<last /> says that judges of excerpts could not decide these requirements; each <note> holds what they saw. You see the whole
deliverable if it fits, else headings, first and last lines of each part, with […] for what is left out. Decide every one, "met" or
"not_met", by the notes and by what you see. What neither shows is not met.
"#;

const FORM: &str = r#"
Form: {"items":[{"requirement":"r1","finding":"met","evidence":"…","redo":[],"feedback":""}]}
"#;

/// Builds the request of a judge task. Its answer is parsed by [`read`](chorus_core::verdict::read), that of the
/// last judge by [`read_final`](chorus_core::verdict::read_final).
pub fn judge(input: &Judge<'_>) -> Request {
    let mut turn = Turn::of("judge");
    turn.long("brief", &[], input.brief);
    turn.answers(input.answers);
    let count = requirements(input, &mut turn);
    for suspected in input.suspected {
        let attributes = [("requirement", suspected.requirement.as_str())];
        turn.short("suspected", &attributes, &suspected.note);
    }
    for open in input.open.unwrap_or_default() {
        turn.long(
            "note",
            &[("requirement", &open.requirement)],
            open.note.as_str(),
        );
    }
    if input.open.is_some() {
        turn.mark("last", &[]);
    } else if !input.chunk.whole {
        turn.mark("excerpt", &[]);
    }
    for file in &input.chunk.files {
        turn.long("file", &[("path", &file.path)], &file.text);
    }
    turn.refused(input.refused);
    let (more, findings) = match input.open {
        Some(_) => (LAST, json!(["met", "not_met"])),
        None if input.chunk.whole => ("", json!(["met", "not_met", "cannot_tell"])),
        None => (EXCERPT, json!(["met", "not_met", "cannot_tell"])),
    };
    let item = [
        ("requirement", schema::text()),
        ("evidence", schema::text()),
        ("finding", json!({"type": "string", "enum": findings})),
        ("redo", schema::texts()),
        ("feedback", schema::text()),
    ];
    let form = schema::object(&[("items", schema::list(&schema::object(&item)))]);
    let draft = Draft {
        rules: format!("{RULES}{more}{FORM}"),
        turn: turn.finish(),
        max_tokens: input.budget.max_tokens(600 + 220 * count),
        temperature: 0.0,
    };
    draft.for_json("verdict", form, true)
}

/// Adds the requirements that are asked about. Returns their number.
fn requirements(input: &Judge<'_>, turn: &mut Turn) -> u32 {
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
    count
}
