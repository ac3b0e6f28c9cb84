//! Features that a line of a brief requests, read alike by [`plan`](super::plan) and
//! [`judge`](super::judge).

use super::text::mentions;

/// A feature of a deliverable that briefs request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    Summary,
    KeyPoints,
    Questions,
    Translation,
    Glossary,
    Conflicts,
    Introduction,
}

const WORDS: [(Feature, &[&str]); 7] = [
    (
        Feature::Summary,
        &["summar", "overview", "synopsis", "tóm tắt", "tổng quan"],
    ),
    (
        Feature::KeyPoints,
        &["key point", "main point", "takeaway", "ý chính"],
    ),
    (Feature::Questions, &["question", "quiz", "câu hỏi"]),
    (
        Feature::Translation,
        &[
            "translat",
            "bản dịch",
            "dịch sang",
            "dịch chương",
            "dịch phần",
        ],
    ),
    (
        Feature::Glossary,
        &["glossary", "list of terms", "thuật ngữ"],
    ),
    (
        Feature::Conflicts,
        &["contradict", "inconsisten", "discrepan", "mâu thuẫn"],
    ),
    (
        Feature::Introduction,
        &["introduction", "lời mở đầu", "lời giới thiệu"],
    ),
];

/// Features that a text requests.
pub(super) fn features(text: &str) -> Vec<Feature> {
    WORDS
        .iter()
        .filter(|(_, words)| mentions(text, words))
        .map(|(feature, _)| *feature)
        .collect()
}

/// Features of a requirement: those of its [`lead`] if it has any, with key points as part of
/// summaries.
pub(super) fn main_features(text: &str) -> Vec<Feature> {
    let mut found = features(lead(text));
    if found.is_empty() {
        return features(text);
    }
    if found.contains(&Feature::Summary)
        && features(text).contains(&Feature::KeyPoints)
        && !found.contains(&Feature::KeyPoints)
    {
        found.push(Feature::KeyPoints);
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
