//! Parser of the prompt protocol of `docs/prompts.md`: tagged blocks with quoted attributes.

/// A tagged block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Block<'a> {
    /// Tag of the block.
    pub name: &'a str,
    attributes: &'a str,
    body: &'a str,
}

/// An input text with its title.
pub(super) struct SourceText {
    pub title: String,
    pub text: String,
}

/// Tags at the top of a turn.
const TOP: [&str; 24] = [
    "task",
    "brief",
    "answers",
    "answer",
    "outline",
    "limits",
    "refused",
    "project",
    "instructions",
    "acceptance",
    "output",
    "input",
    "result",
    "glossary",
    "feedback",
    "previous",
    "question",
    "conflict",
    "requirement",
    "suspected",
    "note",
    "excerpt",
    "last",
    "file",
];

/// A parsed turn of the protocol, as [`Block`]s.
#[derive(Debug, Clone, Default)]
pub(super) struct Prompt<'a> {
    blocks: Vec<Block<'a>>,
}

impl<'a> Prompt<'a> {
    /// Parses a turn.
    pub(super) fn read(text: &'a str) -> Self {
        Self {
            blocks: blocks(text, &TOP),
        }
    }

    /// All blocks with a tag.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Block<'a>> {
        self.blocks.iter().filter(move |block| block.name == name)
    }

    /// First block with a tag.
    pub(super) fn first(&self, name: &str) -> Option<&Block<'a>> {
        self.all(name).next()
    }

    /// Text of the first block with a tag, or an empty string.
    pub(super) fn text(&self, name: &str) -> String {
        self.first(name).map(Block::text).unwrap_or_default()
    }
}

impl<'a> Block<'a> {
    /// Content of the block, as it stands there.
    pub(super) fn text(&self) -> String {
        self.body.trim().to_owned()
    }

    /// Value of an attribute; empty if it is missing.
    pub(super) fn attribute(&self, name: &str) -> String {
        let mut rest = self.attributes;
        while let Some((key, tail)) = rest.split_once("=\"") {
            let Some((value, more)) = tail.split_once('"') else {
                break;
            };
            if key.trim() == name {
                return value
                    .replace("&quot;", "\"")
                    .replace("&lt;", "<")
                    .replace("&gt;", ">")
                    .replace("&amp;", "&");
            }
            rest = more;
        }
        String::new()
    }

    /// Value of an attribute as a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.attribute(name).parse().ok()
    }

    /// Blocks with a tag inside this one.
    pub(super) fn inside(&self, name: &'a str) -> Vec<Block<'a>> {
        blocks(self.body, &[name])
    }
}

/// Kind in the line `<task kind="…" />` of a turn.
pub(super) fn kind(text: &str) -> Option<&str> {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("<task kind=\""))?;
    line.strip_prefix("<task kind=\"")?
        .split_once('"')
        .map(|(kind, _)| kind)
}

/// Blocks with these tags, in order; nested blocks are skipped.
fn blocks<'a>(text: &'a str, names: &[&'a str]) -> Vec<Block<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|place| at + place) {
        at = open + 1;
        let Some((name, block, next)) = names
            .iter()
            .find_map(|name| block(text, open, name).map(|(block, next)| (*name, block, next)))
        else {
            continue;
        };
        found.push(Block { name, ..block });
        at = next;
    }
    found
}

/// Block that opens at an offset, and the offset after it.
fn block<'a>(text: &'a str, open: usize, name: &str) -> Option<(Block<'a>, usize)> {
    let named = text[open + 1..].strip_prefix(name)?;
    let number = numbered(named);
    let rest = &named[number.len()..];
    if !rest.starts_with([' ', '>', '/', '\n']) {
        return None;
    }
    let start = open + 1 + name.len() + number.len();
    let tag_end = start + tag_length(rest)?;
    let attributes = &text[start..tag_end];
    let block = |attributes, body| Block {
        name: "",
        attributes,
        body,
    };
    if let Some(attributes) = attributes.strip_suffix('/') {
        return Some((block(attributes, ""), tag_end + 1));
    }
    let closing = format!("</{name}{number}>");
    let body_end = tag_end + 1 + text[tag_end + 1..].find(&closing)?;
    let body = &text[tag_end + 1..body_end];
    Some((block(attributes, body), body_end + closing.len()))
}

/// The number in the name of a block that holds its own closing tag: `-2`; empty for others.
fn numbered(text: &str) -> &str {
    let digits = |digits: &str| digits.bytes().take_while(u8::is_ascii_digit).count();
    match text.strip_prefix('-').map(digits) {
        Some(count) if count > 0 => &text[..=count],
        _ => "",
    }
}

/// Bytes up to the `>` that closes a tag; a `>` inside a quoted value does not close it.
fn tag_length(rest: &str) -> Option<usize> {
    let mut quoted = false;
    rest.char_indices().find_map(|(at, letter)| {
        quoted ^= letter == '"';
        (letter == '>' && !quoted).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_attributes_and_contents() {
        let text = "<task kind=\"work\" />\n<instructions-2>Look at <input section=\"x\"> and </instructions>.</instructions-2>\n<input section=\"d1.2\" title=\"A &quot;b&quot; &lt; c\">One <b>two</b>.</input>\n<acceptance><item>a</item>\n<item>b</item></acceptance><limits max_tasks=\"40\" />";
        let prompt = Prompt::read(text);
        assert_eq!(kind(text), Some("work"));
        let instructions = "Look at <input section=\"x\"> and </instructions>.";
        assert_eq!(prompt.text("instructions"), instructions);
        let inputs: Vec<_> = prompt.all("input").collect();
        assert_eq!(inputs.len(), 1);
        assert_eq!(
            (
                inputs[0].attribute("title").as_str(),
                inputs[0].text().as_str()
            ),
            ("A \"b\" < c", "One <b>two</b>.")
        );
        let items: Vec<String> = prompt
            .first("acceptance")
            .expect("a block")
            .inside("item")
            .iter()
            .map(Block::text)
            .collect();
        assert_eq!(items, ["a", "b"]);
        assert_eq!(
            prompt
                .first("limits")
                .and_then(|limits| limits.number("max_tasks")),
            Some(40)
        );
    }
}
