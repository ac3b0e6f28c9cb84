//! Consequence of a [`Verdict`]: accept, do named tasks again, or stop with the best so far.

use std::collections::{BTreeMap, BTreeSet};

use super::{Verdict, VerdictItem};
use crate::id::TaskKey;

/// Maximum number of reworks of one task.
const REWORKS: u32 = 2;

/// Consequence of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Every requirement is met.
    Accept,
    /// Tasks to be done again, with feedback for each.
    Rework(BTreeMap<TaskKey, String>),
    /// More rework would not help: the best so far is delivered, with these defects.
    Stop {
        /// Items that are not met.
        defects: Vec<VerdictItem>,
    },
}

/// Rework of a project before the verdict.
#[derive(Debug, Clone, Copy)]
pub struct ReworkHistory<'a> {
    /// Number of rounds of rework so far.
    pub rounds: u32,
    /// Maximum number of rounds.
    pub limit: u32,
    /// Best [`score`] of earlier verdicts; none before the first.
    pub best: Option<u32>,
    /// Defects of the deliverable with that score, as `requirement: evidence`.
    pub defects: &'a [String],
    /// Number of reworks of each task, by the names that the verdict uses.
    pub reworks: &'a BTreeMap<TaskKey, u32>,
}

/// Returns the share of the rubric that is met, in thousandths.
pub fn score(verdict: &Verdict) -> u32 {
    let met = verdict.items.iter().filter(|item| item.met).count();
    match verdict.items.len() {
        0 => 0,
        all => u32::try_from(met * 1_000 / all).unwrap_or(1_000),
    }
}

/// Returns true if a deliverable with this score and these defects replaces an earlier one with that
/// score and those defects: it has a higher score, or an equal one without a defect of before.
pub fn is_better(before: (u32, &[String]), now: (u32, &[String])) -> bool {
    now.0 > before.0 || (now.0 == before.0 && !is_named_again(before.1, now.1))
}

/// Returns true if a defect of before is among the defects of now: the same requirement, in mostly
/// the same words.
fn is_named_again(before: &[String], now: &[String]) -> bool {
    now.iter()
        .any(|defect| before.iter().any(|other| is_same(defect, other)))
}

fn is_same(one: &str, other: &str) -> bool {
    let (Some((id, one)), Some((other_id, other))) = (one.split_once(": "), other.split_once(": "))
    else {
        return one == other;
    };
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (one, other) = (words(one), words(other));
    let common = one.intersection(&other).count();
    id == other_id && common * 4 >= one.len().max(other.len()) * 3
}

/// Returns an unmet item as one line for people.
pub(crate) fn defect(item: &VerdictItem) -> String {
    format!("{}: {}", item.requirement, item.evidence)
}

/// Rules on a verdict: at most as many rounds as the limit, at most two reworks a task, and none when the last
/// round did not help.
pub fn rule(history: &ReworkHistory<'_>, verdict: &Verdict) -> Ruling {
    let defects: Vec<&VerdictItem> = verdict.items.iter().filter(|item| !item.met).collect();
    if defects.is_empty() && !verdict.items.is_empty() {
        return Ruling::Accept;
    }
    let named: Vec<String> = defects.iter().map(|item| defect(item)).collect();
    let now = (score(verdict), named.as_slice());
    let stuck = history
        .best
        .is_some_and(|best| !is_better((best, history.defects), now));
    let rework = if history.rounds >= history.limit || stuck {
        BTreeMap::new()
    } else {
        rework(history, &defects)
    };
    if rework.is_empty() {
        Ruling::Stop {
            defects: defects.into_iter().cloned().collect(),
        }
    } else {
        Ruling::Rework(rework)
    }
}

/// Returns every task that an unmet requirement names, with the feedback for it.
pub fn redo(verdict: &Verdict) -> BTreeMap<TaskKey, String> {
    named(verdict.items.iter().filter(|item| !item.met), |_| true)
}

fn rework(history: &ReworkHistory<'_>, defects: &[&VerdictItem]) -> BTreeMap<TaskKey, String> {
    let open = |task: &TaskKey| history.reworks.get(task).copied().unwrap_or(0) < REWORKS;
    named(defects.iter().copied(), open)
}

