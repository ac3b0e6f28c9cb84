//! The tagged blocks of a turn. Contents can neither close a block nor open one that counts.

use std::fmt::Write;

use chorus_core::brief::{Answered, Outline};

/// A turn under construction.
pub(super) struct Turn(String);

impl Turn {
    /// A turn whose first line names the kind.
    pub(super) fn of(kind: &str) -> Self {
        let mut turn = Self(String::new());
        turn.mark("task", &[("kind", kind)]);
        turn
    }

    /// A block on lines of its own.
    pub(super) fn long(&mut self, name: &str, attributes: &[(&str, &str)], contents: &str) {
        self.open(name, attributes);
        let contents = contents.trim_matches('\n');
        if !contents.is_empty() {
            self.0.push_str(&escaped(contents));
            self.0.push('\n');
        }
        self.close(name);
    }

    /// A block on one line.
    pub(super) fn short(&mut self, name: &str, attributes: &[(&str, &str)], contents: &str) {
        self.tag(name, attributes);
        let contents = contents.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(self.0, ">{}</{name}>", escaped(&contents)).expect("a string takes all text");
    }

    /// A block without contents.
    pub(super) fn mark(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.0.push_str(" />\n");
    }

    /// The opening tag of a block that holds other blocks.
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.0.push_str(">\n");
    }

    /// The closing tag of such a block.
    pub(super) fn close(&mut self, name: &str) {
        writeln!(self.0, "</{name}>").expect("a string takes all text");
    }

    /// The block of sections.
    pub(super) fn outline(&mut self, outline: &Outline) {
        self.open("outline", &[]);
        for section in &outline.sections {
            let tokens = section.tokens.to_string();
            let attributes = [
                ("id", section.id.0.as_str()),
                ("document", &section.document),
                ("title", &section.title),
                ("tokens", &tokens),
            ];
            self.short("section", &attributes, &section.opening);
        }
        self.close("outline");
    }

    /// The block of answers, left out when there are none.
    pub(super) fn answers(&mut self, answers: &[Answered]) {
        if answers.is_empty() {
            return;
        }
        self.open("answers", &[]);
        for answered in answers {
            let assumed = if answered.assumed { "true" } else { "false" };
            self.short(
                "answer",
                &[("question", &answered.question.text), ("assumed", assumed)],
                &answered.answer,
            );
        }
        self.close("answers");
    }

    /// The block of what was wrong with the answer before, left out when there was none.
    pub(super) fn refused(&mut self, wrong: &[String]) {
        if !wrong.is_empty() {
            self.long(
                "refused",
                &[],
                &wrong
                    .iter()
                    .map(|wrong| format!("- {wrong}\n"))
                    .collect::<String>(),
            );
        }
    }

    /// The finished turn.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        write!(self.0, "<{name}").expect("a string takes all text");
        for (key, value) in attributes {
            write!(self.0, " {key}=\"{}\"", attribute(value)).expect("a string takes all text");
        }
    }
}

/// Contents in which no closing tag can occur.
pub(super) fn escaped(contents: &str) -> String {
    contents.replace("</", "<\\/")
}

/// An attribute's value, on one line.
fn attribute(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}
