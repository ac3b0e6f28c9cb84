//! Conflicts told to the client, in the language of the heading under which they stand.

use std::fmt::Write;

use super::files::one_line;
use super::{Claim, Conflict, Resolution, ResolvedBy};
use crate::id::TaskKey;
use crate::plan::Plan;

/// Most places named for one claim.
const PLACES: usize = 3;

/// The fixed words of merged parts.
pub(super) struct Words {
    pub no_terms: &'static str,
    pub no_conflicts: &'static str,
    by_vote: &'static str,
    resolved: &'static str,
    elsewhere: &'static str,
    both: &'static str,
    open: &'static str,
    more: &'static str,
}

const ENGLISH: Words = Words {
    no_terms: "No terms were named.",
    no_conflicts: "None were found.",
    by_vote: "Resolved by most of the readings for",
    resolved: "Resolved for",
    elsewhere: "Where a part says otherwise, read it so.",
    both: "Both are kept",
    open: "Not resolved; both are kept",
    more: "and others",
};

const VIETNAMESE: Words = Words {
    no_terms: "Không có thuật ngữ nào.",
    no_conflicts: "Không tìm thấy mâu thuẫn nào.",
    by_vote: "Chọn theo đa số:",
    resolved: "Chọn:",
    elsewhere: "Nếu một phần nói khác, xin hiểu theo giá trị này.",
    both: "Giữ cả hai",
    open: "Chưa phân định; giữ cả hai",
    more: "và những phần khác",
};

/// The words for what stands under a heading.
pub(super) fn words(heading: &str) -> &'static Words {
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

/// One conflict with its sides, where each stands, and how it was resolved.
pub(super) fn conflict(
    plan: &Plan,
    conflict: &Conflict,
    resolution: Option<&Resolution>,
    words: &Words,
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
            places(plan, &claim.tasks, words)
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
                words.by_vote
            } else {
                words.resolved
            };
            format!(
                "{resolved} “{}”{reason}. {}",
                one_line(&claim.value),
                words.elsewhere
            )
        }
        (None, Some(ResolvedBy::Model)) => format!("{}{reason}.", words.both),
        (None, _) => format!("{}{reason}.", words.open),
    };
    format!("{text}\n  - {end}")
}

/// The claim that a resolution keeps.
pub(super) fn kept<'a>(
    conflict: &'a Conflict,
    resolution: Option<&Resolution>,
) -> Option<&'a Claim> {
    let keep = resolution?.keep.as_ref()?;
    conflict.claims.iter().find(|claim| claim.id == *keep)
}

/// The titles of the tasks that claim something: clients know titles, not keys.
fn places(plan: &Plan, tasks: &[TaskKey], words: &Words) -> String {
    let title = |key: &TaskKey| {
        plan.tasks
            .iter()
            .find(|task| task.key == *key)
            .map_or(key.as_str(), |task| &task.title)
            .to_owned()
    };
    let mut titles: Vec<String> = tasks.iter().take(PLACES).map(title).collect();
    if tasks.len() > PLACES {
        titles.push(words.more.to_owned());
    }
    titles.join("; ")
}
