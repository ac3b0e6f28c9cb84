//! A table of contents looks like a run of headings without text; such runs are removed.

use std::collections::{BTreeMap, BTreeSet};

use super::Heading;

/// Removes the entries of a table of contents: headings without text that occur again, and the last
/// of the run.
pub(super) fn without_contents(text: &str, headings: Vec<Heading>) -> Vec<Heading> {
    let mut last = BTreeMap::new();
    for (at, heading) in headings.iter().enumerate() {
        last.insert(key(heading), at);
    }
    let (mut seen, mut run) = (BTreeSet::new(), 0);
    let keep: Vec<bool> = (0..headings.len())
        .map(|at| {
            let next = headings.get(at + 1).map_or(text.len(), |next| next.start);
            let bare = text[headings[at].end..next].trim().is_empty();
            let again = last
                .get(&key(&headings[at]))
                .is_some_and(|place| *place > at);
            let fresh = seen.insert(key(&headings[at]));
            let entry = again && (bare || (run >= 3 && fresh));
            run = if entry { run + 1 } else { 0 };
            !entry
        })
        .collect();
    headings
        .into_iter()
        .zip(keep)
        .filter_map(|(heading, keep)| keep.then_some(heading))
        .collect()
}

/// Returns a key that is equal for equal headings: for chapters word and number, else all words.
fn key(heading: &Heading) -> String {
    let words = if heading.chapter { 2 } else { usize::MAX };
    let lower = heading.title.to_lowercase();
    lower
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(words)
        .collect::<Vec<_>>()
        .join(" ")
}
