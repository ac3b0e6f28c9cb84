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
                || section.document == selector
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
