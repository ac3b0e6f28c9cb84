//! Arrows of machines and the drawings printed from them. `docs/machines.md` holds what [`machines`] prints;
//! a test compares them, so the drawing cannot drift from the tables.

use std::fmt::Write as _;

use crate::{attempt, project};

/// One arrow of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrow {
    /// The state it leaves.
    pub from: &'static str,
    /// The state it leads to.
    pub to: &'static str,
    /// What makes it go.
    pub trigger: &'static str,
}

impl Arrow {
    /// An arrow in one line of a table.
    pub const fn new(from: &'static str, to: &'static str, trigger: &'static str) -> Self {
        Self { from, to, trigger }
    }
}

/// Whether the table has an arrow between these states.
pub fn leads(arrows: &[Arrow], from: &str, to: &str) -> bool {
    arrows
        .iter()
        .any(|arrow| arrow.from == from && arrow.to == to)
}

/// The text of `docs/machines.md`.
pub fn machines() -> String {
    let mut text = String::from(
        "# The machines\n\nPrinted from the tables of arrows in `chorus-core` (`project/table.rs`, `attempt.rs`) by \
         `chorus_core::drawing::machines`; a test compares.\n",
    );
    section(&mut text, "Project", "submitted", &project::PROJECT_ARROWS);
    section(&mut text, "Task", "pending", &project::TASK_ARROWS);
    section(&mut text, "Attempt", "queued", &attempt::drawn());
    text.push_str(
        "\nWho moves an attempt, what happens to its epoch, and which counter grows:\n\n",
    );
    text.push_str("| from | to | trigger | who | epoch | counter |\n|---|---|---|---|---|---|\n");
    for arrow in attempt::ARROWS {
        let attempt::AttemptArrow {
            from,
            to,
            trigger,
            who,
            epoch,
            counter,
        } = arrow;
        let (from, to, trigger) = (from.as_str(), to.as_str(), trigger.as_str());
        writeln!(
            text,
            "| {from} | {to} | {trigger} | {who:?} | {epoch:?} | {counter:?} |"
        )
        .expect("a String takes every text");
    }
    text
}

fn section(text: &mut String, title: &str, start: &str, arrows: &[Arrow]) {
    write!(
        text,
        "\n## {title}\n```mermaid\nstateDiagram-v2\n    [*] --> {start}\n"
    )
    .expect("a String takes every text");
    for Arrow { from, to, trigger } in arrows {
        writeln!(text, "    {from} --> {to}: {trigger}").expect("a String takes every text");
    }
    text.push_str("```\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/machines.md");

    #[test]
    fn the_page_shows_the_tables() {
        let page =
            std::fs::read_to_string(PAGE).expect("docs/machines.md is part of the repository");
        assert_eq!(
            page,
            machines(),
            "run `cargo test -p chorus-core write_the_page -- --ignored`"
        );
    }

    #[test]
    #[ignore = "writes docs/machines.md anew"]
    fn write_the_page() {
        std::fs::write(PAGE, machines()).expect("docs can be written");
    }
}
