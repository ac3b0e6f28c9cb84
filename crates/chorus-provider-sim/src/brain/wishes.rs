//! Features that a line of a brief requests, read alike by [`plan`](super::plan) and
//! [`judge`](super::judge).

use super::text::mentions;

/// A feature of a deliverable that briefs request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    Summary,
    KeyPoints,
    Questions,
    Translation,
    Glossary,
    Conflicts,
    Introduction,
}

const WORDS: [(Wish, &[&str]); 7] = [
    (
        Wish::Summary,
        &["summar", "overview", "synopsis", "tóm tắt", "tổng quan"],
    ),
    (
        Wish::KeyPoints,
        &["key point", "main point", "takeaway", "ý chính"],
    ),
    (Wish::Questions, &["question", "quiz", "câu hỏi"]),
    (
        Wish::Translation,
        &[
            "translat",
            "bản dịch",
            "dịch sang",
            "dịch chương",
            "dịch phần",
        ],
    ),
    (Wish::Glossary, &["glossary", "list of terms", "thuật ngữ"]),
    (
        Wish::Conflicts,
        &["contradict", "inconsisten", "discrepan", "mâu thuẫn"],
    ),
    (
        Wish::Introduction,
        &["introduction", "lời mở đầu", "lời giới thiệu"],
    ),
];

/// Features that a text requests.
pub(super) fn wishes(text: &str) -> Vec<Wish> {
    WORDS
        .iter()
        .filter(|(_, words)| mentions(text, words))
        .map(|(wish, _)| *wish)
        .collect()
}

/// Features of a requirement: those of its [`lead`] if it has any, with key points as part of
/// summaries.
pub(super) fn main_wishes(text: &str) -> Vec<Wish> {
    let mut found = wishes(lead(text));
    if found.is_empty() {
        return wishes(text);
    }
    if found.contains(&Wish::Summary)
        && wishes(text).contains(&Wish::KeyPoints)
        && !found.contains(&Wish::KeyPoints)
    {
        found.push(Wish::KeyPoints);
    }
    found
}

/// Words before a dash or colon, which name what the rest describes.
pub(super) fn lead(text: &str) -> &str {
    [" – ", " — ", " - ", ": "]
        .iter()
        .filter_map(|mark| text.split_once(mark))
        .map(|(lead, _)| lead)
        .min_by_key(|lead| lead.len())
        .unwrap_or(text)
}
