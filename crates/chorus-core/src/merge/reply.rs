//! Taking a worker's reply apart: the text, the facts and terms under it, or a question instead.

use serde_json::{Map, Value};

use super::{Fact, Term, WorkResult};
use crate::json;

/// A worker's reply by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkReply {
    /// A part of the deliverable.
    Result(WorkResult),
    /// The worker cannot go on without an answer.
    Question(String),
}

/// Reads a worker's reply; `media_type` is that of the file its text goes into.
pub fn read_reply(answer: &str, media_type: &str) -> WorkReply {
    let answer = json::without_thinking(answer).trim();
    if let Some(question) = question(answer) {
        return WorkReply::Question(question);
    }
    let (text, notes) = without_notes(answer);
    let facts = notes.as_ref().map(facts).unwrap_or_default();
    let terms = notes.as_ref().map(terms).unwrap_or_default();
    WorkReply::Result(WorkResult {
        text: unescaped(unwrapped(text, media_type)),
        facts,
        terms,
    })
}

/// Reverts the escapes that prompts use in the blocks that a worker quotes from.
fn unescaped(text: &str) -> String {
    text.replace("<\\/", "</")
}

/// Returns the question of an answer: its first line, if that is marked as one, with at most two more
/// lines.
fn question(answer: &str) -> Option<String> {
    let line = answer.trim_matches(['*', '`', ' ', '\n']);
    let rest = line
        .strip_prefix("QUESTION:")
        .or_else(|| line.strip_prefix("Question:"))?;
    let text = rest.trim_start_matches(['*', ' ']).trim();
    let short = text.lines().filter(|line| !line.trim().is_empty()).count() <= 3
        && text.chars().count() <= 2_000;
    (short && !text.is_empty()).then(|| text.to_owned())
}

/// Removes the last ```chorus fence from the end.
fn without_notes(answer: &str) -> (&str, Option<Map<String, Value>>) {
    let Some(at) = answer.rfind("```chorus") else {
        return (answer, None);
    };
    if at > 0 && !answer[..at].ends_with('\n') {
        return (answer, None);
    }
    let inside = &answer[at + "```chorus".len()..];
    let (body, after) = match inside.find("\n```") {
        Some(end) => (&inside[..end], &inside[end + 4..]),
        None => (inside, ""),
    };
    if !after.trim().is_empty() {
        return (answer, None);
    }
    (
        answer[..at].trim_end(),
        json::read(body, &["facts", "terms"])
            .ok()
            .map(|found| found.object),
    )
}

fn facts(notes: &Map<String, Value>) -> Vec<Fact> {
    let fact = |value: &Value| {
        let object = value.as_object()?;
        Some(Fact {
            subject: json::text_of(object, &["subject", "about"])?,
            value: json::text_of(object, &["value", "is"])?,
            quote: unescaped(&json::text_of(object, &["quote", "sentence"]).unwrap_or_default()),
        })
    };
    json::list_of(notes, &["facts"])
        .iter()
        .filter_map(fact)
        .collect()
}

/// Reads terms, given as a list of pairs or as one object from term to meaning.
fn terms(notes: &Map<String, Value>) -> Vec<Term> {
    let term = |value: &Value| {
        let object = value.as_object()?;
        let meaning = json::text_of(object, &["meaning", "definition"])?;
        Some(Term {
            term: json::text_of(object, &["term", "name"])?,
            meaning,
        })
    };
    match notes.get("terms") {
        Some(Value::Object(pairs)) if !pairs.contains_key("term") => {
            let pair = |(term, value): (&String, &Value)| {
                json::text(value).map(|meaning| Term {
                    term: term.clone(),
                    meaning,
                })
            };
            pairs
                .iter()
                .filter_map(pair)
                .filter(|term| !term.meaning.is_empty())
                .collect()
        }
        _ => json::list_of(notes, &["terms"])
            .iter()
            .filter_map(term)
            .collect(),
    }
}