fn named<'a>(
    defects: impl Iterator<Item = &'a VerdictItem>,
    open: impl Fn(&TaskKey) -> bool,
) -> BTreeMap<TaskKey, String> {
    let mut rework: BTreeMap<TaskKey, String> = BTreeMap::new();
    for item in defects {
        let text = if item.feedback.is_empty() {
            &item.evidence
        } else {
            &item.feedback
        };
        for task in item.redo.iter().filter(|task| open(task)) {
            let feedback = rework.entry(task.clone()).or_default();
            if !feedback.contains(text.as_str()) {
                feedback.push_str(if feedback.is_empty() { "" } else { "\n" });
                feedback.push_str(text);
            }
        }
    }
    rework
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(requirement: &str, redo: &[&str]) -> VerdictItem {
        let redo: Vec<TaskKey> = redo.iter().map(TaskKey::new).collect();
        let feedback = format!("mend {requirement}");
        VerdictItem {
            requirement: requirement.into(),
            met: redo.is_empty(),
            evidence: "seen".into(),
            redo,
            feedback,
        }
    }

    /// `open` are the tasks that unmet requirements name; one requirement is met.
    fn check(
        rounds: u32,
        best: Option<u32>,
        reworks: &[(&str, u32)],
        open: &[&[&str]],
        expected: &str,
    ) {
        let reworks = reworks
            .iter()
            .map(|(task, times)| (TaskKey::new(task), *times))
            .collect();
        let mut items = vec![item("r0", &[])];
        items.extend(
            open.iter()
                .enumerate()
                .map(|(at, tasks)| item(&format!("r{}", at + 1), tasks)),
        );
        let seen = match rule(
            &ReworkHistory {
                rounds,
                limit: 3,
                best,
                defects: &["r1: seen".to_owned()],
                reworks: &reworks,
            },
            &Verdict {
                items,
                ..Verdict::default()
            },
        ) {
            Ruling::Accept => "accept".to_owned(),
            Ruling::Rework(tasks) => tasks
                .iter()
                .map(|(task, text)| format!("{task}: {}", text.replace('\n', ", ")))
                .collect::<Vec<_>>()
                .join("; "),
            Ruling::Stop { defects } => format!("stop, {} open", defects.len()),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn rework_is_bounded_in_every_direction() {
        check(0, None, &[], &[], "accept");
        check(3, Some(1_000), &[], &[], "accept");
        check(
            0,
            None,
            &[],
            &[&["t2"], &["t1", "t2"]],
            "t1: mend r2; t2: mend r1, mend r2",
        );
        check(2, Some(0), &[("t2", 2)], &[&["t1", "t2"]], "t1: mend r1");
        check(3, Some(0), &[], &[&["t1"]], "stop, 1 open");
        check(1, Some(500), &[], &[&["t1"]], "stop, 1 open");
        check(1, Some(499), &[], &[&["t1"]], "t1: mend r1");
        check(1, Some(0), &[("t1", 2)], &[&["t1"]], "stop, 1 open");
    }

    #[test]
    fn a_newer_text_wins_a_tie_when_its_named_faults_are_gone() {
        let check = |before: (u32, &str), now: (u32, &str), better: bool| {
            let (old, new) = ([before.1.to_owned()], [now.1.to_owned()]);
            assert_eq!(
                is_better((before.0, &old), (now.0, &new)),
                better,
                "{before:?} {now:?}"
            );
        };
        check(
            (500, "r1: the dates are missing"),
            (501, "r1: the dates are missing"),
            true,
        );
        check(
            (500, "r1: the dates are missing"),
            (500, "r1: the dates are missing"),
            false,
        );
        check(
            (500, "r1: the dates are missing"),
            (500, "r1: The dates are missing!"),
            false,
        );
        check(
            (500, "r1: no dates, names or places"),
            (500, "r1: one name is misspelt"),
            true,
        );
        check(
            (500, "r1: the dates are missing"),
            (500, "r2: the dates are missing"),
            true,
        );
        check(
            (500, "r1: no dates, names or places"),
            (499, "r1: one name is misspelt"),
            false,
        );
    }

    #[test]
    fn an_empty_verdict_accepts_nothing() {
        let history = ReworkHistory {
            rounds: 0,
            limit: 3,
            best: None,
            defects: &[],
            reworks: &BTreeMap::new(),
        };
        assert_eq!(
            rule(&history, &Verdict::default()),
            Ruling::Stop {
                defects: Vec::new()
            }
        );
    }
}
