//! The outline: attached documents cut into sections that tasks can name.
//!
//! Every document is cut where its chapters begin; a chapter that is too large is cut into parts,
//! and a stretch too small to stand alone (a title page, a part heading) goes with the chapter that
//! follows. Code is cut at its symbols. Sections tile every document exactly. [`bound`] joins small
//! neighbours where there are more than a planner can survey.

mod bound;

use std::collections::BTreeMap;
use std::ops::Range;

use super::document_kind::DocumentKind;
use super::headings::{Heading, headings};
use super::symbols::{Symbol, symbols};
use super::{Outline, Section, SectionId, count_tokens, pieces};

pub use bound::{MAX_OUTLINE_TOKENS, MAX_SECTIONS};

/// Size in tokens below which a stretch does not stand alone, unless it is a chapter.
const TINY: u64 = 200;
/// Number of sections that a planner can survey.
const SECTIONS: u64 = 220;
/// Bounds of the target size of sections, in tokens.
const TARGETS: Range<u64> = 3_000..20_000;
/// Maximum length of a section's opening, in characters.
const OPENING: usize = 160;

/// Returns a target for [`outline`] that suits these documents: about 220 sections for a very long
/// book, whole chapters for short ones.
pub fn section_target(documents: &[(String, &str)]) -> u64 {
    let tokens: u64 = documents.iter().map(|(_, text)| count_tokens(text)).sum();
    (tokens / SECTIONS).clamp(TARGETS.start, TARGETS.end)
}

/// Cuts documents (name and text) into sections of at most about `target_tokens`. There are at most
/// [`MAX_SECTIONS`] for material of 3.6 million tokens, and their lines in a prompt have at most
/// [`MAX_OUTLINE_TOKENS`].
pub fn outline(documents: &[(String, &str)], target_tokens: u64) -> Outline {
    let number = 1u32..;
    let of = |(number, (name, text)): (u32, &(String, &str))| {
        Document { number, name, text }.sections(target_tokens)
    };
    Outline {
        sections: bound::bounded(number.zip(documents).flat_map(of).collect()),
    }
}

struct Document<'a> {
    number: u32,
    name: &'a str,
    text: &'a str,
}

/// A stretch of a document under one heading, before large ones are cut.
struct Block {
    range: Range<usize>,
    title: Option<String>,
    /// True if it must not be joined with others of its kind.
    chapter: bool,
}

/// Places in a document that are found once.
struct Marks {
    headings: Vec<Heading>,
    symbols: Vec<Symbol>,
    /// First bytes of headings or symbols, in order.
    starts: Vec<usize>,
}

impl Marks {
    fn of(document: &Document<'_>) -> Self {
        let kind = DocumentKind::of(document.name, document.text);
        let headings = headings(kind, document.text);
        let symbols = match kind {
            DocumentKind::Code => symbols(document.text),
            _ => Vec::new(),
        };
        let mut starts: Vec<usize> = headings.iter().map(|heading| heading.start).collect();
        starts.extend(symbols.iter().map(|symbol| symbol.start));
        Self {
            headings,
            symbols,
            starts,
        }
    }

    /// Returns the starts in a range, counted from its beginning.
    fn breaks(&self, range: &Range<usize>) -> Vec<usize> {
        let first = self.starts.partition_point(|at| *at < range.start);
        self.starts[first..]
            .iter()
            .take_while(|at| **at < range.end)
            .map(|at| at - range.start)
            .collect()
    }

    /// Returns the heading in a range that a title names, if it is the last such one.
    fn heading(&self, range: &Range<usize>, title: &str) -> Option<&Heading> {
        let end = self
            .headings
            .partition_point(|heading| heading.start < range.end);
        self.headings[..end]
            .iter()
            .rev()
            .take_while(|heading| heading.start >= range.start)
            .find(|heading| title.contains(&heading.title))
    }