/// Returns the text without a code fence around the whole of it, for files that are no markdown;
/// for markdown only a fence marked as markdown is removed.
fn unwrapped<'a>(text: &'a str, media_type: &str) -> &'a str {
    let text = text.trim();
    let Some(rest) = text.strip_prefix("```") else {
        return text;
    };
    let Some((language, inside)) = rest.split_once('\n') else {
        return text;
    };
    let markdown = matches!(media_type, "text/markdown" | "");
    let called = matches!(language.trim(), "markdown" | "md");
    if markdown && !called {
        return text;
    }
    match inside.strip_suffix("```") {
        Some(inside) if markdown || !inside.contains("\n```") => inside.trim_end(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(answer: &str, media_type: &str, text: &str, facts: usize, terms: usize) {
        match read_reply(answer, media_type) {
            WorkReply::Result(result) => {
                assert_eq!(
                    (result.text.as_str(), result.facts.len(), result.terms.len()),
                    (text, facts, terms),
                    "{answer}"
                );
            }
            WorkReply::Question(question) => {
                panic!("{answer} is no question, but was read as {question}")
            }
        }
    }

    #[test]
    fn a_reply_is_text_and_the_notes_under_it() {
        let notes = "```chorus\n{\"facts\":[{\"subject\":\"height\",\"value\":42},],\"terms\":{\"lamp\":\"a light\"}}\n```";
        check(
            &format!("## One\n\nText.\n\n{notes}"),
            "text/markdown",
            "## One\n\nText.",
            1,
            1,
        );
        check(&format!("{notes}\n"), "text/markdown", "", 1, 1);
        check(
            "Text.\n\n```chorus\n{\"facts\":[{\"subject\":\"a\",\"value\":\"b\"}",
            "text/markdown",
            "Text.",
            1,
            0,
        );
        check(
            "Text.\n\n```chorus\nno notes\n```",
            "text/markdown",
            "Text.",
            0,
            0,
        );
        check("<think>hm</think>\nText.", "text/markdown", "Text.", 0, 0);
        check("<b>bold<\\/b>", "text/html", "<b>bold</b>", 0, 0);
        check(
            "See ```chorus``` fences.",
            "text/markdown",
            "See ```chorus``` fences.",
            0,
            0,
        );
    }

    #[test]
    fn a_fence_around_the_whole_is_removed_except_in_markdown() {
        check(
            "```json\n{\"a\":1}\n```",
            "application/json",
            "{\"a\":1}",
            0,
            0,
        );
        check(
            "```python\nprint(1)\n```\n\n```chorus\n{}\n```",
            "text/x-python",
            "print(1)",
            0,
            0,
        );
        check(
            "```\na\n```\nand\n```\nb\n```",
            "text/plain",
            "```\na\n```\nand\n```\nb\n```",
            0,
            0,
        );
        check(
            "```rust\nfn f() {}\n```",
            "text/markdown",
            "```rust\nfn f() {}\n```",
            0,
            0,
        );
        check("```markdown\n# A\n```", "text/markdown", "# A", 0, 0);
    }

    #[test]
    fn a_text_that_mentions_a_question_is_no_question() {
        assert_eq!(
            read_reply("QUESTION: Which edition?", ""),
            WorkReply::Question("Which edition?".into())
        );
        assert_eq!(
            read_reply("**QUESTION:** Which edition?\n", ""),
            WorkReply::Question("Which edition?".into())
        );
        check(
            "The QUESTION: is open.",
            "text/markdown",
            "The QUESTION: is open.",
            0,
            0,
        );
        check("QUESTION:", "text/markdown", "QUESTION:", 0, 0);
    }

    proptest! {
        #[test]
        fn any_reply_is_read(answer in "([`a-z{}\":,\\[\\]\n ]|chorus|QUESTION:|```){0,60}") {
            let _ = read_reply(&answer, "text/markdown");
            let _ = read_reply(&answer, "application/json");
        }
    }
}
