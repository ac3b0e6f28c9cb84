//! Finds the text of a mutant in a source file regardless of formatting.
//!
//! White space is ignored, and so is a comma before a closing bracket, which rustfmt adds when it
//! breaks a line. Everything else must be equal.

use std::ops::Range;

/// Byte ranges of all places at which `wanted` occurs in `text`.
pub(super) fn places(text: &str, wanted: &str) -> Vec<Range<usize>> {
    let (text, wanted) = (significant(text), significant(wanted));
    let mut found = Vec::new();
    let mut at = 0;
    while at + wanted.len() <= text.len() && !wanted.is_empty() {
        let window = &text[at..at + wanted.len()];
        if window
            .iter()
            .zip(&wanted)
            .all(|((_, one), (_, other))| one == other)
        {
            let (last, end) = window[window.len() - 1];
            found.push(window[0].0..last + end.len_utf8());
            at += wanted.len();
        } else {
            at += 1;
        }
    }
    found
}

/// Characters that count, each with its offset.
fn significant(text: &str) -> Vec<(usize, char)> {
    let mut kept: Vec<(usize, char)> = Vec::new();
    for (offset, character) in text.char_indices().filter(|(_, one)| !one.is_whitespace()) {
        if matches!(character, ')' | ']' | '}') && kept.last().is_some_and(|(_, last)| *last == ',')
        {
            kept.pop();
        }
        kept.push((offset, character));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &str, expected: &[&str]) {
        let found: Vec<&str> = places(text, wanted)
            .into_iter()
            .map(|range| &text[range])
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_text_is_found_however_it_is_broken_into_lines() {
        let text = "let x = call(\n    one,\n    two,\n);\nlet y = 1;";
        check(text, "call(one, two)", &["call(\n    one,\n    two,\n)"]);
        check(text, "call(one, three)", &[]);
        check("a b; a  b;", "a b;", &["a b;", "a  b;"]);
        check("", "a", &[]);
    }
}
