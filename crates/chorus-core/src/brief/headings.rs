//! Finder of chapter beginnings: markdown headings, chapter lines of plain books, numbered
//! headings, capital lines.
//!
//! Stronger signs are preferred to weaker ones: numbered and capital lines count only in texts
//! without better ones. A table of contents looks like a run of headings without text; such runs
//! are skipped.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::numerals;

/// A line that begins a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heading {
    /// First byte of its line.
    pub start: usize,
    /// Byte after its line (for underlined headings, after the underline).
    pub end: usize,
    /// Depth of the heading, 1 for the outermost.
    pub level: u8,
    /// Text of the heading, without marks.
    pub title: String,
    /// True if it calls itself a chapter.
    pub chapter: bool,
}

/// Words that mark a line as a chapter, with the level.
const CHAPTER_WORDS: [(&str, u8); 18] = [
    ("book", 1),
    ("part", 1),
    ("volume", 1),
    ("act", 1),
    ("quyển", 1),
    ("phần", 1),
    ("tập", 1),
    ("chapter", 2),
    ("chương", 2),
    ("hồi", 2),
    ("canto", 2),
    ("letter", 2),
    ("kapitel", 2),
    ("chapitre", 2),
    ("capítulo", 2),
    ("scene", 3),
    ("section", 3),
    ("bài", 3),
];

/// Lines that are chapters without a number.
const LONE_WORDS: [&str; 9] = [
    "prologue",
    "epilogue",
    "preface",
    "introduction",
    "foreword",
    "afterword",
    "lời nói đầu",
    "lời mở đầu",
    "lời kết",
];

/// Maximum length of a heading line, in characters.
const LONGEST: usize = 90;

/// Returns the headings of a text, in order.
pub(super) fn headings(text: &str) -> Vec<Heading> {
    let lines = lines(text);
    let strong = without_contents(text, collect(&lines, strong));
    if strong.len() >= 2 {
        return strong;
    }
    for weak in [
        numbered as fn(&[Line<'_>], usize) -> Option<Heading>,
        capital,
    ] {
        let found: Vec<Heading> = collect(&lines, weak)
            .into_iter()
            .chain(strong.clone())
            .collect();
        let found = without_contents(text, sorted(found));
        let bare = found
            .windows(2)
            .filter(|pair| text[pair[0].end..pair[1].start].trim().is_empty())
            .count();
        if found.len() >= 2 && bare * 4 <= found.len() {
            return found;
        }
    }
    strong
}

struct Line<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    code: bool,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut at = 0;
    let mut code = false;
    let line = |whole: &'_ str| {
        let start = at;
        at += whole.len();
        (start, at)
    };
    let places: Vec<(usize, usize)> = text.split_inclusive('\n').map(line).collect();
    let lines = places.into_iter().map(|(start, end)| {
        let trimmed = text[start..end].trim();
        let fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        let inside = code || fence;
        code ^= fence;
        Line {
            start,
            end,
            text: trimmed,
            code: inside,
        }
    });
    lines.collect()
}

fn collect(lines: &[Line<'_>], find: fn(&[Line<'_>], usize) -> Option<Heading>) -> Vec<Heading> {
    let short =
        |line: &Line<'_>| !line.code && !line.text.is_empty() && line.text.len() <= LONGEST * 4;
    (0..lines.len())
        .filter(|at| short(&lines[*at]))
        .filter_map(|at| find(lines, at))
        .collect()
}

fn strong(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    hashed(&lines[at])
        .or_else(|| underlined(lines, at))
        .or_else(|| chapter_line(lines, at))
}

fn hashed(line: &Line<'_>) -> Option<Heading> {
    let hashes = line.text.bytes().take_while(|byte| *byte == b'#').count();
    let title = line.text[hashes..]
        .strip_prefix([' ', '\t'])?
        .trim()
        .trim_end_matches('#')
        .trim();
    (1..=6)
        .contains(&hashes)
        .then(|| heading(line, line.end, u8::try_from(hashes).unwrap_or(6), title))
}

fn underlined(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let under = lines.get(at + 1)?.text;
    let level = match under.as_bytes().first()? {
        b'=' if under.len() >= 3 && under.bytes().all(|byte| byte == b'=') => 1,
        b'-' if under.len() >= 3 && under.bytes().all(|byte| byte == b'-') => 2,
        _ => return None,
    };
    let titled = lines[at].text.chars().count() <= LONGEST
        && lines[at].text.contains(char::is_alphanumeric)
        && blank_before(lines, at);
    titled.then(|| heading(&lines[at], lines[at + 1].end, level, lines[at].text))
}

