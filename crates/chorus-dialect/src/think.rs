//! Think tags inside the text of models that have no field for their thinking.
//!
//! Only a tag that opens the answer is one: a think tag in the middle of an answer stays text.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A stretch of text by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Thinking(String),
}

/// State of a text that arrives in pieces and is separated into thinking and answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Splitter {
    state: State,
    held: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Before,
    Thinking,
    /// The blank lines between the thinking and the answer.
    Gap,
    Text,
}

impl Splitter {
    /// Takes more text; an end that could begin a tag is held back.
    pub(crate) fn push(&mut self, delta: &str) -> Vec<Part> {
        self.held.push_str(delta);
        let mut parts = Vec::new();
        while self.step(&mut parts) {}
        parts
    }

    /// Ends the text and returns the part that was held back.
    pub(crate) fn close(&mut self) -> Option<Part> {
        let rest = std::mem::take(&mut self.held);
        let part = match self.state {
            State::Before | State::Text => Part::Text(rest.clone()),
            State::Gap => return None,
            State::Thinking => Part::Thinking(rest.clone()),
        };
        (!rest.is_empty()).then_some(part)
    }

    /// Advances by one state or emits text; false when more text is needed.
    fn step(&mut self, parts: &mut Vec<Part>) -> bool {
        match self.state {
            State::Before => {
                let begun = self.held.trim_start();
                if let Some(rest) = begun.strip_prefix(OPEN) {
                    self.held = rest.to_owned();
                    self.state = State::Thinking;
                    return true;
                }
                if OPEN.starts_with(begun) {
                    return false;
                }
                self.state = State::Text;
                true
            }
            State::Thinking => match self.held.split_once(CLOSE) {
                Some((thought, rest)) => {
                    let rest = rest.to_owned();
                    push(parts, Part::Thinking(thought.to_owned()));
                    self.held = rest;
                    self.state = State::Gap;
                    true
                }
                None => {
                    let kept = self
                        .held
                        .split_off(self.held.len() - tail_of_close(&self.held));
                    push(
                        parts,
                        Part::Thinking(std::mem::replace(&mut self.held, kept)),
                    );
                    false
                }
            },
            State::Gap => {
                self.held = self.held.trim_start().to_owned();
                if self.held.is_empty() {
                    return false;
                }
                self.state = State::Text;
                true
            }
            State::Text => {
                push(parts, Part::Text(std::mem::take(&mut self.held)));
                false
            }
        }
    }
}

/// Splits a whole text into thinking and answer.
pub(crate) fn split(text: &str) -> (Option<String>, String) {
    let mut splitter = Splitter::default();
    let mut thinking = None;
    let mut answer = String::new();
    let mut parts = splitter.push(text);
    parts.extend(splitter.close());
    for part in parts {
        match part {
            Part::Text(text) => answer.push_str(&text),
            Part::Thinking(text) => thinking.get_or_insert_with(String::new).push_str(&text),
        }
    }
    (thinking, answer)
}

fn push(parts: &mut Vec<Part>, part: Part) {
    let (Part::Text(text) | Part::Thinking(text)) = &part;
    if !text.is_empty() {
        parts.push(part);
    }
}

/// Returns the number of bytes at the end that could begin the closing tag.
fn tail_of_close(text: &str) -> usize {
    (1..CLOSE.len())
        .rev()
        .find(|&length| text.ends_with(&CLOSE[..length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, thinking: Option<&str>, answer: &str) {
        assert_eq!(
            split(text),
            (thinking.map(str::to_owned), answer.to_owned()),
            "whole {text:?}"
        );
        for cut in (0..=text.len()).filter(|&cut| text.is_char_boundary(cut)) {
            let mut splitter = Splitter::default();
            let mut parts = splitter.push(&text[..cut]);
            parts.extend(splitter.push(&text[cut..]));
            parts.extend(splitter.close());
            let joined = |wanted: bool| -> String {
                let of = |part: &Part| match part {
                    Part::Thinking(text) if wanted => text.clone(),
                    Part::Text(text) if !wanted => text.clone(),
                    _ => String::new(),
                };
                parts.iter().map(of).collect()
            };
            assert_eq!(
                (joined(true), joined(false)),
                (thinking.unwrap_or_default().to_owned(), answer.to_owned()),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_leading_think_tag_is_thinking() {
        check("<think>hm ü</think>\n\nYes.", Some("hm ü"), "Yes.");
        check("\n<think>\nhm</think>Yes", Some("\nhm"), "Yes");
    }

    #[test]
    fn a_tag_that_never_closes_is_all_thinking() {
        check("<think>hm </thi", Some("hm </thi"), "");
    }

    #[test]
    fn a_tag_in_the_middle_of_a_text_stays_text() {
        check(
            "Use <think> tags </think>.",
            None,
            "Use <think> tags </think>.",
        );
        check("<thinner>", None, "<thinner>");
        check("<th", None, "<th");
    }
}
