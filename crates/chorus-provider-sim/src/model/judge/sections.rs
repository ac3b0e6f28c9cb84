//! Checks of a whole file: its headings and their order, its glossary, its note on contradictions.

use super::parts::{PartKind, kind_of};
use super::{Deliverable, Finding, wants_pointers};
use crate::model::features::{Feature, glossary_columns};
use crate::model::text::{content_words, heading, mentions, quoted, range_before, word_count};

/// A heading with the text below it, up to the next heading of the same level or above.
struct Section<'a> {
    title: &'a str,
    level: usize,
    line: usize,
    text: String,
}

/// Checks what a requirement states about headings, chapters, order, spelling and pointers.
pub(super) fn check(judged: &Deliverable, finding: &mut Finding<'_>) {
    let text = finding.text;
    if mentions(text, &["heading", "tiêu đề"]) && text.contains("# ") {
        check_levels(judged, finding);
    }
    if mentions(text, &["all "]) && mentions(text, &["chapters"]) {
        check_chapters(judged, finding);
    }
    if mentions(text, &["in this order", "theo thứ tự sau"]) {
        check_order(judged, finding);
    }
    if mentions(text, &["translation"]) && mentions(text, &["of the glossary"]) {
        check_equivalents(judged, finding);
    }
    if wants_pointers(text) {
        check_pointers(judged, finding);
    }
}

/// Checks that a file has a section of this kind with text below its heading.
pub(super) fn check_section(judged: &Deliverable, feature: Feature, finding: &mut Finding<'_>) {
    let wanted: &[&str] = match feature {
        Feature::Glossary => &["glossary", "terms", "thuật ngữ"],
        Feature::Conflicts => &["contradict", "conflict", "mâu thuẫn"],
        _ => &["introduction", "mở đầu", "giới thiệu"],
    };
    let Some((path, section)) = judged.section(wanted) else {
        if !judged.piece {
            finding.fault_of_all(format!("no file has a section \"{}\"", wanted[0]));
        }
        return;
    };
    finding.seen(format!("{path} has \"{}\"", section.title));
    match feature {
        Feature::Glossary => check_glossary(&section.text, finding),
        Feature::Introduction => check_length(&section.text, finding),
        _ => {}
    }
}

impl Deliverable {
    /// First section with text and with one of these words in its title.
    fn section(&self, wanted: &[&str]) -> Option<(&str, Section<'_>)> {
        self.files.iter().find_map(|(path, text)| {
            sections(text)
                .into_iter()
                .find(|section| {
                    mentions(section.title, wanted)
                        && section.text.chars().any(char::is_alphanumeric)
                })
                .map(|section| (path.as_str(), section))
        })
    }

    /// Sections of all files.
    fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.files.values().flat_map(|text| sections(text))
    }
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut fence = false;
    let mut heads: Vec<(usize, usize, &str)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        fence ^= line.trim_start().starts_with("```");
        if let Some((level, title)) = heading(line).filter(|_| !fence) {
            heads.push((at, level, title));
        }
    }
    let below = |at: usize, level: usize| {
        let end = heads
            .iter()
            .find(|(other, depth, _)| *other > at && *depth <= level);
        lines[at + 1..end.map_or(lines.len(), |(end, ..)| *end)].join("\n")
    };
    heads
        .iter()
        .map(|(at, level, title)| Section {
            title,
            level: *level,
            line: *at,
            text: below(*at, *level),
        })
        .collect()
}