fn chapter_line(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let line = &lines[at];
    if !blank_before(lines, at) || line.text.chars().count() > LONGEST {
        return None;
    }
    let bare = line.text.trim_matches(['*', '_', ' ']);
    let level = chapter_level(bare)?;
    let mut title = bare.to_owned();
    let named = bare.split_whitespace().count() > 2;
    if let (false, Some(next)) = (
        named,
        lines
            .get(at + 1)
            .map(|next| if next.text.is_empty() { at + 2 } else { at + 1 }),
    ) {
        title.push_str(
            &subtitle(lines, next)
                .map(|words| format!(": {words}"))
                .unwrap_or_default(),
        );
    }
    Some(heading(line, line.end, level, &title))
}

/// Returns a short line alone between blank ones, under a chapter line that has only a number.
fn subtitle(lines: &[Line<'_>], at: usize) -> Option<String> {
    let line = lines.get(at)?;
    let alone = lines.get(at + 1).is_some_and(|next| next.text.is_empty());
    let short = !line.text.is_empty()
        && line.text.chars().count() <= 60
        && !line
            .text
            .ends_with(['.', ',', ';', ':', '?', '!', '”', '"']);
    let titled = line.text.chars().next().is_some_and(char::is_uppercase)
        && chapter_level(line.text).is_none();
    (alone && short && titled).then(|| line.text.to_owned())
}

/// Returns the level of a line that calls itself a chapter.
fn chapter_level(text: &str) -> Option<u8> {
    let lower = text.to_lowercase();
    if LONE_WORDS.contains(&lower.trim_end_matches(['.', ':'])) {
        return Some(2);
    }
    let (word, level) = CHAPTER_WORDS
        .iter()
        .find(|(word, _)| lower.starts_with(word))?;
    let rest = lower[word.len()..].strip_prefix(' ')?.trim_start();
    let rest = rest.strip_prefix("the ").unwrap_or(rest);
    let number = rest
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '-'))
        .next()
        .unwrap_or("");
    if !is_number(number) {
        return None;
    }
    let after = &rest[number.len()..];
    let announced = after.is_empty()
        || after.starts_with(['.', ':', '—', '–', '-', ')'])
        || after.starts_with(" –")
        || after.starts_with(" —");
    let plain = !after.ends_with(['.', ',', ';', '?', '!', '…'])
        && text.chars().count() <= 70
        && title_case(text, word);
    (announced || plain).then_some(*level)
}

/// Returns true if the word after the number is capital: `Chapter 5 was dull` is no title.
fn title_case(text: &str, word: &str) -> bool {
    let after = text
        .get(word.len()..)
        .unwrap_or("")
        .split_whitespace()
        .nth(1);
    after
        .and_then(|word| word.chars().next())
        .is_some_and(|letter| letter.is_uppercase() || !letter.is_alphabetic())
}

fn is_number(word: &str) -> bool {
    let roman = word.len() <= 8 && word.bytes().all(|byte| b"ivxlc".contains(&byte));
    let words = numerals::SMALL[1..]
        .iter()
        .chain(&numerals::TENS)
        .any(|number| {
            word == *number
                || word
                    .strip_prefix(number)
                    .is_some_and(|rest| rest.starts_with('-'))
        });
    let ordinal = [
        "first", "second", "third", "fourth", "fifth", "sixth", "last", "nhất", "hai", "ba", "cuối",
    ]
    .contains(&word);
    !word.is_empty()
        && (word.bytes().all(|byte| byte.is_ascii_digit()) || roman || words || ordinal)
}

