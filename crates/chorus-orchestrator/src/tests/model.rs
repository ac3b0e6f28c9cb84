//! A fake model that answers prompts by reading their blocks.

use chorus_core::llm::{Content, Request};
use chorus_core::task_kind::TaskKind;

/// Behaviour of the models of a test.
#[derive(Debug, Clone, Copy)]
pub(super) struct FakeModel {
    /// The planner answers with a plan.
    pub(super) plans: bool,
    /// The planner has a question about the brief.
    pub(super) unclear: bool,
    /// The worker of the whole asks before it works.
    pub(super) asks: bool,
    /// The judge accepts the deliverable in the end.
    pub(super) content: bool,
    /// Every role answers in prose until its prompt names the fault.
    pub(super) answers_in_prose: bool,
}

/// Reply of a model.
pub(super) enum Reply {
    Text(String),
    Question(String),
}

const PLAN: &str = r#"{"title":"A guide","requirements":[{"id":"r1","text":"each chapter has its part"},{"id":"r2","text":"there is a whole"}],
"tasks":[{"id":"t1","title":"Part of {section}","instructions":"Part of {section}","for_each":"section","sections":["*"],"covers":["r1"],"acceptance":["it is there"],"output_tokens":400},
{"id":"t2","title":"Whole","instructions":"Whole","depends_on":["t1"],"covers":["r2"],"acceptance":["it is there"],"output_tokens":400}],
"files":[{"path":"guide.md","media_type":"text/markdown","parts":[{"task":"t1"},{"task":"t2"},{"conflicts":"Contradictions"}]}]}"#;

impl FakeModel {
    pub(super) const fn honest() -> Self {
        Self {
            plans: true,
            unclear: false,
            asks: false,
            content: true,
            answers_in_prose: false,
        }
    }

    pub(super) fn answer(&self, kind: TaskKind, request: &Request) -> Reply {
        let turn = turn(request);
        let is_refused = block(&turn, "refused").starts_with("- ");
        Reply::Text(match kind {
            TaskKind::Work => return self.work(&turn),
            _ if self.answers_in_prose && !is_refused => "Well.".into(),
            TaskKind::Clarify if self.unclear => {
                r#"{"questions":[{"id":"q1","text":"for whom?","default":"all"}],"assumptions":[]}"#
                    .into()
            }
            TaskKind::Clarify => r#"{"questions":[],"assumptions":["in English"]}"#.into(),
            TaskKind::Plan if self.plans => PLAN.into(),
            TaskKind::Plan => "I would begin with the first chapter.".into(),
            TaskKind::Answer => r#"{"answer":"British"}"#.into(),
            TaskKind::Resolve => {
                r#"{"resolutions":[{"conflict":"c1","keep":"a","reason":"the first is nearer"}]}"#
                    .into()
            }
            TaskKind::Judge => self.judge(&turn),
        })
    }

    fn work(&self, turn: &str) -> Reply {
        let part = block(turn, "instructions");
        let answered = turn.contains("<answer question=\"which spelling?\"");
        if self.asks && part == "Whole" && !answered {
            return Reply::Question("QUESTION: which spelling?".into());
        }
        let spelling = if answered {
            ", in British spelling"
        } else {
            ""
        };
        let readers = if block(turn, "answers").contains(">students</answer>") {
            ", for students"
        } else {
            ""
        };
        let mended = if turn.contains("<feedback>") {
            ", mended"
        } else {
            ""
        };
        let parts = turn.matches("<result ").count();
        let year = if part.ends_with("Two") { 1871 } else { 1870 };
        let text = format!("## {part}\nwritten from {parts} results{spelling}{readers}{mended}.");
        if part == "Whole" {
            return Reply::Text(text);
        }
        let facts = format!(
            r#"{{"facts":[{{"subject":"year of the lighthouse","value":"{year}","quote":"built in {year}"}}],"terms":[]}}"#
        );
        Reply::Text(format!("{text}\n\n```chorus\n{facts}\n```"))
    }

    /// Content once the first chapter's part was mended.
    fn judge(&self, turn: &str) -> String {
        let met = self.content && (turn.contains("mended") || !turn.contains("Part of"));
        let redo = if met { "[]" } else { r#"["t1.1"]"# };
        let first = format!(
            r#"{{"requirement":"r1","met":{met},"evidence":"seen","redo":{redo},"feedback":"mend it"}}"#
        );
        format!(
            r#"{{"items":[{first},{{"requirement":"r2","met":true,"evidence":"seen","redo":[],"feedback":""}}]}}"#
        )
    }
}

fn turn(request: &Request) -> String {
    let texts = request
        .messages
        .iter()
        .flat_map(|message| &message.content)
        .filter_map(|piece| match piece {
            Content::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
    texts.collect()
}

fn block<'a>(turn: &'a str, name: &str) -> &'a str {
    let rest = turn
        .split_once(&format!("<{name}>"))
        .map_or("", |(_, rest)| rest);
    rest.split_once(&format!("</{name}>"))
        .map_or(rest, |(inside, _)| inside)
        .trim()
}
