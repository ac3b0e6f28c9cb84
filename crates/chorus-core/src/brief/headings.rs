//! Finder of section beginnings, by the kind of the document.
//!
//! Markdown is read by CommonMark ([`markdown`]), other markup by its own marks ([`markup`]), plain
//! text by what books do ([`plain`], [`chapter_line`]). Code and data have no headings. A table of
//! contents is left out ([`contents`]).

mod chapter_line;
mod contents;
mod line;
mod markdown;
mod markup;
mod number;
mod plain;

use std::ops::Range;

use super::document_kind::DocumentKind;
use contents::without_contents;

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

/// Maximum length of a heading line, in characters.
const LONGEST: usize = 90;

/// Returns the headings of a text, in order.
pub(super) fn headings(kind: DocumentKind, text: &str) -> Vec<Heading> {
    match kind {
        DocumentKind::Code | DocumentKind::Data => Vec::new(),
        DocumentKind::Markdown => {
            let marked = markdown::marked(text);
            let lines = line::lines(text, &ordered(marked.closed));
            let chapters = plain::chapter_lines(&lines);
            strong_or_weak(text, &lines, marked.headings, chapters)
        }
        DocumentKind::Plain => {
            let fences = markdown::fences(text);
            let lines = line::lines(text, &fences);
            let marked = plain::marked_lines(&lines);
            strong_or_weak(text, &lines, marked, plain::chapter_lines(&lines))
        }
        DocumentKind::Html => markup::html(text),
        DocumentKind::Latex => markup::latex(&line::lines(text, &[])),
        DocumentKind::Restructured => markup::restructured(&line::lines(text, &[])),
        DocumentKind::AsciiDoc => markup::asciidoc(&line::lines(text, &[])),
        DocumentKind::Org => markup::org(text, &line::lines(text, &[])),
    }
}

/// Returns the lines of a text, each with its first byte and without blanks around it.
pub(super) fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    line::lines(text, &[])
        .into_iter()
        .map(|line| (line.start, line.text))
}

/// Returns marked headings with chapter lines, or weaker ones where there are fewer than two.
fn strong_or_weak(
    text: &str,
    lines: &[line::Line<'_>],
    marked: Vec<Heading>,
    chapters: Vec<Heading>,
) -> Vec<Heading> {
    let all = marked.into_iter().chain(chapters).collect();
    let strong = without_contents(text, sorted(all));
    if strong.len() >= 2 {
        return strong;
    }
    plain::weak(text, lines, &strong).unwrap_or(strong)
}

fn heading(range: Range<usize>, level: u8, title: &str) -> Heading {
    let title: String = title
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(LONGEST)
        .collect();
    Heading {
        start: range.start,
        end: range.end,
        level,
        chapter: chapter_line::chapter(&title, false).is_some(),
        title,
    }
}

/// Sorts headings and drops those that begin inside of the one before.
fn sorted(mut headings: Vec<Heading>) -> Vec<Heading> {
    headings.sort_by_key(|heading| heading.start);
    let mut end = 0;
    headings.retain(|heading| {
        let is_free = heading.start >= end;
        if is_free {
            end = heading.end;
        }
        is_free
    });
    headings
}

fn ordered(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    ranges
}

#[cfg(test)]
mod tests;
