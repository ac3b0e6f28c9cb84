//! Tagged blocks of a turn. Contents stand in them as they are; a block that holds its own closing tag has a
//! number in its name, so that they cannot close it.

use std::fmt::Write;

use chorus_core::brief::Answered;

/// User turn of a prompt under construction.
pub(super) struct Turn(String);

impl Turn {
    /// A turn with the kind of task in its first line.
    pub(super) fn of(kind: &str) -> Self {
        let mut turn = Self(String::new());
        turn.mark("task", &[("kind", kind)]);
        turn
    }

    /// A turn without anything in it.
    pub(super) const fn empty() -> Self {
        Self(String::new())
    }

    /// Adds a block on several lines.
    pub(super) fn long(&mut self, name: &str, attributes: &[(&str, &str)], contents: &str) {
        let name = closed_only_by_itself(name, contents);
        self.tag(&name, attributes);
        self.0.push_str(">\n");
        let contents = contents.trim_matches('\n');
        if !contents.is_empty() {
            self.0.push_str(contents);
            self.0.push('\n');
        }
        writeln!(self.0, "</{name}>").expect("a string takes all text");
    }

    /// Adds a block on one line.
    pub(super) fn short(&mut self, name: &str, attributes: &[(&str, &str)], contents: &str) {
        let contents = contents.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = closed_only_by_itself(name, &contents);
        self.tag(&name, attributes);
        writeln!(self.0, ">{contents}</{name}>").expect("a string takes all text");
    }

    /// Adds a block without contents.
    pub(super) fn mark(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.0.push_str(" />\n");
    }

    /// Adds a block that holds other blocks.
    pub(super) fn nest(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        fill: impl FnOnce(&mut Self),
    ) {
        let mut inner = Self(String::new());
        fill(&mut inner);
        self.long(name, attributes, &inner.0);
    }

    /// Adds a block that is written already.
    pub(super) fn written(&mut self, block: &str) {
        self.0.push_str(block);
    }

    /// Adds answers; nothing when there are none.
    pub(super) fn answers(&mut self, answers: &[Answered]) {
        if answers.is_empty() {
            return;
        }
        self.nest("answers", &[], |turn| {
            for answered in answers {
                let assumed = if answered.assumed { "true" } else { "false" };
                turn.short(
                    "answer",
                    &[("question", &answered.question.text), ("assumed", assumed)],
                    &answered.answer,
                );
            }
        });
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

/// Returns the name, with a number if the contents hold its closing tag.
fn closed_only_by_itself(name: &str, contents: &str) -> String {
    let contents = contents.to_ascii_lowercase();
    if !contents.contains(&format!("</{name}")) {
        return name.to_owned();
    }
    (2..)
        .map(|number| format!("{name}-{number}"))
        .find(|name| !contents.contains(&format!("</{name}")))
        .expect("numbers do not end")
}

/// Escapes the value of an attribute and joins its lines.
fn attribute(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}
