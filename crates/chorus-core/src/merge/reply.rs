//! Taking a worker's reply apart: the text, the facts and terms under it, or a question instead.
//!
//! A text reaches its file byte for byte, except a leading [thought](crate::thought) and the fence
//! around a whole file ([`fence`](super::fence)).

use serde_json::{Map, Value};

use super::{Fact, Term, WorkResult, fence};
use crate::file_kind::FileKind;
use crate::json;
use crate::thought::without_thought;

/// Maximum length of a question in characters.
const LONGEST_QUESTION: usize = 2_000;

/// Returns the question of a reply that is one marked line and nothing else. Any longer text is a
/// result, also one that begins alike.
pub fn question(answer: &str) -> Option<&str> {
    let line = without_thought(answer).trim();
    let line = line.trim_matches(['*', '`']).trim();
    let rest = ["QUESTION:", "Question:"]
        .iter()
        .find_map(|marker| line.strip_prefix(marker))?;
    let text = rest.trim_start_matches('*').trim();
    let is_question = text.lines().count() == 1 && text.chars().count() <= LONGEST_QUESTION;
    is_question.then_some(text)
}

/// Reads a worker's result; `kind` is that of the file its text goes into.
pub fn read_result(answer: &str, kind: FileKind) -> WorkResult {
    let (text, notes) = without_notes(without_thought(answer));
    WorkResult {
        text: fence::unwrapped(text, kind).to_owned(),
        facts: notes.as_ref().map(facts).unwrap_or_default(),
        terms: notes.as_ref().map(terms).unwrap_or_default(),
    }
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
        answer[..at].trim_end_matches(['\n', '\r']),
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
            quote: json::text_of(object, &["quote", "sentence"]).unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(answer: &str, kind: FileKind, text: &str, facts: usize, terms: usize) {
        let result = read_result(answer, kind);
        assert_eq!(
            (result.text.as_str(), result.facts.len(), result.terms.len()),
            (text, facts, terms),
            "{answer}"
        );
    }

    #[test]
    fn a_reply_is_text_and_the_notes_under_it() {
        let notes = "```chorus\n{\"facts\":[{\"subject\":\"height\",\"value\":42},],\"terms\":{\"lamp\":\"a light\"}}\n```";
        let markdown = FileKind::Markdown;
        check(
            &format!("## One\n\nText.\n\n{notes}"),
            markdown,
            "## One\n\nText.",
            1,
            1,
        );
        check(&format!("{notes}\n"), markdown, "", 1, 1);
        check(
            "Text.\n\n```chorus\n{\"facts\":[{\"subject\":\"a\",\"value\":\"b\"}",
            markdown,
            "Text.",
            1,
            0,
        );
        check("Text.\n\n```chorus\nno notes\n```", markdown, "Text.", 0, 0);
        check("<think>hm</think>\nText.", markdown, "Text.", 0, 0);
        check(
            "See ```chorus``` fences.",
            markdown,
            "See ```chorus``` fences.",
            0,
            0,
        );
        check(
            "```python\nprint(1)\n```\n\n```chorus\n{}\n```",
            FileKind::Python,
            "print(1)",
            0,
            0,
        );
    }

    #[test]
    fn nothing_in_a_text_is_unescaped_or_trimmed() {
        for (text, kind) in [
            ("const re = /<\\/b>/g;\n", FileKind::JavaScript),
            ("<script>\"<script><\\/script>\"</script>", FileKind::Html),
            (
                "    def second(self):\n        return 2\n",
                FileKind::Python,
            ),
            ("a,b\r\n1,2\r\n", FileKind::Csv),
            ("\n\tx\n\n", FileKind::Code),
            (
                "Models end a thought with </think> and go on.",
                FileKind::Markdown,
            ),
            ("Two spaces end a line.  ", FileKind::Markdown),
        ] {
            check(text, kind, text, 0, 0);
        }
    }

    #[test]
    fn only_one_marked_line_is_a_question() {
        assert_eq!(question("QUESTION: Which edition?"), Some("Which edition?"));
        assert_eq!(
            question("**QUESTION:** Which edition?\n"),
            Some("Which edition?")
        );
        assert_eq!(
            question("<think>hm</think>\nQUESTION: Which?"),
            Some("Which?")
        );
        for text in [
            "The QUESTION: is open.",
            "QUESTION:",
            "QUESTION: Who lit the lamp?\nANSWER: Mara.",
            "QUESTION: Who?\n\nQUESTION: When?",
            "Question: Who?\nA: Mara.",
        ] {
            assert_eq!(question(text), None, "{text}");
            check(text, FileKind::Markdown, text, 0, 0);
        }
    }

    proptest! {
        #[test]
        fn any_reply_is_read(answer in "([`a-z{}\":,\\[\\]\n ]|chorus|QUESTION:|```){0,60}") {
            let _ = (read_result(&answer, FileKind::Markdown), question(&answer));
            let _ = read_result(&answer, FileKind::Json);
        }

        #[test]
        fn any_text_without_thought_and_fence_passes_unchanged(text in "[^`~\u{0}]{0,120}") {
            prop_assume!(!text.contains("</th") && !text.trim_start().starts_with("<th"));
            for kind in [FileKind::Markdown, FileKind::Python, FileKind::Json, FileKind::Html, FileKind::Plain] {
                prop_assert_eq!(&read_result(&text, kind).text, &text);
            }
        }
    }
}
