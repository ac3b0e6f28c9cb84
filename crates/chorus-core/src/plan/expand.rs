//! Expansion of section selectors into sections, and of `for_each` tasks into one task for each
//! section.

use std::collections::{BTreeMap, BTreeSet};

use super::Scope;
use super::draft::DraftTask;
use super::notes::Notes;
use crate::brief::{Section, SectionId};

/// Sections by name and the order of all.
pub(super) struct Sections<'a> {
    all: &'a [Section],
    places: BTreeMap<&'a str, usize>,
}

impl<'a> Sections<'a> {
    pub(super) fn of(scope: &Scope<'a>) -> Self {
        let all = scope.outline.sections.as_slice();
        Self {
            all,
            places: all
                .iter()
                .enumerate()
                .map(|(at, section)| (section.id.0.as_str(), at))
                .collect(),
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&'a Section> {
        self.places.get(id).map(|at| &self.all[*at])
    }

    /// Returns the tokens of these sections.
    pub(super) fn tokens(&self, ids: &[SectionId]) -> u64 {
        ids.iter()
            .filter_map(|id| self.get(&id.0))
            .map(|section| section.tokens)
            .sum()
    }

    /// Returns the sections of a selector, in document order. A selector is a name, `*`, `d1.*`,
    /// `d1`, a document's name, or a range `d1.2-d1.5`.
    fn select(&self, selector: &str) -> Vec<usize> {
        let selector = selector.trim();
        if let Some(at) = self.places.get(selector) {
            return vec![*at];
        }
        if matches!(selector, "*" | "all") {
            return (0..self.all.len()).collect();
        }
        if let Some((first, last)) = selector.split_once(['-', '–'])
            && let (Some(first), Some(last)) =
                (self.places.get(first.trim()), self.places.get(last.trim()))
        {
            return (*first..=*last).collect();
        }
        let prefix = format!("{}.", selector.trim_end_matches('*').trim_end_matches('.'));
        let matches = |section: &Section| {
            section.id.0.starts_with(&prefix)
                || section.is_of(selector)
                || section.title == selector
        };
        (0..self.all.len())
            .filter(|at| matches(&self.all[*at]))
            .collect()
    }

    /// Returns the sections of all selectors of a task; unknown ones give a warning.
    fn select_all(&self, task: &DraftTask, notes: &mut Notes) -> Vec<usize> {
        let mut found = BTreeSet::new();
        for selector in &task.sections {
            let places = self.select(selector);
            if places.is_empty() {
                notes.warn(format!(
                    "task {} reads section {selector:?}, which does not exist; left out",
                    task.key
                ));
            }
            found.extend(places);
        }
        found.into_iter().collect()
    }
}

/// Gives sections to plans that forgot them: a `for_each` without a list reads all, and when no
/// task reads anything although documents are attached, the tasks without parents read everything.
/// Returns true in the latter case.
pub(super) fn remember(tasks: &mut [DraftTask], scope: &Scope<'_>) -> bool {
    for task in tasks
        .iter_mut()
        .filter(|task| task.for_each && task.sections.is_empty())
    {
        task.sections = vec!["*".into()];
    }
    let forgotten =
        !scope.outline.sections.is_empty() && tasks.iter().all(|task| task.sections.is_empty());
    for task in tasks
        .iter_mut()
        .filter(|task| forgotten && task.parents.is_empty())
    {
        task.sections = vec!["*".into()];
    }
    forgotten
}

/// Replaces selectors by section names and every `for_each` task by its copies.
pub(super) fn expand(
    tasks: Vec<DraftTask>,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Vec<DraftTask> {
    let sections = Sections::of(scope);
    let single = tasks.iter().filter(|task| !task.for_each).count();
    let many: Vec<usize> = tasks
        .iter()
        .map(|task| {
            if task.for_each {
                many(task, &sections)
            } else {
                0
            }
        })
        .collect();
    let room = (scope.limits.max_tasks as usize).saturating_sub(single);
    let size = group_size(&many, room);
    if size > 1 {
        notes.warn(format!(
            "more sections than tasks allowed: {size} sections go into each task"
        ));
    }
    let mut expanded = Vec::new();
    for task in tasks {
        let places = sections.select_all(&task, notes);
        if task.for_each && !places.is_empty() {
            expanded.extend(copies(&task, &places, size, &sections));
        } else {
            let ids = places
                .iter()
                .map(|at| sections.all[*at].id.0.clone())
                .collect();
            expanded.push(DraftTask {
                sections: ids,
                ..task
            });
        }
    }
    expanded
}

fn many(task: &DraftTask, sections: &Sections<'_>) -> usize {
    task.sections
        .iter()
        .flat_map(|selector| sections.select(selector))
        .collect::<BTreeSet<_>>()
        .len()
}

/// Returns the number of sections for one task, so that all tasks fit the limit.
fn group_size(many: &[usize], room: usize) -> usize {
    let most = many.iter().copied().max().unwrap_or(0).max(1);
    let tasks = |size: usize| many.iter().map(|count| count.div_ceil(size)).sum::<usize>();
    (1..=most).find(|size| tasks(*size) <= room).unwrap_or(1)
}

fn copies(
    task: &DraftTask,
    places: &[usize],
    size: usize,
    sections: &Sections<'_>,
) -> Vec<DraftTask> {
    let groups = places.chunks(size).enumerate();
    let copy = |(at, group): (usize, &[usize])| {
        let number = (at + 1).to_string();
        let group: Vec<&Section> = group.iter().map(|at| &sections.all[*at]).collect();
        let name = group
            .iter()
            .map(|section| section.title.as_str())
            .collect::<Vec<_>>()
            .join("; ");
        let fill = |text: &str| text.replace("{section}", &name).replace("{n}", &number);
        let mut title = fill(&task.title);
        if title == task.title && !title.is_empty() {
            title = format!("{title}: {name}");
        }
        let key = format!("{}.{number}", task.key);
        DraftTask {
            names: vec![task.key.clone(), key.clone()],
            key,
            title,
            instructions: fill(&task.instructions),
            sections: group.iter().map(|section| section.id.0.clone()).collect(),
            parents: task.parents.iter().map(|parent| fill(parent)).collect(),
            acceptance: task.acceptance.iter().map(|line| fill(line)).collect(),
            for_each: false,
            ..task.clone()
        }
    };
    groups.map(copy).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Limits, sketch};

    fn task(key: &str, sections: &[&str], for_each: bool) -> DraftTask {
        DraftTask {
            key: key.into(),
            names: vec![key.into()],
            title: "Summary".into(),
            instructions: "Summarise {section} as part {n}".into(),
            sections: sections.iter().map(|name| (*name).to_owned()).collect(),
            for_each,
            ..DraftTask::default()
        }
    }

    fn expanded(
        tasks: Vec<DraftTask>,
        sections: usize,
        max_tasks: u32,
    ) -> (Vec<DraftTask>, Vec<String>) {
        let outline = sketch::outline(&vec![10; sections]);
        let limits = Limits {
            max_tasks,
            ..Limits::default()
        };
        let scope = Scope {
            outline: &outline,
            limits,
        };
        let mut notes = Notes::default();
        let tasks = expand(tasks, &scope, &mut notes);
        (tasks, notes.into_warnings())
    }

    fn check(selectors: &[&str], expected: &[&str], warnings: usize) {
        let (tasks, warned) = expanded(vec![task("t", selectors, false)], 4, 10);
        assert_eq!(tasks[0].sections, expected, "{selectors:?}");
        assert_eq!(warned.len(), warnings, "{warned:?}");
    }

    #[test]
    fn a_selector_names_sections_in_many_ways() {
        let all = ["d1.1", "d1.2", "d1.3", "d1.4"];
        check(&["d1.2"], &["d1.2"], 0);
        for selector in [
            "*",
            "all",
            "d1.*",
            "d1",
            "book.md",
            "d1.1-d1.4",
            "d1.1 – d1.4",
        ] {
            check(&[selector], &all, 0);
        }
        check(&["Chapter 3"], &["d1.3"], 0);
        check(&["d1.3", "d1.1", "d1.3"], &["d1.1", "d1.3"], 0);
        check(&["d1.2-d1.3"], &["d1.2", "d1.3"], 0);
        check(&["d2.1", "d1.1"], &["d1.1"], 1);
        check(&["d1.3-d1.2"], &[], 1);
        check(&[], &[], 0);
    }

    #[test]
    fn a_task_for_each_section_becomes_one_task_a_section() {
        let (tasks, warned) = expanded(vec![task("t", &["d1.1-d1.2"], true)], 4, 10);
        let keys: Vec<&str> = tasks.iter().map(|task| task.key.as_str()).collect();
        assert_eq!(keys, ["t.1", "t.2"]);
        assert_eq!(tasks[1].title, "Summary: Chapter 2");
        assert_eq!(tasks[1].instructions, "Summarise Chapter 2 as part 2");
        assert_eq!(
            tasks[1].names,
            ["t", "t.2"],
            "others may still mean the group"
        );
        assert!(warned.is_empty() && !tasks[0].for_each);
    }

    #[test]
    fn forgotten_sections_are_given_to_tasks_without_parents() {
        let outline = sketch::outline(&[10, 10]);
        let scope = Scope {
            outline: &outline,
            limits: Limits::default(),
        };
        let mut child = task("c", &[], false);
        child.parents = vec!["t".into()];
        let mut tasks = vec![task("t", &[], false), child];
        assert!(remember(&mut tasks, &scope));
        assert_eq!((tasks[0].sections.len(), tasks[1].sections.len()), (1, 0));
        let mut tasks = vec![task("t", &["d1.1"], false), task("u", &[], false)];
        assert!(!remember(&mut tasks, &scope), "one task reads a section");
        assert!(tasks[1].sections.is_empty());
        let nothing = sketch::outline(&[]);
        let scope = Scope {
            outline: &nothing,
            ..scope
        };
        assert!(
            !remember(&mut [task("t", &[], false)], &scope),
            "nothing is attached"
        );
    }

    proptest! {
        #[test]
        fn copies_cover_every_section_once_within_the_limit(sections in 1usize..60, max_tasks in 2u32..30) {
            let tasks = vec![task("t", &["*"], true), task("join", &[], false)];
            let (tasks, warned) = expanded(tasks, sections, max_tasks);
            prop_assert!(tasks.len() <= max_tasks as usize);
            prop_assert_eq!(warned.is_empty(), sections < max_tasks as usize);
            let read: Vec<&String> = tasks.iter().flat_map(|task| &task.sections).collect();
            let all: Vec<String> = (1..=sections).map(|at| format!("d1.{at}")).collect();
            prop_assert_eq!(read, all.iter().collect::<Vec<_>>());
        }

        #[test]
        fn groups_are_no_larger_than_the_limit_asks(many in prop::collection::vec(0usize..40, 1..5), room in 1usize..60) {
            let size = group_size(&many, room);
            let tasks = |size: usize| many.iter().map(|count| count.div_ceil(size)).sum::<usize>();
            prop_assert!(size >= 1);
            if size > 1 {
                prop_assert!(tasks(size) <= room && tasks(size - 1) > room);
            }
        }
    }
}
