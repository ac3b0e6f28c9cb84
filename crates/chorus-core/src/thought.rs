//! Thoughts that some servers leave at the beginning of an answer's text, between `<think>` and
//! `</think>` or, where the chat template holds the opening tag, before a lone `</think>`.
//!
//! Only a leading thought is one: a tag that a text mentions cuts nothing. Readers of answers are
//! [`json`](crate::json) and [`merge`](crate::merge).

/// Names of the tags that frame a thought.
const TAGS: [&str; 3] = ["think", "thinking", "thought"];

/// Returns the answer without its leading thoughts. An answer without one is returned unchanged.
pub fn without_thought(answer: &str) -> &str {
    let mut rest = answer;
    let mut cut = false;
    while let Some(after) = after_opened(rest) {
        rest = after;
        cut = true;
    }
    if cut {
        return rest;
    }
    after_unopened(answer).unwrap_or(answer)
}

/// Returns the text after a thought with an opening tag; nothing is left of one that never ends.
fn after_opened(text: &str) -> Option<&str> {
    let begun = text.trim_start();
    let (tag, inside) = TAGS.iter().find_map(|tag| {
        let inside = begun.strip_prefix('<')?.strip_prefix(tag)?;
        Some((*tag, inside.strip_prefix('>')?))
    })?;
    let close = format!("</{tag}>");
    let ends = || inside.match_indices(&close).map(|(at, _)| at);
    let is_plain = |at: &usize| !is_quoted(inside, *at, close.len());
    if let Some(at) = ends()
        .find(|at| is_close(inside, *at, close.len()))
        .or_else(|| ends().find(is_plain))
    {
        return Some(beginning(&inside[at + close.len()..]));
    }
    // A sentence may begin with the tag's name.
    (ends().next().is_none() && !inside.starts_with(' ')).then_some("")
}

/// Returns the text after a thought without an opening tag.
fn after_unopened(text: &str) -> Option<&str> {
    TAGS.iter().find_map(|tag| {
        let close = format!("</{tag}>");
        let (at, _) = text.match_indices(&close).next()?;
        let before = &text[..at];
        let is_thought = is_close(text, at, close.len())
            && !before.contains(&format!("<{tag}>"))
            && !in_fence(before);
        is_thought.then(|| beginning(&text[at + close.len()..]))
    })
}

/// Returns true if a closing tag ends a thought: it stands alone in its line, ends the last line of
/// the thought, or touches the answer.
fn is_close(text: &str, at: usize, length: usize) -> bool {
    if is_quoted(text, at, length) {
        return false;
    }
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    let rest = text[at + length..].split('\n').next().unwrap_or_default();
    if line.trim().is_empty() {
        return line.len() < 4 && !line.contains('\t');
    }
    let last = line.chars().next_back().unwrap_or(' ');
    if rest.trim().is_empty() {
        return !last.is_whitespace() || line.trim_end().ends_with(['.', '!', '?', '…', ':', '。']);
    }
    let next = rest.chars().next().unwrap_or(' ');
    !last.is_whitespace() && (next.is_alphanumeric() || "{[#<*`-".contains(next))
}

/// Returns true if the tag stands between quotation marks, backticks or brackets.
fn is_quoted(text: &str, at: usize, length: usize) -> bool {
    let before = text[..at].chars().next_back();
    let after = text[at + length..].chars().next();
    let opens = before.is_some_and(|mark| "`\"'“‘«([\\".contains(mark));
    let closes = after.is_some_and(|mark| "`\"'”’»)]\\".contains(mark));
    opens && closes || before == Some('`') || after == Some('\\')
}

/// Returns true if a code fence is open at the end of the text.
fn in_fence(text: &str) -> bool {
    let mut open: Option<&str> = None;
    for line in text.lines().map(str::trim) {
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| line.starts_with(mark));
        open = match (open, mark) {
            (None, mark) => mark,
            (Some(opened), Some(mark)) if mark == opened => None,
            (opened, _) => opened,
        };
    }
    open.is_some()
}

/// Returns the text without the rest of the thought's line and the blank lines under it; the indent
/// of the first line stays.
fn beginning(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        if !line.trim().is_empty() {
            break;
        }
        rest = after;
    }
    if rest.len() == text.len() {
        rest.trim_start_matches([' ', '\t'])
    } else if rest.trim().is_empty() {
        ""
    } else {
        rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(answer: &str, expected: &str) {
        assert_eq!(without_thought(answer), expected, "{answer:?}");
    }

    #[test]
    fn a_leading_thought_is_cut_with_or_without_its_opening_tag() {
        check("<think>hm</think>\nText.", "Text.");
        check("\n<think>\nhm\n</think>\n\nText.\n", "Text.\n");
        check("<think>hm</think> Text.", "Text.");
        check("<think></think>\n<think>again</think>Text.", "Text.");
        check("<thinking>hm</thinking>\n\n    indented", "    indented");
        check("hm, let me see.\n</think>\n\nText.", "Text.");
        check("the answer is 42.</think>\nText.", "Text.");
        check("no start tag</think>{\"tasks\":[]}", "{\"tasks\":[]}");
        check("hm</think>", "");
        check("<think>never ends", "");
    }

    #[test]
    fn a_thought_that_begins_with_a_fence_or_a_bracket_is_cut_too() {
        check(
            "```json\n{\"draft\": true}\n```\nNo, better so.\n</think>\n{\"tasks\": []}",
            "{\"tasks\": []}",
        );
        check("{\"draft\": true}? No.\n</think>\n\n# One", "# One");
        check("[a] and [b]\n</think>\nText.", "Text.");
    }

    #[test]
    fn a_tag_that_the_text_mentions_cuts_nothing() {
        for text in [
            "A thought ends with </think> and the answer follows.",
            "A thought ends with `</think>`.\nThen comes the answer.",
            "The tag is \"</think>\"\nand no other.",
            "It is written as <think>\nand\n</think>\nin the text.",
            "The template ends so:\n\n```\n</think>\n```\n\nThat is all.",
            "As code:\n\n    </think>\n\nand nothing else.",
            "<think> is the name of a tag.",
            "It ends (</think>) there.",
        ] {
            check(text, text);
        }
        check(
            "<think>hm</think>\nThe tag </think> ends a thought.\n</think>\nSo.",
            "The tag </think> ends a thought.\n</think>\nSo.",
        );
        check(
            "<think>the user asks for `</think>`, so\n</think>\nText.",
            "Text.",
        );
    }

    proptest! {
        #[test]
        fn a_text_without_a_closing_tag_passes_unchanged(text in "[a-z<>/`{}\\[\\] \n\té]{0,80}") {
            prop_assume!(!text.trim_start().starts_with('<') && !text.contains("</th"));
            prop_assert_eq!(without_thought(&text), text.as_str());
        }

        #[test]
        fn any_thought_before_any_text_is_cut(
            thought in "[a-z{}\\[\\].,]{1,20}( [a-z{}.,]{1,9}){0,5}",
            text in "[ ]{0,4}[a-zA-Z{\\[#`][ -~\n]{0,60}",
        ) {
            for answer in [format!("<think>\n{thought}\n</think>\n\n{text}"), format!("{thought}\n</think>\n\n{text}")] {
                prop_assert_eq!(without_thought(&answer), text.as_str());
            }
        }
    }
}
