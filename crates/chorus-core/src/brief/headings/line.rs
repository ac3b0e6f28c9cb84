//! Lines of a text, whatever ends them: LF, CRLF, CR, or any mixture.

/// One line with its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// First byte.
    pub start: usize,
    /// Byte after the line, its end included.
    pub end: usize,
    /// Text without blanks around it.
    pub text: &'a str,
    /// True if no heading is here: a code block, for instance.
    pub is_closed: bool,
}

/// Returns the lines of a text. `closed` are byte ranges without headings, in order.
pub(super) fn lines<'a>(text: &'a str, closed: &[std::ops::Range<usize>]) -> Vec<Line<'a>> {
    let mut closed = closed.iter().peekable();
    let mut lines = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = line_end(text, start);
        while closed.next_if(|range| range.end <= start).is_some() {}
        let is_closed = closed.peek().is_some_and(|range| range.start < end);
        lines.push(Line {
            start,
            end,
            text: text[start..end].trim(),
            is_closed,
        });
        start = end;
    }
    lines
}

/// Returns the byte after the line that begins at `start`.
pub(super) fn line_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    match bytes[start..]
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
    {
        None => text.len(),
        Some(at) => {
            let at = start + at;
            let is_pair = bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n');
            at + 1 + usize::from(is_pair)
        }
    }
}

/// Returns true if a line stands alone: a blank one before it, and one after it.
pub(super) fn is_alone(lines: &[Line<'_>], at: usize) -> bool {
    is_after_blank(lines, at) && lines.get(at + 1).is_none_or(|next| next.text.is_empty())
}

/// Returns true at the beginning and after a blank line.
pub(super) fn is_after_blank(lines: &[Line<'_>], at: usize) -> bool {
    at == 0 || lines[at - 1].text.is_empty()
}
