//! Fixed phrases of merged parts, and conflicts written out with them, in the language of the
//! heading above them. [`files`](super::files()) decides where they go.

use std::fmt::Write;

use super::{Claim, Conflict, Resolution, ResolvedBy};
use crate::id::TaskKey;
use crate::plan::Plan;

/// Maximum number of places named for one claim.
const PLACES: usize = 3;

/// Fixed phrases of merged parts in one language.
pub(super) struct Phrases {
    pub no_terms: &'static str,
    pub no_conflicts: &'static str,
    by_vote: &'static str,
    resolved: &'static str,
    elsewhere: &'static str,
    both: &'static str,
    open: &'static str,
    more: &'static str,
}

const ENGLISH: Phrases = Phrases {
    no_terms: "No terms were named.",
    no_conflicts: "None were found.",
    by_vote: "Resolved by most of the readings for",
    resolved: "Resolved for",
    elsewhere: "Where a part says otherwise, read it so.",
    both: "Both are kept",
    open: "Not resolved; both are kept",
    more: "and others",
};

const VIETNAMESE: Phrases = Phrases {
    no_terms: "Không có thuật ngữ nào.",
    no_conflicts: "Không tìm thấy mâu thuẫn nào.",
    by_vote: "Chọn theo đa số:",
    resolved: "Chọn:",
    elsewhere: "Nếu một phần nói khác, xin hiểu theo giá trị này.",
    both: "Giữ cả hai",
    open: "Chưa phân định; giữ cả hai",
    more: "và những phần khác",
};

/// Returns the phrases in the language of a heading: Vietnamese if it has a letter that only
/// Vietnamese has, else English.
pub(super) fn of(heading: &str) -> &'static Phrases {
    let marked = |letter: char| {
        matches!(
            letter,
            'ă' | 'đ' | 'ơ' | 'ư' | 'Ă' | 'Đ' | 'Ơ' | 'Ư' | '\u{1ea0}'..='\u{1ef9}'
        )
    };
    if heading.contains(marked) {
        &VIETNAMESE
    } else {
        &ENGLISH
    }
}

/// Returns a text without line breaks, each run of white space one space.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes one conflict with its claims, their tasks, and its resolution.
pub(super) fn conflict(
    plan: &Plan,
    conflict: &Conflict,
    resolution: Option<&Resolution>,
    phrases: &Phrases,
) -> String {
    let mut text = format!("- {}:", one_line(&conflict.subject));
    for claim in &conflict.claims {
        let quote = if claim.quote.is_empty() {
            String::new()
        } else {
            format!(": “{}”", one_line(&claim.quote))
        };
        write!(
            text,
            "\n  - {}{quote} ({})",
            one_line(&claim.value),
            places(plan, &claim.tasks, phrases)
        )
        .expect("a string takes all text");
    }
    let reason = resolution
        .map(|resolution| one_line(resolution.reason.trim_end_matches('.')))
        .filter(|reason| !reason.is_empty());
    let reason = reason
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let end = match (
        kept(conflict, resolution),
        resolution.map(|resolution| resolution.by),
    ) {
        (Some(claim), by) => {
            let resolved = if by == Some(ResolvedBy::Vote) {
                phrases.by_vote
            } else {
                phrases.resolved
            };
            format!(
                "{resolved} “{}”{reason}. {}",
                one_line(&claim.value),
                phrases.elsewhere
            )
        }
        (None, Some(ResolvedBy::Model)) => format!("{}{reason}.", phrases.both),
        (None, _) => format!("{}{reason}.", phrases.open),
    };
    format!("{text}\n  - {end}")
}

/// Returns the claim that a resolution keeps.
pub(super) fn kept<'a>(
    conflict: &'a Conflict,
    resolution: Option<&Resolution>,
) -> Option<&'a Claim> {
    let keep = resolution?.keep.as_ref()?;
    conflict.claims.iter().find(|claim| claim.id == *keep)
}

/// Returns the titles of the tasks that claim something: clients know titles, not keys.
fn places(plan: &Plan, tasks: &[TaskKey], phrases: &Phrases) -> String {
    let title = |key: &TaskKey| {
        plan.tasks
            .iter()
            .find(|task| task.key == *key)
            .map_or(key.as_str(), |task| &task.title)
            .to_owned()
    };
    let mut titles: Vec<String> = tasks.iter().take(PLACES).map(title).collect();
    if tasks.len() > PLACES {
        titles.push(phrases.more.to_owned());
    }
    titles.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sketch;

    fn dispute(tasks: &[usize]) -> Conflict {
        let claim = |(at, count): (usize, &usize)| Claim {
            id: ["a", "b"][at].into(),
            value: format!("value\n {at}"),
            tasks: (0..*count)
                .map(|task| TaskKey::new(format!("t{task}")))
                .collect(),
            quote: if at == 0 {
                "It\nwas so.".into()
            } else {
                String::new()
            },
        };
        Conflict {
            id: "c1".into(),
            subject: "height  of\nthe tower".into(),
            claims: tasks.iter().enumerate().map(claim).collect(),
        }
    }

    fn resolution(keep: Option<&str>, by: ResolvedBy, reason: &str) -> Resolution {
        Resolution {
            conflict: "c1".into(),
            keep: keep.map(str::to_owned),
            reason: reason.into(),
            by,
        }
    }

    #[test]
    fn a_conflict_is_written_on_a_line_each_with_the_titles_of_its_tasks() {
        let plan = sketch::plan("t0 t1 t2 t3 | a.md: t0 t1 t2 t3");
        let text = conflict(&plan, &dispute(&[1, 4]), None, &ENGLISH);
        assert_eq!(
            text,
            "- height of the tower:\n  - value 0: “It was so.” (Part t0)\n  \
             - value 1 (Part t0; Part t1; Part t2; and others)\n  - Not resolved; both are kept."
        );
    }

    #[test]
    fn the_last_line_names_the_source_of_the_resolution() {
        let plan = sketch::plan("t0 | a.md: t0");
        let check = |resolution: Option<Resolution>, expected: &str| {
            let text = conflict(&plan, &dispute(&[1, 1]), resolution.as_ref(), &ENGLISH);
            assert_eq!(
                text.lines().last(),
                Some(format!("  - {expected}").as_str())
            );
        };
        check(
            Some(resolution(
                Some("b"),
                ResolvedBy::Vote,
                "3 of 4 claims agree.",
            )),
            "Resolved by most of the readings for “value 1”: 3 of 4 claims agree. Where a part says otherwise, read it so.",
        );
        check(
            Some(resolution(Some("a"), ResolvedBy::Model, "")),
            "Resolved for “value 0”. Where a part says otherwise, read it so.",
        );
        check(
            Some(resolution(None, ResolvedBy::Model, "the log is torn")),
            "Both are kept: the log is torn.",
        );
        check(
            Some(resolution(None, ResolvedBy::Undecided, "")),
            "Not resolved; both are kept.",
        );
        check(
            Some(resolution(Some("z"), ResolvedBy::Vote, "")),
            "Not resolved; both are kept.",
        );
    }

    #[test]
    fn the_language_follows_the_heading() {
        let vietnamese = |heading: &str| of(heading).no_terms == VIETNAMESE.no_terms;
        assert!(vietnamese("Mâu thuẫn"));
        assert!(vietnamese("ĐIỂM KHÁC BIỆT"));
        for heading in ["Contradictions", "Glossaire général", ""] {
            assert!(!vietnamese(heading), "{heading}");
        }
    }
}
