//! Headings of HTML, LaTeX, reStructuredText, AsciiDoc and Org, by their own marks.

use super::line::{Line, is_after_blank};
use super::{Heading, heading};

/// Commands of LaTeX that begin a section, with the level.
const COMMANDS: [(&str, u8); 6] = [
    ("\\part", 1),
    ("\\chapter", 2),
    ("\\section", 3),
    ("\\subsection", 4),
    ("\\subsubsection", 5),
    ("\\frametitle", 4),
];

/// Maximum length of a heading in HTML with its tags, in bytes.
const LONGEST_HTML: usize = 4000;

/// Characters that underline a title in reStructuredText.
const UNDERLINES: &str = "=-`:.'\"~^_*+#<>!$%&(),/;?@[\\]{|}";

/// Returns `h1` to `h6` outside of scripts, styles and comments.
pub(super) fn html(text: &str) -> Vec<Heading> {
    let lower = text.to_ascii_lowercase();
    let mut headings = Vec::new();
    let mut at = 0;
    while let Some(found) = lower[at..].find('<') {
        let start = at + found;
        let rest = &lower[start..];
        at = start + 1;
        let skipped = [
            ("<script", "</script"),
            ("<style", "</style"),
            ("<!--", "-->"),
        ]
        .iter()
        .find(|(open, _)| rest.starts_with(open))
        .map(|(_, close)| rest.find(close).map_or(text.len(), |end| start + end));
        if let Some(end) = skipped {
            at = end.max(at);
            continue;
        }
        let level = match rest.as_bytes() {
            [
                b'<',
                b'h',
                level @ b'1'..=b'6',
                b'>' | b' ' | b'\n' | b'\r' | b'\t',
                ..,
            ] => level - b'0',
            _ => continue,
        };
        let near = rest.floor_char_boundary(LONGEST_HTML);
        let Some(end) = rest[..near].find(&format!("</h{level}")) else {
            continue;
        };
        let end = start + end;
        let inner = text[start..end]
            .split_once('>')
            .map_or("", |(_, inner)| inner);
        let close = lower[end..]
            .find('>')
            .map_or(text.len(), |close| end + close + 1);
        let title = without_tags(inner);
        if !title.trim().is_empty() {
            headings.push(heading(start..close, level, &title));
        }
        at = close;
    }
    headings
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for letter in html.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => {
                is_tag = false;
                text.push(' ');
            }
            _ if !is_tag => text.push(letter),
            _ => {}
        }
    }
    text.replace("&amp;", "&")
        .replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
}

/// Returns the sectioning commands of LaTeX at the beginning of a line.
pub(super) fn latex(lines: &[Line<'_>]) -> Vec<Heading> {
    let found = |line: &Line<'_>| {
        let (command, level) = COMMANDS.iter().find(|(command, _)| {
            line.text
                .strip_prefix(command)
                .is_some_and(|rest| rest.starts_with(['{', '*', '[']))
        })?;
        let rest = &line.text[command.len()..];
        let open = rest.find('{')?;
        let title = rest[open + 1..]
            .rsplit_once('}')
            .map_or(&rest[open + 1..], |(title, _)| title);
        let title = title.split("}\\label").next().unwrap_or(title);
        (!title.trim().is_empty()).then(|| heading(line.start..line.end, *level, title))
    };
    lines.iter().filter_map(found).collect()
}

/// Returns underlined titles; the order in which their marks occur gives the levels.
pub(super) fn restructured(lines: &[Line<'_>]) -> Vec<Heading> {
    let mut styles: Vec<(char, bool)> = Vec::new();
    let mut headings = Vec::new();
    for at in 0..lines.len() {
        let line = lines[at];
        let Some(mark) = lines.get(at + 1).and_then(|under| underline(under.text)) else {
            continue;
        };
        let width = line.text.chars().count();
        let is_over = at > 0 && underline(lines[at - 1].text) == Some(mark);
        let is_title = width > 0
            && underline(line.text).is_none()
            && lines[at + 1].text.chars().count() + 1 >= width
            && (is_over || is_after_blank(lines, at));
        if !is_title {
            continue;
        }
        let style = (mark, is_over);
        let level = styles
            .iter()
            .position(|known| *known == style)
            .unwrap_or_else(|| {
                styles.push(style);
                styles.len() - 1
            });
        let start = if is_over {
            lines[at - 1].start
        } else {
            line.start
        };
        let level = u8::try_from(level + 1).unwrap_or(6).min(6);
        headings.push(heading(start..lines[at + 1].end, level, line.text));
    }
    headings
}

/// Returns the mark of a line that is nothing else.
fn underline(text: &str) -> Option<char> {
    let mark = text
        .chars()
        .next()
        .filter(|mark| UNDERLINES.contains(*mark))?;
    (text.len() >= 3 && text.chars().all(|letter| letter == mark)).then_some(mark)
}

/// Returns lines that begin with one to six `=`, outside of delimited blocks.
pub(super) fn asciidoc(lines: &[Line<'_>]) -> Vec<Heading> {
    let mut open: Option<&str> = None;
    let mut headings = Vec::new();
    for line in lines {
        let is_fence = line.text.len() >= 4
            && ["-", ".", "+", "/", "`"]
                .iter()
                .any(|mark| line.text.replace(mark, "").is_empty());
        match (open, is_fence) {
            (None, true) => open = Some(line.text),
            (Some(fence), true) if fence == line.text => open = None,
            (None, false) => headings.extend(signed(line, '=')),
            (Some(_), _) => {}
        }
    }
    headings
}

/// Returns lines of Org that begin with stars.
pub(super) fn org(text: &str, lines: &[Line<'_>]) -> Vec<Heading> {
    lines
        .iter()
        .filter(|line| text[line.start..].starts_with('*'))
        .filter_map(|line| signed(line, '*'))
        .collect()
}

fn signed(line: &Line<'_>, sign: char) -> Option<Heading> {
    let level = line
        .text
        .chars()
        .take_while(|letter| *letter == sign)
        .count();
    let title = line.text[level..].strip_prefix([' ', '\t'])?.trim();
    let level = u8::try_from(level)
        .ok()
        .filter(|level| (1..=6).contains(level))?;
    (!title.is_empty()).then(|| heading(line.start..line.end, level, title))
}
