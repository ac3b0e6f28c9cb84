//! Detection of tasks that ask for the same work twice, by shingles. [`read`](super::read()) joins
//! them.

use std::collections::{BTreeMap, BTreeSet};

use super::PlannedTask;
use crate::id::TaskKey;

/// Percentage of common shingles above which two instructions are the same.
const SAME_PERCENT: usize = 80;
/// Number of words in a shingle.
const SHINGLE: usize = 3;

/// Returns for each task that repeats an earlier one the earlier one: same sections and parents,
/// nearly the same instructions, and no name or number in which they differ.
pub(super) fn repeats(tasks: &[PlannedTask]) -> BTreeMap<TaskKey, TaskKey> {
    let mut groups: BTreeMap<_, Vec<(&PlannedTask, BTreeSet<String>)>> = BTreeMap::new();
    let mut repeats = BTreeMap::new();
    for task in tasks {
        let words = words(&task.instructions);
        let shingles = shingles(&words);
        let alike = (
            &task.sections,
            &task.parents,
            names(&format!("{} {}", task.title, task.instructions)),
        );
        let group = groups.entry(alike).or_default();
        match group.iter().find(|(_, other)| same(other, &shingles)) {
            Some((first, _)) => {
                repeats.insert(task.key.clone(), first.key.clone());
            }
            None => group.push((task, shingles)),
        }
    }
    repeats
}

fn same(left: &BTreeSet<String>, right: &BTreeSet<String>) -> bool {
    let common = left.intersection(right).count();
    let all = left.len() + right.len() - common;
    all > 0 && common * 100 > all * SAME_PERCENT
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn shingles(words: &[String]) -> BTreeSet<String> {
    if words.len() < SHINGLE {
        return BTreeSet::from([words.join(" ")]);
    }
    words
        .windows(SHINGLE)
        .map(|window| window.join(" "))
        .collect()
}

/// Returns the words that carry digits, dots, underscores, slashes, or capitals inside a sentence:
/// they distinguish tasks.
fn names(text: &str) -> BTreeSet<String> {
    let mut start = true;
    let mut names = BTreeSet::new();
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        let marked = bare.contains(|letter: char| letter.is_numeric() || "._/".contains(letter));
        let named = !start && bare.chars().next().is_some_and(char::is_uppercase);
        if marked || named {
            names.insert(bare.to_lowercase());
        }
        start = word.ends_with(['.', ':', '!', '?']);
    }
    names
}
