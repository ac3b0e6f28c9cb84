//! Prompt of the plan task: the planner splits the work into a graph of tasks.

use chorus_core::brief::{Answered, Outline};
use chorus_core::llm::Request;
use chorus_core::plan::Limits;
use chorus_core::sizes::TokenBudget;
use serde_json::{Value, json};

use super::blocks::Turn;
use super::outline_block;
use super::request::Draft;
use super::schema;

/// A brief with all that the planner needs.
#[derive(Debug, Clone, Copy)]
pub struct Planning<'a> {
    /// Text of the brief.
    pub brief: &'a str,
    /// Questions about the brief with their answers or assumptions.
    pub answers: &'a [Answered],
    /// Sections of the attachments.
    pub outline: &'a Outline,
    /// Limits of the plan and its tasks, shown to the planner.
    pub limits: Limits,
    /// Faults of the answer before; empty for a first attempt.
    pub refused: &'a [String],
    /// Tokens that the answer may have.
    pub budget: TokenBudget,
}

/// Minimum of `max_tokens` for a plan: thinking planners used up to 17,000 tokens before their first line.
const LEAST_TOKENS: u32 = 24_000;

const RULES: &str = r#"
Your step: plan the work as a graph of tasks that other models carry out, most of them at the same time, each in one call that sees only
what you give it.

How to split
1. Make the plan wide and shallow. Tasks that do not need each other's results must not depend on each other; time is decided by the
longest chain. A chain of more than three or four tasks is rarely right.
2. Let tasks read the sections of the attachments directly. Depend on another task only where its result is really needed (a text that
builds on a summary, a test of code that must know an interface). What only has
   to be put together needs no task: files are merged from their parts by a program, in the order you list them.
3. One task for each natural unit: a chapter, a module, a question. Not one for each sentence, and not one for everything. For work that
is the same for many sections write one task with `"for_each": "section"`;
   it becomes one task a section, at the same time, and costs you few words. `{section}` in its texts becomes the section's title.
4. Use the agreement of parallel tasks: whatever several of them must have in common (terms, spelling, names of functions and files,
tone, tense, layout, heading levels) is written out in the instructions of each.
5. A task whose sections and parents' results together exceed `input_tokens`, or whose result exceeds `max_output_tokens`, must be
split. Never plan more than `max_tasks` tasks, copies included.

How to write a task
Each task must be complete in itself; the model that does it sees the brief, its own instructions, its sections and the results of its
parents, but not this plan. Its `instructions` say the objective, what exactly to
produce (form, headings and their level, length, language, what it begins and ends with), what to read and how to use it, and the
boundary: what belongs to other tasks and must be left out.
`acceptance` has one to four lines that somebody could check by reading the result (numbers, required headings in backticks, things that
must be there). `output_tokens` is the honest size of the result.

The rubric
`requirements` lists what the deliverable must have so that the client is satisfied: everything that the brief asks for explicitly,
point by point, each checkable on the finished files, and nothing it does not ask for. Every
requirement is covered by at least one task, and every task covers at least one.

The files
`files` lists what the client receives: relative paths, media types, and the parts in their order. Every task gives a part to a file or
is a parent of one that does. The part of a task goes into the file as it is,
so only the first one writes the file's title, and code must fit together with the parts around it. Several parts of one JSON file must
all be arrays, or objects that share no key; those of a CSV file must have the same header. A file that is to be empty, such as `__init__.py`, has no parts. `{"glossary":"Heading"}` is a part
made by a program from the terms that all tasks report, each once: use it instead of a task when
a glossary is wanted. `{"conflicts":"Heading"}` is a part that lists where sources contradict each other: add it to the main document
when texts are summarised or compared.

`policy` is "all" unless a task can start with fewer of its parents ("any", "settled", {"at_least": n}).
Write titles and instructions in the language in which the deliverable is to be written.

Form:
{"title":"…","assumptions":["…"],"requirements":[{"id":"r1","text":"…"}],
 "tasks":[{"id":"t1","title":"…","instructions":"…","for_each":"section","sections":["d1.*"],"depends_on":[],"policy":"all","covers":["r1"],"acceptance":["…"],"output_tokens":400}],
 "files":[{"path":"guide.md","media_type":"text/markdown","parts":[{"task":"t1"},{"glossary":"Glossary"},{"conflicts":"Contradictions in the source"}]}]}
Leave `for_each` out of tasks that stand for themselves. `sections` takes ids, `*`, `d1.*` or a range `d1.2-d1.5`. A part or parent that
names a task with `for_each` means all its copies in order; in such a task `"depends_on":["t1.{n}"]`
means only the copy of t1 for the same section. A file with `{n}` in its path and one such part becomes one file for each copy.
"#;

/// Builds the request of a plan task. Its answer is parsed by [`read`](chorus_core::plan::read).
pub fn plan(input: &Planning<'_>) -> Request {
    let mut turn = Turn::of("plan");
    turn.long("brief", &[], input.brief);
    turn.answers(input.answers);
    turn.written(&outline_block::of(input.outline, input.brief));
    let Limits {
        max_tasks,
        max_output_tokens,
        input_tokens,
    } = input.limits;
    let numbers = [
        max_tasks.to_string(),
        max_output_tokens.to_string(),
        input_tokens.to_string(),
    ];
    turn.mark(
        "limits",
        &[
            ("max_tasks", &numbers[0]),
            ("max_output_tokens", &numbers[1]),
            ("input_tokens", &numbers[2]),
        ],
    );
    turn.refused(input.refused);
    let max_tokens = input
        .budget
        .max_tokens(12_000)
        .max(LEAST_TOKENS)
        .min(input.budget.ceiling.max(1));
    let draft = Draft {
        rules: RULES.into(),
        turn: turn.finish(),
        max_tokens,
        temperature: 0.6,
    };
    draft.for_json("plan", form(), false)
}

/// JSON schema of a plan. Not strict: parts and policies have several forms, and `for_each` is optional.
fn form() -> Value {
    let task = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "title": {"type": "string"},
            "instructions": {"type": "string"},
            "for_each": {"type": "string", "enum": ["section"]},
            "sections": schema::texts(),
            "depends_on": schema::texts(),
            "policy": {"anyOf": [
                {"type": "string", "enum": ["all", "any", "settled"]},
                schema::object(&[("at_least", json!({"type": "integer"}))]),
            ]},
            "covers": schema::texts(),
            "acceptance": schema::texts(),
            "output_tokens": {"type": "integer"},
        },
        "required": ["id", "title", "instructions", "covers", "acceptance", "output_tokens"],
    });
    let parts =
        ["task", "glossary", "conflicts"].map(|kind| schema::object(&[(kind, schema::text())]));
    let part = json!({ "anyOf": parts });
    let file = schema::object(&[
        ("path", schema::text()),
        ("media_type", schema::text()),
        ("parts", schema::list(&part)),
    ]);
    let requirement = schema::object(&[("id", schema::text()), ("text", schema::text())]);
    json!({
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "assumptions": schema::texts(),
            "requirements": schema::list(&requirement),
            "tasks": schema::list(&task),
            "files": schema::list(&file),
        },
        "required": ["title", "requirements", "tasks", "files"],
    })
}
