//! Tagged blocks of a turn. Contents are escaped, so they cannot close a block.

use std::fmt::Write;

use chorus_core::brief::{Answered, Outline};

/// User turn of a prompt under construction.
pub(super) struct Turn(String);

impl Turn {
    /// A turn with the kind of task in its first line.
    pub(super) fn of(kind: &str) -> Self {
        let mut turn = Self(String::new());
        turn.mark("task", &[("kind", kind)]);
        turn
    }

    /// Adds a block on several lines.
    pub(super) fn long(&mut self, name: &str, attributes: &[(&str, &str)], contents: &str) {
        self.open(name, attributes);
        let contents = contents.trim_matches('\n');
        if !contents.is_empty() {
            self.0.push_str(&escaped(contents));
            self.0.push('\n');
        }
        self.close(name);
    }

    /// Adds a block on one line.
    pub(super) fn short(&mut self, name: &str, attributes: &[(&str, &str)], contents: &str) {
        self.tag(name, attributes);
        let contents = contents.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(self.0, ">{}</{name}>", escaped(&contents)).expect("a string takes all text");
    }

    /// Adds a block without contents.
    pub(super) fn mark(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.0.push_str(" />\n");
    }

    /// Adds the opening tag of a block that holds other blocks.
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.0.push_str(">\n");
    }

    /// Adds the closing tag of a block that holds other blocks.
    pub(super) fn close(&mut self, name: &str) {
        writeln!(self.0, "</{name}>").expect("a string takes all text");
    }

    /// Adds the sections of an [`Outline`].
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

    /// Adds answers; nothing when there are none.
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

    /// Adds the faults of the answer before; nothing when there were none.
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

    /// Returns the text of the turn.
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

/// Escapes contents so that they hold no closing tag.
pub(super) fn escaped(contents: &str) -> String {
    contents.replace("</", "<\\/")
}

/// Escapes the value of an attribute and joins its lines.
fn attribute(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}