    /// Returns the names of the symbols in a range; empty without any.
    fn symbols(&self, range: &Range<usize>) -> String {
        let first = self
            .symbols
            .partition_point(|symbol| symbol.start < range.start);
        let names = self.symbols[first..]
            .iter()
            .take_while(|symbol| symbol.start < range.end)
            .take(OPENING)
            .map(|symbol| symbol.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}

impl Document<'_> {
    fn sections(&self, target: u64) -> Vec<Section> {
        if self.text.is_empty() {
            return Vec::new();
        }
        let marks = Marks::of(self);
        let blocks = self.joined(self.blocks(&marks.headings));
        let mut sections = Vec::new();
        for block in &blocks {
            let text = &self.text[block.range.clone()];
            let ranges = pieces::cut(text, target, &marks.breaks(&block.range));
            let count = ranges.len();
            for (at, range) in ranges.into_iter().enumerate() {
                let range = block.range.start + range.start..block.range.start + range.end;
                let title = self.title(block, at + 1, count);
                sections.push(self.section(sections.len() + 1, title, range, &marks));
            }
        }
        sections
    }

    fn title(&self, block: &Block, part: usize, parts: usize) -> String {
        let title = block.title.as_deref().unwrap_or(self.name);
        if parts == 1 {
            title.to_owned()
        } else {
            format!("{title} (part {part} of {parts})")
        }
    }

    fn section(&self, number: usize, title: String, range: Range<usize>, marks: &Marks) -> Section {
        let text = &self.text[range.clone()];
        let body = marks.heading(&range, &title).map_or(text, |heading| {
            &self.text[heading.end.min(range.end)..range.end]
        });
        let symbols = marks.symbols(&range);
        let body = if symbols.is_empty() { body } else { &symbols };
        Section {
            id: SectionId(format!("d{}.{number}", self.number)),
            document: self.name.to_owned(),
            title,
            start: range.start as u64,
            end: range.end as u64,
            tokens: count_tokens(text),
            opening: opening(body),
            more: Vec::new(),
        }
    }

    /// Cuts the document at its chapters and at everything above them.
    fn blocks(&self, headings: &[Heading]) -> Vec<Block> {
        let level = chapter_level(headings);
        let cuts: Vec<&Heading> = headings
            .iter()
            .filter(|heading| heading.level <= level)
            .collect();
        let titles = titles(&cuts, level);
        let first = cuts
            .first()
            .map_or(self.text.len(), |heading| heading.start);
        let explicit = cuts.iter().any(|heading| heading.chapter);
        let mut blocks = vec![Block {
            range: 0..first,
            title: None,
            chapter: false,
        }];
        for (at, heading) in cuts.iter().enumerate() {
            let end = cuts.get(at + 1).map_or(self.text.len(), |next| next.start);
            let chapter = heading.level == level && (heading.chapter || !explicit);
            blocks.push(Block {
                range: heading.start..end,
                title: Some(titles[at].clone()),
                chapter,
            });
        }
        blocks.retain(|block| !block.range.is_empty());
        blocks
    }

    /// Joins stretches too small to stand alone with the next one, or at the end with the one
    /// before.
    fn joined(&self, blocks: Vec<Block>) -> Vec<Block> {
        let tiny =
            |block: &Block| !block.chapter && count_tokens(&self.text[block.range.clone()]) < TINY;
        let mut joined: Vec<Block> = Vec::new();
        for mut block in blocks {
            if let Some(last) = joined.pop_if(|last| tiny(last)) {
                block.range.start = last.range.start;
                block.title = block.title.or(last.title);
            }
            joined.push(block);
        }
        if joined.len() > 1
            && let Some(last) = joined.pop_if(|last| tiny(last))
            && let Some(before) = joined.last_mut()
        {
            before.range.end = last.range.end;
        }
        joined
    }
}

/// Returns the level of the document's chapters: that of most lines which call themselves chapters,
/// else the outermost that occurs twice, else the outermost.
fn chapter_level(headings: &[Heading]) -> u8 {
    let (mut named, mut all) = (BTreeMap::new(), BTreeMap::new());
    for heading in headings {
        *all.entry(heading.level).or_insert(0) += 1;
        if heading.chapter {
            *named.entry(heading.level).or_insert(0) += 1;
        }
    }
    let most_named = named
        .iter()
        .max_by_key(|(level, count)| (**count, std::cmp::Reverse(**level)))
        .filter(|(_, count)| **count >= 2);
    let twice = all.iter().find(|(_, count)| **count >= 2);
    most_named
        .or(twice)
        .or_else(|| all.iter().next())
        .map_or(0, |(level, _)| *level)
}

/// Returns the titles of the cuts; those that occur more than once name the headings above them.
fn titles(cuts: &[&Heading], level: u8) -> Vec<String> {
    let mut counts = BTreeMap::new();
    for heading in cuts {
        *counts.entry(heading.title.as_str()).or_insert(0) += 1;
    }
    let mut above = None;
    let title = |heading: &&Heading| {
        let outer = heading.level < level;
        if outer {
            above = Some(heading.title.clone());
        }
        match &above {
            Some(above) if !outer && counts[heading.title.as_str()] > 1 => {
                format!("{above}, {}", heading.title)
            }
            _ => heading.title.clone(),
        }
    };
    cuts.iter().map(title).collect()
}

fn opening(text: &str) -> String {
    let start = text
        .char_indices()
        .nth(OPENING * 4)
        .map_or(text.len(), |(at, _)| at);
    let words = text[..start]
        .split_whitespace()
        .filter(|word| word.contains(|letter| letter != '#'));
    words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(OPENING)
        .collect()
}

#[cfg(test)]
mod tests;