/// Checks columns and order of a glossary.
fn check_glossary(text: &str, finding: &mut Finding<'_>) {
    let asked = glossary_columns(finding.text);
    let rows: Vec<Vec<&str>> = text.lines().filter_map(cells).collect();
    let Some((head, rows)) = rows.split_first() else {
        if !asked.is_empty() {
            finding.fault_of_all(format!(
                "the glossary has no columns for {}",
                asked.join(" and ")
            ));
        }
        return;
    };
    for column in &asked {
        let name = column.to_lowercase();
        let Some(at) = head
            .iter()
            .position(|head| mentions(head, &[name.as_str()]))
        else {
            finding.fault_of_all(format!("the glossary has no column for {column}"));
            continue;
        };
        let empty = rows
            .iter()
            .filter(|row| row.get(at).is_none_or(|cell| cell.is_empty()))
            .count();
        if empty > 0 {
            finding.fault_of_all(format!("{empty} terms of the glossary have no {column}"));
        }
    }
    let terms: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(row.first()?.to_lowercase()))
        .collect();
    if terms.is_empty() {
        finding.fault_of_all("the glossary has no terms".to_owned());
    } else if terms.windows(2).any(|pair| pair[0] >= pair[1]) {
        finding.fault_of_all("the terms of the glossary are not in order, each once".to_owned());
    } else {
        finding.seen(format!(
            "it lists {} terms in order, each once, with {}",
            terms.len(),
            head.join(", ")
        ));
    }
}

/// Cells of a row of a table; none for other lines and for the line under the head.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.trim_end_matches('|');
    let is_rule = inner
        .chars()
        .all(|letter| matches!(letter, '-' | ':' | '|' | ' '));
    (!is_rule).then(|| inner.split('|').map(str::trim).collect())
}

/// Checks that an introduction keeps to the greatest length.
fn check_length(text: &str, finding: &mut Finding<'_>) {
    let words = finding.text.to_lowercase();
    let after = words
        .split_once("introduction")
        .or_else(|| words.split_once("mở đầu"))
        .map_or("", |(_, rest)| rest);
    let near = after.split([',', ';', '.']).next().unwrap_or(after);
    if let Some((_, most)) = range_before(near, &["word", "từ"]) {
        let own = text
            .lines()
            .take_while(|line| heading(line).is_none())
            .collect::<Vec<_>>()
            .join("\n");
        let count = word_count(&own);
        if count > most {
            finding.fault_of_all(format!(
                "the introduction has {count} words, more than {most}"
            ));
        } else {
            finding.seen(format!("the introduction has {count} words"));
        }
    }
}

/// Checks that there is one title and that no level is left out.
fn check_levels(judged: &Deliverable, finding: &mut Finding<'_>) {
    let levels: Vec<usize> = judged.sections().map(|section| section.level).collect();
    let count = |level: usize| levels.iter().filter(|found| **found == level).count();
    let skips = levels.windows(2).any(|pair| pair[1] > pair[0] + 1);
    if count(1) != 1 && !judged.piece {
        finding.fault_of_all(format!("there are {} headings of level 1", count(1)));
    } else if skips {
        finding.fault_of_all("a heading skips a level".to_owned());
    } else {
        let found = (1..=6).filter(|level| count(*level) > 0);
        let counts: Vec<String> = found
            .map(|level| format!("{} of level {level}", count(level)))
            .collect();
        finding.seen(format!("headings: {}", counts.join(", ")));
    }
}

/// Checks that chapters have headings with all their numbers, in order.
fn check_chapters(judged: &Deliverable, finding: &mut Finding<'_>) {
    let Some((wanted, _)) = range_before(finding.text, &["chapter"]) else {
        return;
    };
    let number = |section: Section<'_>| -> Option<usize> {
        let lower = section.title.to_lowercase();
        let rest = lower.strip_prefix("chapter ")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let found: Vec<usize> = judged.sections().filter_map(number).collect();
    // Chapters without numbers are judged by their parts.
    if found.is_empty() {
        return;
    }
    if found.iter().copied().eq(1..=wanted) {
        finding.seen(format!("{wanted} chapters have their headings, in order"));
    } else if !judged.piece {
        finding.fault_of_all(format!(
            "{} of {wanted} chapters have headings in order",
            found.len()
        ));
    }
}

