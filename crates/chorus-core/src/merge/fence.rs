//! The code fence that a model put around a file: taken off, with the sentences before and after
//! it. Neighbour: [`reply`](super::reply) calls it for the text of a reply.
//!
//! Fences inside a file stay. A text that may be the file itself is returned unchanged.

use std::ops::Range;

use crate::file_kind::FileKind;

/// Maximum number of lines around a fence that still are remarks about the file.
const REMARK_LINES: usize = 24;
/// Beginnings of lines that people do not write to each other.
const CODE_BEGINNINGS: [&str; 22] = [
    "//",
    "/*",
    "*/",
    "#!",
    "<!",
    "<?",
    "</",
    "import ",
    "from ",
    "def ",
    "class ",
    "fn ",
    "pub ",
    "const ",
    "let ",
    "var ",
    "function ",
    "export ",
    "package ",
    "use ",
    "@",
    "return",
];

/// A line that opens or closes a fence.
struct Fence<'a> {
    /// Bytes of the line, its end included.
    line: Range<usize>,
    mark: char,
    length: usize,
    info: &'a str,
}

/// A fenced block of a text.
struct Block<'a> {
    /// Bytes of the block, its fences included.
    whole: Range<usize>,
    /// Bytes of the lines between the fences.
    inside: Range<usize>,
    info: &'a str,
}

/// Returns the text without the one fence around the file. A Markdown file loses only a fence that
/// is marked as Markdown and is around the whole.
pub(super) fn unwrapped(text: &str, kind: FileKind) -> &str {
    if let Some(inside) = wrapped(text, kind) {
        return inside;
    }
    if kind.is_prose() {
        return text;
    }
    let blocks = blocks(text);
    if blocks.is_empty() || !is_remark(text, &blocks, kind) {
        return text;
    }
    match blocks.as_slice() {
        [block] => line_ended(&text[block.inside.clone()]),
        _ => {
            let mut named = blocks.iter().filter(|block| is_named(block.info, kind));
            match (named.next(), named.next()) {
                (Some(block), None) => line_ended(&text[block.inside.clone()]),
                _ => text,
            }
        }
    }
}

/// Returns the inside of a fence that begins and ends the text. Fences of the same length inside it
/// must come in pairs.
fn wrapped(text: &str, kind: FileKind) -> Option<&str> {
    let all = fences(text);
    let (first, last) = (all.first()?, all.last()?);
    let around = text[..first.line.start].trim().is_empty()
        && text[last.line.end..].trim().is_empty()
        && all.len() >= 2
        && last.info.is_empty()
        && last.mark == first.mark
        && last.length >= first.length;
    let named = !first.info.is_empty();
    let markdown = kind == FileKind::Markdown;
    if !around || (markdown && !is_named(first.info, kind)) {
        return None;
    }
    let inner = all[1..all.len() - 1]
        .iter()
        .filter(|fence| fence.mark == first.mark && fence.length >= first.length);
    let (mut open, mut count) = (false, 0);
    for fence in inner {
        open = !open || !fence.info.is_empty();
        count += 1;
    }
    (!open && (named || count == 0)).then(|| line_ended(&text[first.line.end..last.line.start]))
}

