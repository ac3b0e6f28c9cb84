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
    (Feature::Questions, &["questions", "quiz", "câu hỏi"]),
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

/// Features that a requirement demands: [`main_features`], without those that only its subject names.
pub(super) fn demanded(text: &str) -> Vec<Feature> {
    let mut asked = String::new();
    let joined = text.replace(" with ", "; with ");
    for clause in joined.split_inclusive([';', '.', ':', '–', '—']) {
        let lower = clause.to_lowercase();
        let about = SUBJECTS.iter().filter_map(|word| lower.find(word)).min();
        // Lower case may change the length of a text; such a clause is kept.
        let end = about
            .filter(|at| clause.is_char_boundary(*at))
            .unwrap_or(clause.len());
        asked.push_str(&clause[..end]);
    }
    let named = features(&asked);
    main_features(text)
        .into_iter()
        .filter(|feature| named.contains(feature))
        .collect()
}

/// Columns beside term and meaning that a line asks of a glossary.
pub(super) fn glossary_columns(text: &str) -> Vec<String> {
    let mut columns = Vec::new();
    if !features(text).contains(&Feature::Glossary) {
        return columns;
    }
    if mentions(
        text,
        &[
            "with the chapter",
            "with chapter",
            "chapter of its definition",
            "chapter in which",
        ],
    ) {
        columns.push("Chapter".to_owned());
    }
    let before = [" equivalent", " translation"]
        .iter()
        .find_map(|word| text.split_once(word).map(|(before, _)| before));
    let language = before.and_then(|before| before.split_whitespace().last());
    if let Some(language) =
        language.filter(|name| name.chars().next().is_some_and(char::is_uppercase))
    {
        columns.push(language.to_owned());
    }
    columns
}

/// Words after which a clause names what a text is about.
const SUBJECTS: [&str; 9] = [
    " about ",
    " regarding ",
    " concerning ",
    " essay on ",
    " article on ",
    " report on ",
    " paper on ",
    " text on ",
    " story of ",
];

/// Words before a dash or colon, which name what the rest describes.
pub(super) fn lead(text: &str) -> &str {
    [" – ", " — ", " - ", ": "]
        .iter()
        .filter_map(|mark| text.split_once(mark))
        .map(|(lead, _)| lead)
        .min_by_key(|lead| lead.len())
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Feature]) {
        assert_eq!(demanded(text), expected, "{text}");
    }

    #[test]
    fn what_a_text_is_about_is_not_demanded_of_it() {
        check(
            "Write an essay about the contradictions, questions and glossaries of translators.",
            &[],
        );
        check(
            "A page about translation, with 3 questions",
            &[Feature::Questions],
        );
        check("**Glossary** – every term once", &[Feature::Glossary]);
        check("Note on contradictions", &[Feature::Conflicts]);
    }
}
