//! The outline in a prompt, in as much detail as fits: sections with their first words, sections,
//! documents, folders.
//!
//! `chorus_core::brief` bounds outlines when they are made; this bound also holds for outlines that are stored
//! already and beside a long brief.

use chorus_core::brief::{MAX_OUTLINE_TOKENS, Outline, Section, count_tokens};

use super::blocks::Turn;

/// Tokens that brief and outline have together in the prompt of a planner. Its model has 64,000 at least, the
/// answer 24,000, and rules and answers the rest.
const ROOM: u64 = 36_000;

/// Tokens that an outline has beside the longest brief.
const LEAST: u64 = 4_000;

/// Returns the block `<outline>`.
pub(super) fn of(outline: &Outline, brief: &str) -> String {
    let most = ROOM
        .saturating_sub(count_tokens(brief))
        .clamp(LEAST, MAX_OUTLINE_TOKENS + MAX_OUTLINE_TOKENS / 10);
    let sections = outline.sections.as_slice();
    let details: [fn(&mut Turn, &[Section]); 4] = [openings, titles, documents, folders];
    let block = |add: &fn(&mut Turn, &[Section])| {
        let mut turn = Turn::empty();
        turn.nest("outline", &[], |turn| add(turn, sections));
        turn.finish()
    };
    details
        .iter()
        .map(block)
        .find(|block| count_tokens(block) <= most)
        .unwrap_or_else(|| whole(sections))
}

fn openings(turn: &mut Turn, sections: &[Section]) {
    for section in sections {
        section_line(turn, section, &section.opening);
    }
}

fn titles(turn: &mut Turn, sections: &[Section]) {
    for section in sections {
        section_line(turn, section, "");
    }
}

fn section_line(turn: &mut Turn, section: &Section, opening: &str) {
    let tokens = section.tokens.to_string();
    let attributes = [
        ("id", section.id.0.as_str()),
        ("document", section.document.as_str()),
        ("title", section.title.as_str()),
        ("tokens", tokens.as_str()),
    ];
    turn.short("section", &attributes, opening);
}

fn documents(turn: &mut Turn, sections: &[Section]) {
    let runs = sections.chunk_by(|one, next| one.document == next.document);
    for run in runs {
        run_line(turn, "document", &run[0].document, run);
    }
}

fn folders(turn: &mut Turn, sections: &[Section]) {
    let folder = |section: &Section| {
        let (folder, _) = section.document.rsplit_once('/').unwrap_or((".", ""));
        folder.to_owned()
    };
    for run in sections.chunk_by(|one, next| folder(one) == folder(next)) {
        run_line(turn, "folder", &folder(&run[0]), run);
    }
}

/// Adds a line for neighbours: their ids as a range that a plan may name.
fn run_line(turn: &mut Turn, name: &str, of: &str, run: &[Section]) {
    let ids = format!("{}-{}", run[0].id.0, run[run.len() - 1].id.0);
    let tokens: u64 = run.iter().map(|section| section.tokens).sum();
    let (count, tokens) = (run.len().to_string(), tokens.to_string());
    let attributes = [
        ("name", of),
        ("sections", &ids),
        ("count", &count),
        ("tokens", &tokens),
    ];
    turn.mark(name, &attributes);
}

/// Returns an outline of one line for all sections.
fn whole(sections: &[Section]) -> String {
    let mut turn = Turn::empty();
    turn.nest("outline", &[], |turn| {
        if !sections.is_empty() {
            run_line(turn, "all", "all documents", sections);
        }
    });
    turn.finish()
}

#[cfg(test)]
mod tests {
    use chorus_core::brief::{SectionId, outline};

    use super::*;

    fn stored(count: usize, name: impl Fn(usize) -> String) -> Outline {
        let section = |at: usize| Section {
            id: SectionId(format!("d{at}.1")),
            document: name(at),
            title: "A heading of some length, as it stands in a file".to_owned(),
            start: 0,
            end: 1,
            tokens: 100,
            opening: "words ".repeat(26),
            more: Vec::new(),
        };
        Outline {
            sections: (1..=count).map(section).collect(),
        }
    }

    #[test]
    fn an_outline_of_any_size_fits_beside_a_brief_of_any_length() {
        let names: [fn(usize) -> String; 3] = [
            |at| format!("pkg{}/module{at}.py", at / 30),
            |_| "one.py".to_owned(),
            |at| format!("{at}/{}", "long-name-".repeat(20)),
        ];
        for name in names {
            for count in [10, 1_000, 9_000] {
                for brief in ["short".to_owned(), "long words ".repeat(20_000)] {
                    let block = of(&stored(count, name), &brief);
                    let tokens = count_tokens(&block);
                    assert!(tokens <= MAX_OUTLINE_TOKENS * 11 / 10, "{tokens}");
                    let least = if count_tokens(&brief) > ROOM {
                        LEAST
                    } else {
                        MAX_OUTLINE_TOKENS * 2
                    };
                    assert!(tokens <= least, "{tokens}");
                    assert!(
                        block.contains(&format!("d{count}.1")),
                        "the last section is named"
                    );
                }
            }
        }
    }

    #[test]
    fn a_made_outline_keeps_its_first_words() {
        let texts: Vec<String> = (0..400)
            .map(|at| format!("def f{at}():\n    pass\n"))
            .collect();
        let documents: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (format!("src/m{at}.py"), text.as_str()))
            .collect();
        let block = of(&outline(&documents, 3_000), "brief");
        assert!(
            block.contains("m399.py") && block.contains("<section"),
            "{block}"
        );
        assert!(count_tokens(&block) <= MAX_OUTLINE_TOKENS * 11 / 10);
    }
}