fn numbered(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let line = &lines[at];
    if !alone(lines, at) || line.text.chars().count() > 70 {
        return None;
    }
    let number = line.text.split_whitespace().next()?;
    let bare = number.trim_end_matches(['.', ')']);
    let parts: Vec<&str> = bare.split('.').collect();
    let digits = parts.len() <= 4
        && parts.iter().all(|part| {
            (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        });
    let roman =
        !bare.is_empty() && bare.len() <= 8 && bare.bytes().all(|byte| b"IVXLC".contains(&byte));
    let rest = line.text[number.len()..].trim();
    let titled = rest.is_empty()
        || rest.chars().next().is_some_and(char::is_uppercase)
            && !rest.ends_with(['.', ',', ';', ':', '?', '!']);
    let level = u8::try_from(parts.len()).unwrap_or(4);
    ((digits || roman) && titled).then(|| heading(line, line.end, level, line.text))
}

fn capital(lines: &[Line<'_>], at: usize) -> Option<Heading> {
    let text = lines[at].text;
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    let capitals = !text.chars().any(char::is_lowercase) && text.chars().any(char::is_uppercase);
    let titled = alone(lines, at) && capitals && letters >= 4 && text.chars().count() <= 60;
    titled.then(|| heading(&lines[at], lines[at].end, 1, text))
}

fn heading(line: &Line<'_>, end: usize, level: u8, title: &str) -> Heading {
    let title: String = title
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(LONGEST)
        .collect();
    Heading {
        start: line.start,
        end,
        level,
        chapter: chapter_level(&title).is_some(),
        title,
    }
}

fn blank_before(lines: &[Line<'_>], at: usize) -> bool {
    at == 0
        || lines[at - 1].text.is_empty()
        || chapter_level(lines[at - 1].text).is_some()
        || lines[at - 1].text.starts_with('#')
}

fn alone(lines: &[Line<'_>], at: usize) -> bool {
    blank_before(lines, at) && lines.get(at + 1).is_none_or(|next| next.text.is_empty())
}

fn sorted(mut headings: Vec<Heading>) -> Vec<Heading> {
    headings.sort_by_key(|heading| heading.start);
    headings.dedup_by_key(|heading| heading.start);
    headings
}

/// Removes the entries of a table of contents: headings without text that occur again, and the last
/// of the run.
fn without_contents(text: &str, headings: Vec<Heading>) -> Vec<Heading> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks the headings of a text, each drawn as `level title`.
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = headings(text)
            .iter()
            .map(|heading| format!("{} {}", heading.level, heading.title))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn markdown_headings_are_found_outside_code() {
        check("# One\nText.\n\n## Two ##\nText.\n", &["1 One", "2 Two"]);
        check(
            "# One\nText.\n\n```\n# no heading\n```\n\n# Two\nText.\n",
            &["1 One", "1 Two"],
        );
        check("#hash\nText.\n\n####### seven\nText.\n", &[]);
    }

    #[test]
    fn underlined_titles_are_headings_and_rules_are_not() {
        check(
            "Title\n=====\nText.\n\nPart\n----\nText.\n",
            &["1 Title", "2 Part"],
        );
        check(
            "Text of a paragraph\nthat ends in a rule\n---\nText.\n",
            &[],
        );
    }

    #[test]
    fn chapter_lines_of_plain_books_are_found_with_their_titles() {
        check(
            "CHAPTER I.\n\nThe Storm\n\nText.\n\nCHAPTER II.\n\nThe Calm\n\nText.\n",
            &["2 CHAPTER I.: The Storm", "2 CHAPTER II.: The Calm"],
        );
        check(
            "Chapter One: Dawn\nText.\n\nChapter Two: Dusk\nText.\n",
            &["2 Chapter One: Dawn", "2 Chapter Two: Dusk"],
        );
        check(
            "Prologue\n\nText.\n\nChapter 5 was dull to read.\n\nText.\n\nEpilogue\n\nText.\n",
            &["2 Prologue", "2 Epilogue"],
        );
    }

    #[test]
    fn weak_signs_count_only_without_better_ones() {
        let weak = "1. Aims\n\nText.\n\n2. Means\n\nText.\n";
        check(weak, &["1 1. Aims", "1 2. Means"]);
        check(
            &format!("# One\n\nText.\n\n{weak}\n# Two\n\nText.\n"),
            &["1 One", "1 Two"],
        );
        check(
            "THE STORM\n\nText.\n\nTHE CALM\n\nText.\n",
            &["1 THE STORM", "1 THE CALM"],
        );
    }

    #[test]
    fn a_table_of_contents_is_skipped() {
        check(
            "Chapter 1: Dawn\n\nChapter 2: Dusk\n\nChapter 1: Dawn\n\nText.\n\nChapter 2: Dusk\n\nText.\n",
            &["2 Chapter 1: Dawn", "2 Chapter 2: Dusk"],
        );
    }

    #[test]
    fn numbers_of_chapters_are_written_in_many_ways() {
        for number in [
            "1",
            "12",
            "iv",
            "xl",
            "seven",
            "twenty",
            "thirty-one",
            "first",
            "cuối",
        ] {
            assert!(is_number(number), "{number}");
        }
        for word in ["", "storm", "ivory", "1a", "-"] {
            assert!(!is_number(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn headings_stand_in_order_on_lines_of_their_own(
            text in "(#{0,3} ?[A-Za-z]{0,6}|Chapter [1-4]|[0-9]\\. [A-Z]|=====|---|```|\\n|\\n\\n|é){0,60}",
        ) {
            let mut end = 0;
            for heading in headings(&text) {
                prop_assert!(heading.start >= end && heading.end > heading.start);
                prop_assert!(heading.start == 0 || text[..heading.start].ends_with('\n'));
                prop_assert!(heading.end == text.len() || text[..heading.end].ends_with('\n'));
                prop_assert!((1..=6).contains(&heading.level));
                end = heading.end;
            }
        }
    }
}
