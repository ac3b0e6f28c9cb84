//! Headings of Markdown by CommonMark, and the stretches in which no line is a heading.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::line::line_end;
use super::{Heading, heading};

/// Headings of a Markdown text, and the byte ranges of code, HTML and front matter.
pub(super) struct Marked {
    pub headings: Vec<Heading>,
    pub closed: Vec<Range<usize>>,
}

/// Reads a text by CommonMark. Headings inside of quotations and lists are left out.
pub(super) fn marked(text: &str) -> Marked {
    let front = front_matter(text);
    let mut marked = Marked {
        headings: Vec::new(),
        closed: (front > 0).then_some(0..front).into_iter().collect(),
    };
    let mut depth = 0_usize;
    let mut open: Option<(u8, Range<usize>, String)> = None;
    let events = Parser::new_ext(&text[front..], Options::ENABLE_TABLES).into_offset_iter();
    for (event, range) in events {
        let range = front + range.start..front + range.end;
        match event {
            Event::Start(Tag::BlockQuote(_) | Tag::List(_)) => depth += 1,
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => depth = depth.saturating_sub(1),
            Event::Start(Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Table(_)) => {
                marked.closed.push(range);
            }
            Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                open = Some((level as u8, range, String::new()));
            }
            Event::End(TagEnd::Heading(_)) => {
                let found = open.take().and_then(|found| finished(text, found));
                marked.headings.extend(found);
            }
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, _, title)) = &mut open {
                    title.push_str(&words);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((_, _, title)) = &mut open {
                    title.push(' ');
                }
            }
            _ => {}
        }
    }
    marked
}

/// Returns the byte after front matter in YAML or TOML at the beginning; 0 without any.
fn front_matter(text: &str) -> usize {
    let first = line_end(text, 0);
    let fence = text[..first].trim_end();
    if !matches!(fence, "---" | "+++") {
        return 0;
    }
    let mut start = first;
    while start < text.len() {
        let end = line_end(text, start);
        let line = text[start..end].trim_end();
        if line == fence || (fence == "---" && line == "...") {
            return end;
        }
        if line.is_empty() && start == first {
            return 0;
        }
        start = end;
    }
    0
}

/// Makes a heading of whole lines; none without a title.
fn finished(text: &str, (level, range, title): (u8, Range<usize>, String)) -> Option<Heading> {
    let start = text[..range.start]
        .rfind(['\n', '\r'])
        .map_or(0, |at| at + 1);
    let last = range.end.max(range.start + 1) - 1;
    let end = match text.as_bytes().get(last) {
        Some(b'\n' | b'\r') => range.end,
        _ => line_end(text, range.end.min(text.len())),
    };
    (!title.trim().is_empty()).then(|| heading(start..end, level, &title))
}

/// Returns the fenced stretches of a plain text, by CommonMark's rule for fences.
pub(super) fn fences(text: &str) -> Vec<Range<usize>> {
    let mut fences = Vec::new();
    let mut open: Option<(usize, u8, usize)> = None;
    let mut start = 0;
    while start < text.len() {
        let end = line_end(text, start);
        let line = &text[start..end];
        let trimmed = line.trim();
        let is_indented = line.len() - line.trim_start_matches(' ').len() > 3;
        let mark = trimmed.bytes().next().unwrap_or(0);
        let width = trimmed.bytes().take_while(|byte| *byte == mark).count();
        let is_fence = matches!(mark, b'`' | b'~') && width >= 3 && !is_indented;
        match open {
            None if is_fence && !(mark == b'`' && trimmed[width..].contains('`')) => {
                open = Some((start, mark, width));
            }
            Some((from, by, least))
                if is_fence && by == mark && width >= least && width == trimmed.len() =>
            {
                fences.push(from..end);
                open = None;
            }
            None | Some(_) => {}
        }
        start = end;
    }
    // A fence that is never closed is no fence in a plain text.
    fences
}
