//! Parts of a deliverable: frames, kinds, and counts.

use serde_json::Value;

use crate::model::text::{heading, item, mentions, paragraphs, word_count};

/// Kind of a part, by its first heading and its markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartKind {
    Questions,
    Translation,
    Introduction,
    Glossary,
    Body,
}

/// Parts between `[[part t]]` and `[[end t]]`.
pub(super) fn framed(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for piece in text.split("[[part ").skip(1) {
        if let Some((task, rest)) = piece.split_once("]]")
            && let Some((part, _)) = rest.split_once(&format!("[[end {task}]]"))
        {
            found.push((task.to_owned(), part.trim().to_owned()));
        }
    }
    found
}

/// Text without the lines that frame its parts.
pub(super) fn without_frames(text: &str) -> String {
    let is_frame = |line: &&str| {
        (line.starts_with("[[part ") || line.starts_with("[[end ")) && line.ends_with("]]")
    };
    text.lines()
        .filter(|line| !is_frame(line))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn kind_of(part: &str) -> PartKind {
    let first = part.lines().find_map(heading);
    let titled = |words: &[&str]| first.is_some_and(|(_, title)| mentions(title, words));
    if mentions(part, &["> simulated rendering", "> bản dịch mô phỏng"]) {
        PartKind::Translation
    } else if titled(&["glossary", "thuật ngữ"]) {
        PartKind::Glossary
    } else if first.is_some_and(|(level, _)| level >= 3) && titled(&["question", "câu hỏi"]) {
        PartKind::Questions
    } else if first.is_some_and(|(level, _)| level == 1) {
        PartKind::Introduction
    } else {
        PartKind::Body
    }
}

pub(super) fn prose_words(part: &str) -> usize {
    paragraphs(part)
        .iter()
        .map(|paragraph| word_count(paragraph))
        .sum()
}

pub(super) fn bullets(part: &str) -> usize {
    part.lines().filter(|line| item(line).is_some()).count()
}

/// Number of list items that ask something.
pub(super) fn questions(part: &str) -> usize {
    let asks = |line: &&str| item(line).is_some() && line.contains(['?', '？']);
    part.lines().filter(asks).count()
}

/// Returns true if no more than one word stands in the part besides headings.
pub(super) fn is_stub(part: &str) -> bool {
    let text = |line: &&str| heading(line).is_none();
    let words: usize = part.lines().filter(text).map(word_count).sum();
    words < 2 && !is_data(part)
}

/// Returns true if a short part is a complete data file.
fn is_data(part: &str) -> bool {
    serde_json::from_str::<Value>(part).is_ok_and(|value| value.is_object() || value.is_array())
}

pub(super) fn is_path(name: &str) -> bool {
    !name.contains(' ')
        && name.rsplit('/').next().is_some_and(|file| {
            file.split_once('.').is_some_and(|(stem, extension)| {
                !stem.is_empty() && extension.len() <= 5 && !extension.contains('(')
            })
        })
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
