//! One part of the deliverable.

use chorus_core::brief::{Answered, Section};
use chorus_core::id::TaskKey;
use chorus_core::llm::Request;
use chorus_core::merge::Term;
use chorus_core::plan::{PlannedFile, PlannedTask};

use super::blocks::Turn;
use super::request::{Draft, Room};

/// A part that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// What the project is called.
    pub title: &'a str,
    /// The brief's text.
    pub brief: &'a str,
    /// What was resolved about the brief: the client's answers, and what is assumed.
    pub known: &'a [Answered],
    /// The task.
    pub task: &'a PlannedTask,
    /// The file into which its result goes; none when only other tasks read it.
    pub file: Option<&'a PlannedFile>,
    /// The sections it reads.
    pub inputs: &'a [Input<'a>],
    /// The results it reads.
    pub results: &'a [Given<'a>],
    /// Terms that those results defined.
    pub glossary: &'a [Term],
    /// Questions that were asked about this task, with their answers.
    pub answers: &'a [Answered],
    /// What was wrong with an earlier result.
    pub rework: Option<Rework<'a>>,
    /// Room to answer.
    pub room: Room,
}

/// A section with its text.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The section.
    pub section: &'a Section,
    /// Its text.
    pub text: &'a str,
}

/// A parent's result.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The parent.
    pub task: &'a TaskKey,
    /// What people call it.
    pub title: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// Why a result must be made again.
#[derive(Debug, Clone, Copy)]
pub struct Rework<'a> {
    /// What should be different.
    pub feedback: &'a str,
    /// The earlier result.
    pub previous: &'a str,
}

/// Most characters of the brief that a worker is shown.
const BRIEF: usize = 6_000;
/// Most characters of what was resolved about the brief, questions included.
const KNOWN: usize = 4_000;

const RULES: &str = r#"
Your step: make one part of the deliverable. <instructions> says which, <acceptance> how it will be judged; <project> is the client's
whole brief, for orientation only: other parts of it are made by others, so do not do their work. <answers> says what the client decided
about the brief, or what is assumed: keep to whatever of it concerns your part.
Answer with the text of the part itself, complete and ready for the client, in the form that the media type in <output> asks for: no
greeting, no announcement, no remark about yourself or the work, no code fence around the whole. The text
is put into that file beside other parts exactly as you write it. Aim at the number of tokens given there; never pad, never stop early,
never leave a placeholder. An empty path means that only other tasks read your text: then write what they need, without ornament.
Use the terms of <glossary> exactly as given there. If <feedback> is there, an earlier result was not enough: answer with a whole new
text that mends every point and keeps what was good in <previous>.

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

/// Asks a worker for a part.
pub fn work(input: &Work<'_>) -> Request {
    let task = input.task;
    let mut turn = Turn::of("work");
    turn.long(
        "project",
        &[("title", input.title)],
        &beginning(input.brief),
    );
    turn.answers(first(input.known));
    turn.long("instructions", &[], &task.instructions);
    turn.open("acceptance", &[]);
    for line in &task.acceptance {
        turn.short("item", &[], line);
    }
    turn.close("acceptance");
    let (path, media_type) = input
        .file
        .map_or(("", "text/markdown"), |file| (&file.path, &file.media_type));
    turn.mark(
        "output",
        &[
            ("path", path),
            ("media_type", media_type),
            ("tokens", &task.output_tokens.to_string()),
        ],
    );
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
        max_tokens: input.room.of(answer),
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
    for Given { task, title, text } in input.results {
        turn.long("result", &[("task", task.as_str()), ("title", title)], text);
    }
    if !input.glossary.is_empty() {
        turn.open("glossary", &[]);
        for term in input.glossary {
            turn.short("term", &[("name", &term.term)], &term.meaning);
        }
        turn.close("glossary");
    }
}

/// As many as there is room for; what the client said comes before what is assumed.
fn first(known: &[Answered]) -> &[Answered] {
    let mut room = KNOWN;
    let fits = |answered: &&Answered| {
        let length = answered.question.text.chars().count() + answered.answer.chars().count();
        let fits = length <= room;
        room = room.saturating_sub(length);
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
