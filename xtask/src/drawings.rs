//! `cargo xtask drawings`: prints the state machines of `chorus-core` into `docs/machines.md`.
//!
//! A test compares the page with the tables, so the drawing cannot drift from the code.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, bail};
use chorus_core::attempt::{self, AttemptArrow, AttemptState};
use chorus_core::project::{PROJECT_MACHINE, TASK_MACHINE};
use chorus_core::state_machine::{Arrow, StateKind, StateMachine};

/// Writes the page.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = arguments.first() {
        bail!("unknown argument {unknown}; there are none");
    }
    let page = page();
    std::fs::write(&page, machines()?).with_context(|| page.display().to_string())?;
    println!("{} is written", page.display());
    Ok(())
}

fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/machines.md"))
}

/// Text of the page.
fn machines() -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "# The machines\n\nPrinted by `cargo xtask drawings` from the tables of arrows in `chorus-core` \
         (`project/machine.rs`, `attempt/state.rs`); a test compares.\n",
    );
    machine(&mut text, "Project", &PROJECT_MACHINE)?;
    text.push_str(
        "\nA paused project keeps the live state that it returns to. Attempts that ended before the pause \
         still move that state, by the same arrows.\n",
    );
    machine(&mut text, "Task", &TASK_MACHINE)?;
    let arrows = attempt::ARROWS.iter().map(AttemptArrow::arrow);
    section(&mut text, "Attempt", AttemptState::Queued, arrows)?;
    attempts(&mut text)?;
    Ok(text)
}

fn machine<S: StateKind>(
    text: &mut String,
    title: &str,
    machine: &StateMachine<S>,
) -> std::fmt::Result {
    section(text, title, machine.initial, machine.arrows.iter().copied())
}

fn section<S: StateKind>(
    text: &mut String,
    title: &str,
    initial: S,
    arrows: impl Iterator<Item = Arrow<S>>,
) -> std::fmt::Result {
    writeln!(text, "\n## {title}\n```mermaid\nstateDiagram-v2")?;
    writeln!(text, "    [*] --> {}", initial.as_str())?;
    for Arrow { from, to, trigger } in arrows {
        writeln!(text, "    {} --> {}: {trigger}", from.as_str(), to.as_str())?;
    }
    for kind in S::ALL.iter().filter(|kind| kind.is_terminal()) {
        writeln!(text, "    {} --> [*]", kind.as_str())?;
    }
    writeln!(text, "```")
}

/// The columns that only the arrows of attempts have.
fn attempts(text: &mut String) -> std::fmt::Result {
    text.push_str(
        "\nWho moves an attempt, what happens to its epoch, and which counter grows:\n\n\
         | from | to | trigger | who | epoch | counter |\n|---|---|---|---|---|---|\n",
    );
    for arrow in attempt::ARROWS {
        let AttemptArrow {
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
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_tables() {
        let shown = std::fs::read_to_string(page()).expect("the page is part of the repository");
        let printed = machines().expect("a String takes every text");
        assert_eq!(shown, printed, "run `cargo xtask drawings`");
    }
}