/// Checks that sections stand in the order of a list in the requirement.
fn check_order(judged: &Deliverable, finding: &mut Finding<'_>) {
    let Some((_, list)) = finding.text.split_once("order") else {
        return;
    };
    let list = list.trim_start_matches([':', ' ']);
    let places: Vec<(String, usize)> = list
        .split([',', ';', '.'])
        .filter_map(|name| {
            let words = content_words(name);
            let stem = |word: &String| word.trim_end_matches('s').to_owned();
            let stems: Vec<String> = words.iter().map(stem).collect();
            let found = judged.sections().find(|section| {
                section.level <= 2
                    && stems
                        .iter()
                        .any(|stem| section.title.to_lowercase().contains(stem.as_str()))
            })?;
            Some((name.trim().to_owned(), found.line))
        })
        .collect();
    if places.windows(2).any(|pair| pair[0].1 >= pair[1].1) {
        finding.fault_of_all("the parts do not stand in the order asked for".to_owned());
    } else if places.len() > 1 {
        finding.seen(format!(
            "{} parts stand in the order asked for",
            places.len()
        ));
    }
}

/// Checks that translations use the equivalents of the glossary, and leave none of its terms as it was.
fn check_equivalents(judged: &Deliverable, finding: &mut Finding<'_>) {
    let Some((_, glossary)) = judged.section(&["glossary", "thuật ngữ"]) else {
        return;
    };
    let rows: Vec<Vec<&str>> = glossary.text.lines().filter_map(cells).skip(1).collect();
    let pairs: Vec<(String, String)> = rows
        .iter()
        .filter(|row| row.len() > 2)
        .filter_map(|row| Some((row.first()?.to_lowercase(), row.last()?.to_lowercase())))
        .filter(|(term, equivalent)| !equivalent.contains(term.as_str()))
        .collect();
    let (mut used, mut count) = (0, 0);
    for (task, part) in &judged.parts {
        if kind_of(part) != PartKind::Translation {
            continue;
        }
        count += 1;
        let body: String = part
            .lines()
            .filter(|line| heading(line).is_none())
            .collect::<Vec<_>>()
            .join("\n");
        let body = format!(" {} ", crate::model::text::words(&body).join(" "));
        for (term, equivalent) in &pairs {
            let spelled = crate::model::text::words(term).join(" ");
            if body.contains(&format!(" {spelled} ")) {
                finding.fault(
                    task,
                    format!("{task} leaves \"{term}\" as it was, not \"{equivalent}\""),
                );
            }
            let rendered = crate::model::text::words(equivalent).join(" ");
            used += usize::from(body.contains(&format!(" {rendered} ")));
        }
    }
    if count > 0 && used > 0 {
        finding.seen(format!(
            "{count} translations use {used} equivalents of the glossary and leave no term as it was"
        ));
    }
}

/// Checks that each summary with a contradicted sentence points to the note.
fn check_pointers(judged: &Deliverable, finding: &mut Finding<'_>) {
    let Some((_, note)) = judged.section(&["contradict", "mâu thuẫn"]) else {
        return;
    };
    let sentences: Vec<String> = quoted(&note.text)
        .into_iter()
        .filter(|quote| word_count(quote) > 3)
        .collect();
    let mut pointed = 0;
    for (task, part) in &judged.parts {
        if !matches!(kind_of(part), PartKind::Body | PartKind::Introduction) {
            continue;
        }
        for sentence in &sentences {
            let stem = sentence.trim_end_matches(['.', '!']);
            let bare = part.replace("**", "");
            let Some((_, after)) = bare.split_once(stem) else {
                continue;
            };
            if after.trim_start().starts_with(['(', '[']) {
                pointed += 1;
            } else {
                finding.fault(task, format!("{task} states \"{sentence}\" without pointing to the note on contradictions"));
            }
        }
    }
    finding.seen(match pointed {
        0 => format!(
            "no summary states one of the {} contradicted sentences",
            sentences.len()
        ),
        _ => format!("{pointed} contradicted statements point to the note"),
    });
}
