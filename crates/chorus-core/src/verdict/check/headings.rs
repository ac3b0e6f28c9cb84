//! Headings that the acceptance lines of a task quote as headings, and the text lacks.

use crate::plan::PlannedTask;

/// Words after which, or before which, a quoted text is a heading.
const NAMES: [&str; 8] = [
    "headings",
    "heading",
    "section titled",
    "section called",
    "section named",
    "sections titled",
    "sections called",
    "tiêu đề",
];
/// Words that may stand between such a word and a quoted text, or between two quoted texts.
const LINKS: [&str; 27] = [
    "and",
    "or",
    "the",
    "is",
    "are",
    "be",
    "a",
    "an",
    "called",
    "named",
    "titled",
    "reads",
    "reading",
    "of",
    "with",
    "in",
    "this",
    "these",
    "order",
    "exactly",
    "then",
    "markdown",
    "level",
    "text",
    "và",
    "là",
    "following",
];

/// A piece of a line: quoted, or between quotes.
enum Piece {
    Quoted(String),
    Between(String),
}

/// Returns the headings quoted in acceptance lines (`has the heading "Summary"`) that the text
/// lacks. Other quoted texts are none. Lines that forbid something and names that stand for others
/// (`## Chapter N`, `{title}`) are left to the judge.
pub(super) fn missing(task: &PlannedTask, text: &str) -> Vec<String> {
    let headings: Vec<String> = text
        .lines()
        .filter(|line| line.trim_start().starts_with('#'))
        .map(plain)
        .collect();
    let forbids = |line: &str| {
        let lower = line.to_lowercase();
        ["no ", "not ", "without", "never", "không "]
            .iter()
            .any(|word| lower.contains(word))
    };
    let wanted = task
        .acceptance
        .iter()
        .filter(|line| !forbids(line))
        .flat_map(|line| quoted_as_headings(line))
        .filter(|wanted| !is_variable(wanted));
    wanted
        .filter(|wanted| {
            headings
                .iter()
                .all(|heading| !heading.contains(&plain(wanted)))
        })
        .collect()
}

/// Returns the quoted texts of a line that it calls headings.
fn quoted_as_headings(line: &str) -> Vec<String> {
    let pieces = pieces(line);
    let mut found = Vec::new();
    // True while only linking words stand between the last naming word and here.
    let mut is_named = false;
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Between(text) => is_named = names_next(text, is_named),
            Piece::Quoted(text) => {
                let follows =
                    matches!(pieces.get(at + 1), Some(Piece::Between(text)) if is_called(text));
                if is_named || follows || text.starts_with('#') {
                    found.push(text.clone());
                }
            }
        }
    }
    found.retain(|text| plain(text).chars().any(char::is_alphanumeric));
    found
}

/// Returns true if the text after it is named a heading: the text ends in a naming word and linking
/// words, or has only linking words after a heading.
fn names_next(text: &str, is_named: bool) -> bool {
    let lower = text.to_lowercase();
    let tail = NAMES
        .iter()
        .filter_map(|name| lower.rfind(name).map(|at| at + name.len()))
        .max();
    match tail {
        Some(at) => has_only_links(&lower[at..]),
        None => is_named && has_only_links(&lower),
    }
}

/// Returns true if the text before it is called a heading: `… heading`, `… as headings`.
fn is_called(text: &str) -> bool {
    let lower = text.to_lowercase();
    let rest = lower.trim_start();
    ["heading", "as heading", "as a heading", "section"]
        .iter()
        .any(|name| rest.starts_with(name))
}

fn has_only_links(text: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .all(|word| LINKS.contains(&word) || word.parse::<u32>().is_ok())
}

/// Cuts a line at its backticks and double quotes.
fn pieces(line: &str) -> Vec<Piece> {
    let even = line.replace(['“', '”', '`'], "\"");
    let closed = even.matches('"').count() / 2;
    let piece = |(at, text): (usize, &str)| {
        let is_quoted = at % 2 == 1 && at / 2 < closed;
        if is_quoted {
            Piece::Quoted(text.trim().to_owned())
        } else {
            Piece::Between(text.to_owned())
        }
    };
    even.split('"').enumerate().map(piece).collect()
}

/// Returns true if a name stands for others.
fn is_variable(name: &str) -> bool {
    let word = |word: &str| matches!(word, "n" | "x" | "nn" | "title" | "name" | "number");
    name.contains(['{', '}', '<', '>', '[', ']', '…', '_'])
        || name.contains("..")
        || plain(name).split(' ').any(word)
}

fn plain(text: &str) -> String {
    text.to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        assert_eq!(quoted_as_headings(line), expected, "{line}");
    }

    #[test]
    fn only_texts_that_are_quoted_as_headings_are_headings() {
        check("Has the heading \"Summary\"", &["Summary"]);
        check(
            "Headings: `Aims`, `Means` and `Ends`",
            &["Aims", "Means", "Ends"],
        );
        check("Begins with `## One`", &["## One"]);
        check("Has a \"Summary\" heading", &["Summary"]);
        check("Uses \"A\" and \"B\" as headings", &["B"]);
        check(
            "Defines \"tide gate\" and \"slack water\" under the heading ## Terms",
            &[],
        );
        check(
            "Under the heading `Terms` it defines \"tide gate\" and \"slack water\"",
            &["Terms"],
        );
        check("Quotes \"the sea\" below each heading", &[]);
        check("Mentions `config.toml`", &[]);
    }
}