/// Returns the text without the line end before the closing fence.
fn line_ended(inside: &str) -> &str {
    let text = inside.strip_suffix('\n').unwrap_or(inside);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Returns true if the info string of a fence names this kind.
fn is_named(info: &str, kind: FileKind) -> bool {
    let word = info.split([' ', ',', '{', ':']).next().unwrap_or_default();
    kind.fence_words().contains(&word.to_lowercase().as_str())
}

/// Returns true if the text around the blocks is a remark about them, and no part of a file.
fn is_remark(text: &str, blocks: &[Block<'_>], kind: FileKind) -> bool {
    let ends = blocks.iter().map(|block| block.whole.end);
    let starts = blocks.iter().map(|block| block.whole.start);
    let gaps = std::iter::once(0)
        .chain(ends)
        .zip(starts.chain([text.len()]));
    let lines: Vec<&str> = gaps
        .flat_map(|(from, to)| text[from..to].lines())
        .filter(|line| !line.trim().is_empty())
        .collect();
    let data = matches!(kind, FileKind::Json | FileKind::JsonLines);
    lines.len() <= REMARK_LINES && (data || lines.iter().all(|line| is_sentence(line)))
}

/// Returns true if a line may be a sentence, a heading or a point of a list.
fn is_sentence(line: &str) -> bool {
    let bare = line.trim();
    let marks = ["\"\"\"", "'''", "/*", "*/", " = ", "();", "=>", "</"];
    !CODE_BEGINNINGS.iter().any(|code| bare.starts_with(code))
        && !bare.ends_with([';', '{', '}', '>', ','])
        && !marks.iter().any(|mark| bare.contains(mark))
        && !line.starts_with("    ")
        && !line.starts_with('\t')
        && bare.chars().any(char::is_alphabetic)
}

/// Returns the fenced blocks of a text. One that never closes ends with the text.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Fence<'_>> = None;
    for fence in fences(text) {
        match open.take() {
            None => open = Some(fence),
            Some(first) if closes(&fence, &first) => blocks.push(Block {
                whole: first.line.start..fence.line.end,
                inside: first.line.end..fence.line.start,
                info: first.info,
            }),
            Some(first) => open = Some(first),
        }
    }
    blocks.extend(open.map(|first| Block {
        whole: first.line.start..text.len(),
        inside: first.line.end..text.len(),
        info: first.info,
    }));
    blocks
}

fn closes(fence: &Fence<'_>, first: &Fence<'_>) -> bool {
    fence.info.is_empty() && fence.mark == first.mark && fence.length >= first.length
}

/// Returns the lines that may open or close a fence at the left margin.
fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let bare = line.trim_end();
        if let Some(mark) = bare.chars().next().filter(|mark| "`~".contains(*mark)) {
            let length = bare.chars().take_while(|letter| *letter == mark).count();
            let info = bare[length..].trim();
            if length >= 3 && !info.contains('`') {
                fences.push(Fence {
                    line: start..end,
                    mark,
                    length,
                    info,
                });
            }
        }
        start = end;
    }
    fences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: FileKind, expected: &str) {
        assert_eq!(unwrapped(text, kind), expected, "{kind:?}: {text}");
    }

    fn kept(text: &str, kind: FileKind) {
        check(text, kind, text);
    }

    #[test]
    fn the_fence_around_the_whole_is_taken_off_except_in_markdown() {
        check("```json\n{\"a\":1}\n```", FileKind::Json, "{\"a\":1}");
        check("```\n    x = 1\n```\n", FileKind::Python, "    x = 1");
        check("~~~toml\na = 1\n~~~", FileKind::Toml, "a = 1");
        check("```\n```", FileKind::Python, "");
        check("```markdown\n# A\n```", FileKind::Markdown, "# A");
        kept("```rust\nfn f() {}\n```", FileKind::Markdown);
        kept("```\na\n```\nand\n```\nb\n```", FileKind::Plain);
    }

    #[test]
    fn a_fence_between_sentences_is_the_file() {
        let chat =
            "Here is the module:\n\n```python\nprint(1)\n```\n\nIt prints one. Let me know!\n";
        check(chat, FileKind::Python, "print(1)");
        check("**app.toml**\n```toml\na = 1\n```", FileKind::Toml, "a = 1");
        check(
            "### The file\n- one\n\n```\nx: 1\n```",
            FileKind::Yaml,
            "x: 1",
        );
        check(
            "Here it is:\n```json\n{\"a\":1}",
            FileKind::Json,
            "{\"a\":1}",
        );
        check(
            "The code:\n```go\npackage a\n```\nRun it:\n```bash\ngo run .\n```",
            FileKind::Go,
            "package a",
        );
        kept(chat, FileKind::Markdown);
    }

    #[test]
    fn fences_inside_a_file_stay() {
        kept(
            "\"\"\"Module.\n\n```python\nx = 1\n```\n\"\"\"\n\ndef f():\n    return 1\n",
            FileKind::Python,
        );
        kept(
            "/// Adds.\n/// ```\n/// f();\n/// ```\nfn f() {}\n",
            FileKind::Rust,
        );
        kept("a: |\n  ```\n  x\n  ```\nb: 1\n", FileKind::Yaml);
        kept("a = \"\"\"\n```\nx\n```\n\"\"\"\n", FileKind::Toml);
        check(
            "```python\n\"\"\"Use:\n```\nf()\n```\n\"\"\"\n```",
            FileKind::Python,
            "\"\"\"Use:\n```\nf()\n```\n\"\"\"",
        );
        check(
            "````markdown\n# A\n```rust\nfn f() {}\n```\n````",
            FileKind::Markdown,
            "# A\n```rust\nfn f() {}\n```",
        );
        check(
            "```markdown\n# A\n```rust\nfn f() {}\n```\nEnd\n```",
            FileKind::Markdown,
            "# A\n```rust\nfn f() {}\n```\nEnd",
        );
        kept(
            "```markdown\na\n```\nand\n```markdown\nb\n```",
            FileKind::Markdown,
        );
    }
}
