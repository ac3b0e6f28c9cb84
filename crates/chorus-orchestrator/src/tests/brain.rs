//! Answers prompts by reading them, as far as these tests need.

use chorus_core::llm::{Content, Request};
use chorus_core::task_kind::TaskKind;

/// How the models of a test behave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brain {
    /// The planner answers with a plan.
    pub(super) plans: bool,
    /// The planner has a question about the brief.
    pub(super) unclear: bool,
    /// The worker of the whole asks before it works.
    pub(super) asks: bool,
    /// The judge is content in the end.
    pub(super) content: bool,
    /// Nobody answers in JSON before they are told that it was missing.
    pub(super) mumbles: bool,
}

/// What a model says.
pub(super) enum Said {
    Text(String),
    Question(String),
}

const PLAN: &str = r#"{"title":"A guide","requirements":[{"id":"r1","text":"each chapter has its part"},{"id":"r2","text":"there is a whole"}],
"tasks":[{"id":"t1","title":"Part of {section}","instructions":"Part of {section}","for_each":"section","sections":["*"],"covers":["r1"],"acceptance":["it is there"],"output_tokens":400},
{"id":"t2","title":"Whole","instructions":"Whole","depends_on":["t1"],"covers":["r2"],"acceptance":["it is there"],"output_tokens":400}],
"files":[{"path":"guide.md","media_type":"text/markdown","parts":[{"task":"t1"},{"task":"t2"},{"conflicts":"Contradictions"}]}]}"#;

impl Brain {
    pub(super) const fn honest() -> Self {
        Self {
            plans: true,
            unclear: false,
            asks: false,
            content: true,
            mumbles: false,
        }
    }

    pub(super) fn answer(&self, kind: TaskKind, request: &Request) -> Said {
        let turn = turn(request);
        let told = block(&turn, "refused").starts_with("- ");
        Said::Text(match kind {
            TaskKind::Work => return self.work(&turn),
            _ if self.mumbles && !told => "Well.".into(),
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

    fn work(&self, turn: &str) -> Said {
        let part = block(turn, "instructions");
        let answered = turn.contains("<answer question=\"which spelling?\"");
        if self.asks && part == "Whole" && !answered {
            return Said::Question("QUESTION: which spelling?".into());
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
            return Said::Text(text);
        }
        let facts = format!(
            r#"{{"facts":[{{"subject":"year of the lighthouse","value":"{year}","quote":"built in {year}"}}],"terms":[]}}"#
        );
        Said::Text(format!("{text}\n\n```chorus\n{facts}\n```"))
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
