//! Prompt of a work task: a writer makes one part of the deliverable.

use chorus_core::brief::{Answered, Section};
use chorus_core::id::TaskKey;
use chorus_core::llm::Request;
use chorus_core::merge::Term;
use chorus_core::plan::{PlannedFile, PlannedTask};
use chorus_core::sizes::TokenBudget;

use super::blocks::Turn;
use super::request::Draft;

/// A part with all that its writer needs.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// Title of the project.
    pub title: &'a str,
    /// Text of the brief.
    pub brief: &'a str,
    /// Answers of the client about the brief, and assumptions.
    pub known: &'a [Answered],
    /// Entry of the task in the plan.
    pub task: &'a PlannedTask,
    /// File that contains the result; none when only other tasks read it.
    pub file: Option<&'a PlannedFile>,
    /// Sections of attachments that the task reads.
    pub inputs: &'a [Input<'a>],
    /// Results of parent tasks.
    pub results: &'a [ParentResult<'a>],
    /// Terms defined by those results.
    pub glossary: &'a [Term],
    /// Questions about this task with their answers.
    pub answers: &'a [Answered],
    /// Feedback on an earlier result; none for a first attempt.
    pub rework: Option<Rework<'a>>,
    /// Tokens that the answer may have.
    pub budget: TokenBudget,
}

/// A section with its text.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Entry of the section in the outline.
    pub section: &'a Section,
    /// Text of the section.
    pub text: &'a str,
}

/// Result of a parent task.
#[derive(Debug, Clone, Copy)]
pub struct ParentResult<'a> {
    /// Key of the parent.
    pub task: &'a TaskKey,
    /// Title of the parent.
    pub title: &'a str,
    /// Text of the result.
    pub text: &'a str,
}

/// Feedback on a result that must be made again.
#[derive(Debug, Clone, Copy)]
pub struct Rework<'a> {
    /// Changes that the judge asks for.
    pub feedback: &'a str,
    /// Text of the earlier result.
    pub previous: &'a str,
}

/// Maximum number of characters of the brief in the prompt.
const BRIEF: usize = 6_000;
/// Maximum number of characters of answers about the brief, questions included.
const KNOWN: usize = 4_000;

const RULES: &str = r#"
Your step: make one part of the deliverable. <instructions> says which, <acceptance> how it will be judged; <project> is the client's
whole brief, for orientation only: other parts of it are made by others, so do not do their work. <answers> says what the client decided
about the brief, or what is assumed: keep to whatever of it concerns your part.
Answer with the text of the part itself, complete and ready for the client, in the form that the media type in <output> asks for: no
greeting, no announcement, no remark about yourself or the work, no code fence around the whole. The text
is put into that file beside other parts exactly as you write it. Aim at the number of tokens given there; never pad, never stop early,
never leave a placeholder. An empty path means that only other tasks read your text: then write what they need, without ornament.
If `parts` there is more than 1, other parts stand in the same file: of a JSON file write one array or one object with keys of your own
(arrays are joined, objects are united), of a CSV file the header and your records, of TOML or YAML whole tables or top-level keys of your own, of code what
fits between the others. If the file is to be empty, answer with an empty code fence.
Use the terms of <glossary> exactly as given there. If <feedback> is there, an earlier result was not enough: answer with a whole new
text that mends every point, those of earlier rounds too, and keeps what was good in <previous>.

After the text, add one fenced block if, and only if, there is something to put into it:
```chorus
{"facts":[{"subject":"…","value":"…","quote":"…"}],"terms":[{"term":"…","meaning":"…"}]}
```
`facts`: statements of the sections you read that other parts may also speak of and that would be wrong if they differed: dates, ages,
numbers, names, who did what. The `subject` names exactly what is meant, with
the words of the source and without the value ("height of the lighthouse at Varn"), so that two readers of different chapters would
choose the same one; `value` is short ("42 metres"); `quote` is the sentence of the source, word for word.
`terms`: terms of the source that recur and that a reader may need explained, with their meaning there in one sentence.
This block is taken off before the text is used.

If you cannot go on without knowing something that none of the blocks tells and that no reasonable assumption can replace, answer with
one line only: QUESTION: and the question. Do so only then.
"#;

/// Builds the request of a work task. Its answer is parsed by [`read_result`](chorus_core::merge::read_result).
pub fn work(input: &Work<'_>) -> Request {
    let task = input.task;
    let mut turn = Turn::of("work");
    turn.long(
        "project",
        &[("title", input.title)],
        &beginning(input.brief),
    );
    turn.answers(that_fit(input.known));
    turn.long("instructions", &[], &task.instructions);
    turn.nest("acceptance", &[], |turn| {
        for line in &task.acceptance {
            turn.short("item", &[], line);
        }
    });
    let (path, media_type) = input
        .file
        .map_or(("", "text/markdown"), |file| (&file.path, &file.media_type));
    let parts = input.file.map_or(1, |file| file.parts.len());
    let (tokens, parts) = (task.output_tokens.to_string(), parts.to_string());
    let mut attributes = vec![
        ("path", path),
        ("media_type", media_type),
        ("tokens", tokens.as_str()),
    ];
    if parts != "1" {
        attributes.push(("parts", &parts));
    }
    turn.mark("output", &attributes);
    material(input, &mut turn);
    for answered in input.answers {
        turn.short(
            "answer",
            &[("question", &answered.question.text)],
            &answered.answer,
        );
    }
    if let Some(Rework { feedback, previous }) = input.rework {
        turn.long("feedback", &[], feedback);
        turn.long("previous", &[], previous);
    }
    let answer = task
        .output_tokens
        .saturating_add(task.output_tokens / 2)
        .saturating_add(800);
    Draft {
        rules: RULES.into(),
        turn: turn.finish(),
        max_tokens: input.budget.max_tokens(answer),
        temperature: 0.3,
    }
    .for_text()
}

fn material(input: &Work<'_>, turn: &mut Turn) {
    for Input { section, text } in input.inputs {
        turn.long(
            "input",
            &[
                ("section", section.id.0.as_str()),
                ("title", &section.title),
            ],
            text,
        );
    }
    for ParentResult { task, title, text } in input.results {
        turn.long("result", &[("task", task.as_str()), ("title", title)], text);
    }
    if !input.glossary.is_empty() {
        turn.nest("glossary", &[], |turn| {
            for term in input.glossary {
                turn.short("term", &[("name", &term.term)], &term.meaning);
            }
        });
    }
}

/// The longest prefix that fits [`KNOWN`]; answers of the client come before assumptions.
fn that_fit(known: &[Answered]) -> &[Answered] {
    let mut left = KNOWN;
    let fits = |answered: &&Answered| {
        let length = answered.question.text.chars().count() + answered.answer.chars().count();
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    };
    &known[..known.iter().take_while(fits).count()]
}

fn beginning(brief: &str) -> String {
    match brief.char_indices().nth(BRIEF) {
        Some((end, _)) => format!("{}…", &brief[..end]),
        None => brief.to_owned(),
    }
}
