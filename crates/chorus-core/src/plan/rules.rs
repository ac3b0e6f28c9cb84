//! The rules that every plan obeys, as a list of [`Violation`]s. [`read`](super::read()) mends; this
//! module changes nothing.

use std::collections::BTreeSet;
use std::fmt;

use super::graph::{self, Parents};
use super::{ParentPolicy, Part, Plan, Scope, files};
use crate::id::TaskKey;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// There is no task.
    NoTask,
    /// There is no file.
    NoFile,
    /// There is no requirement.
    NoRequirement,
    /// Two tasks or two requirements share a name.
    SharedName(String),
    /// A task comes before one of its parents, or names a parent that does not exist.
    ParentNotBefore {
        /// Key of the task.
        task: TaskKey,
        /// Key of the parent.
        parent: TaskKey,
    },
    /// A task has no title, no instructions, no acceptance line, or expects no output.
    Empty(TaskKey),
    /// A task waits for more parents than it has, or names one twice.
    Unreachable(TaskKey),
    /// A task covers a requirement that does not exist.
    UnknownRequirement(TaskKey, String),
    /// A requirement that no task covers.
    Uncovered(String),
    /// A task that gives no part and feeds none that does.
    Useless(TaskKey),
    /// A part names a task that does not exist, or the same task twice in a file.
    BadPart(String, TaskKey),
    /// A path that is not safe, or is taken twice, or has no part.
    BadFile(String),
    /// A task reads a section that does not exist.
    UnknownSection(TaskKey, String),
    /// A task writes more than it may, or there are too many tasks.
    TooLarge(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Plan {
    /// Returns the rules that the plan breaks by itself; none for a plan made by
    /// [`read`](super::read()) or [`fallback`](super::fallback()).
    pub fn check(&self) -> Vec<Violation> {
        let mut broken = Vec::new();
        self.check_tasks(&mut broken);
        self.check_rubric(&mut broken);
        self.check_files(&mut broken);
        if broken.is_empty() {
            self.check_use(&mut broken);
        }
        broken
    }

    /// Returns the rules that the plan breaks, those about its [`Scope`] included.
    pub fn check_in(&self, scope: &Scope<'_>) -> Vec<Violation> {
        let mut broken = self.check();
        let known: BTreeSet<&str> = scope
            .outline
            .sections
            .iter()
            .map(|section| section.id.0.as_str())
            .collect();
        if self.tasks.len() > scope.limits.max_tasks as usize {
            broken.push(Violation::TooLarge(format!("{} tasks", self.tasks.len())));
        }
        for task in &self.tasks {
            let unknown = task
                .sections
                .iter()
                .filter(|section| !known.contains(section.0.as_str()));
            broken.extend(
                unknown
                    .map(|section| Violation::UnknownSection(task.key.clone(), section.0.clone())),
            );
            if task.output_tokens > scope.limits.max_output_tokens {
                broken.push(Violation::TooLarge(format!("the output of {}", task.key)));
            }
        }
        broken
    }

    /// Returns the parents of each task by its place in the list.
    pub(super) fn parents(&self) -> Parents {
        let place = |key: &TaskKey| self.tasks.iter().position(|task| task.key == *key);
        self.tasks
            .iter()
            .map(|task| task.parents.iter().filter_map(place).collect())
            .collect()
    }

    fn check_tasks(&self, broken: &mut Vec<Violation>) {
        if self.tasks.is_empty() {
            broken.push(Violation::NoTask);
        }
        let mut before: BTreeSet<&TaskKey> = BTreeSet::new();
        for task in &self.tasks {
            let strangers = task
                .parents
                .iter()
                .filter(|parent| !before.contains(parent));
            broken.extend(strangers.map(|parent| Violation::ParentNotBefore {
                task: task.key.clone(),
                parent: parent.clone(),
            }));
            if !before.insert(&task.key) {
                broken.push(Violation::SharedName(task.key.to_string()));
            }
            let blank = task.instructions.trim().is_empty()
                || task.title.trim().is_empty()
                || task.acceptance.is_empty();
            if blank || task.output_tokens == 0 {
                broken.push(Violation::Empty(task.key.clone()));
            }
            let distinct: BTreeSet<&TaskKey> = task.parents.iter().collect();
            let reachable = match task.policy {
                ParentPolicy::All | ParentPolicy::Settled => true,
                ParentPolicy::Any => !task.parents.is_empty(),
                ParentPolicy::AtLeast(least) => least >= 1 && least as usize <= distinct.len(),
            };
            if !reachable || distinct.len() != task.parents.len() {
                broken.push(Violation::Unreachable(task.key.clone()));
            }
        }
    }

    fn check_rubric(&self, broken: &mut Vec<Violation>) {
        let mut ids = BTreeSet::new();
        if self.requirements.is_empty() {
            broken.push(Violation::NoRequirement);
        }
        for requirement in &self.requirements {
            if !ids.insert(requirement.id.as_str()) {
                broken.push(Violation::SharedName(requirement.id.clone()));
            }
            if self
                .tasks
                .iter()
                .all(|task| !task.covers.contains(&requirement.id))
            {
                broken.push(Violation::Uncovered(requirement.id.clone()));
            }
        }
        for task in &self.tasks {
            let unknown = task.covers.iter().filter(|id| !ids.contains(id.as_str()));
            broken.extend(
                unknown.map(|id| Violation::UnknownRequirement(task.key.clone(), id.clone())),
            );
        }
    }

    fn check_files(&self, broken: &mut Vec<Violation>) {
        if self.files.is_empty() {
            broken.push(Violation::NoFile);
        }
        let known: BTreeSet<&TaskKey> = self.tasks.iter().map(|task| &task.key).collect();
        let mut paths: Vec<String> = Vec::new();
        for file in &self.files {
            if !files::is_safe(&file.path)
                || (file.parts.is_empty() && !files::is_marker(&file.path))
                || files::clashes(&file.path, &paths)
            {
                broken.push(Violation::BadFile(file.path.clone()));
            }
            paths.push(file.path.clone());
            let mut seen = BTreeSet::new();
            for part in &file.parts {
                if let Part::Task { task } = part
                    && (!known.contains(task) || !seen.insert(task))
                {
                    broken.push(Violation::BadPart(file.path.clone(), task.clone()));
                }
            }
        }
    }

    fn check_use(&self, broken: &mut Vec<Violation>) {
        let named = self.part_tasks();
        let places = self
            .tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| named.contains(&task.key))
            .map(|(at, _)| at);
        let useful = graph::ancestors(&self.parents(), places);
        let useless = self
            .tasks
            .iter()
            .enumerate()
            .filter(|(at, _)| !useful.contains(at));
        broken.extend(useless.map(|(_, task)| Violation::Useless(task.key.clone())));
    }

    /// Returns the tasks that give a part to a file.
    pub(super) fn part_tasks(&self) -> BTreeSet<TaskKey> {
        let parts = self.files.iter().flat_map(|file| &file.parts);
        parts
            .filter_map(|part| match part {
                Part::Task { task } => Some(task.clone()),
                Part::Glossary { .. } | Part::Conflicts { .. } => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::SectionId;
    use crate::plan::{Limits, PlannedFile, sketch};

    /// Breaks a sound plan and checks the violations that are found.
    fn check(name: &str, break_it: impl FnOnce(&mut Plan), expected: &[Violation]) {
        let mut plan = sketch::plan("t1[d1.1] t2(t1) | a.md: t1 t2; b.md: t2");
        let outline = sketch::outline(&[10]);
        let limits = Limits {
            max_tasks: 3,
            max_output_tokens: 200,
            input_tokens: 1_000,
        };
        let scope = Scope {
            outline: &outline,
            limits,
        };
        assert_eq!(plan.check_in(&scope), [], "before: {name}");
        break_it(&mut plan);
        assert_eq!(plan.check_in(&scope), expected, "{name}");
    }

    fn key(key: &str) -> TaskKey {
        TaskKey::new(key)
    }

    #[test]
    fn each_broken_rule_about_tasks_is_found() {
        use Violation as V;
        check(
            "no task",
            |plan| {
                plan.tasks.clear();
                plan.files[0].parts = vec![Part::Glossary {
                    heading: "G".into(),
                }];
                plan.files.truncate(1);
            },
            &[V::NoTask, V::Uncovered("r1".into())],
        );
        check(
            "a child before its parent",
            |plan| plan.tasks.swap(0, 1),
            &[V::ParentNotBefore {
                task: key("t2"),
                parent: key("t1"),
            }],
        );
        check(
            "a parent that does not exist",
            |plan| plan.tasks[0].parents = vec![key("t9")],
            &[V::ParentNotBefore {
                task: key("t1"),
                parent: key("t9"),
            }],
        );
        check(
            "a parent twice",
            |plan| plan.tasks[1].parents = vec![key("t1"), key("t1")],
            &[V::Unreachable(key("t2"))],
        );
        check(
            "more parents than there are",
            |plan| plan.tasks[1].policy = ParentPolicy::AtLeast(2),
            &[V::Unreachable(key("t2"))],
        );
        check(
            "any of none",
            |plan| plan.tasks[0].policy = ParentPolicy::Any,
            &[V::Unreachable(key("t1"))],
        );
        for break_it in [
            |task: &mut super::super::PlannedTask| task.instructions = " ".into(),
            |task: &mut super::super::PlannedTask| task.title = String::new(),
            |task: &mut super::super::PlannedTask| task.acceptance.clear(),
            |task: &mut super::super::PlannedTask| task.output_tokens = 0,
        ] {
            let empty = [V::Empty(key("t1"))];
            check(
                "an empty field",
                |plan| break_it(&mut plan.tasks[0]),
                &empty,
            );
        }
    }

    #[test]
    fn each_broken_rule_about_the_rubric_is_found() {
        use Violation as V;
        check(
            "no requirement",
            |plan| plan.requirements.clear(),
            &[
                V::NoRequirement,
                V::UnknownRequirement(key("t1"), "r1".into()),
                V::UnknownRequirement(key("t2"), "r1".into()),
            ],
        );
        check(
            "a requirement twice",
            |plan| plan.requirements.push(plan.requirements[0].clone()),
            &[V::SharedName("r1".into())],
        );
        check(
            "a requirement that no task covers",
            |plan| plan.tasks.iter_mut().for_each(|task| task.covers.clear()),
            &[V::Uncovered("r1".into())],
        );
        check(
            "an unknown requirement",
            |plan| plan.tasks[0].covers.push("r9".into()),
            &[V::UnknownRequirement(key("t1"), "r9".into())],
        );
    }

    #[test]
    fn each_broken_rule_about_files_is_found() {
        use Violation as V;
        check("no file", |plan| plan.files.clear(), &[V::NoFile]);
        let bad = |path: &str| vec![V::BadFile(path.to_owned())];
        check(
            "a path outside",
            |plan| plan.files[0].path = "../a".into(),
            &bad("../a"),
        );
        check(
            "a path twice",
            |plan| plan.files[1].path = "A.md".into(),
            &bad("A.md"),
        );
        check("no part", |plan| plan.files[1].parts.clear(), &bad("b.md"));
        check(
            "a part of no task",
            |plan| plan.files[1].parts = vec![Part::Task { task: key("t9") }],
            &[V::BadPart("b.md".into(), key("t9"))],
        );
        check(
            "a part twice",
            |plan| {
                let part = plan.files[1].parts[0].clone();
                plan.files[1].parts.push(part);
            },
            &[V::BadPart("b.md".into(), key("t2"))],
        );
        check(
            "a task without use",
            |plan| {
                let parts = vec![Part::Task { task: key("t1") }];
                plan.files = vec![PlannedFile {
                    parts,
                    ..plan.files[0].clone()
                }];
            },
            &[V::Useless(key("t2"))],
        );
    }

    #[test]
    fn each_broken_bound_of_the_scope_is_found() {
        use Violation as V;
        check(
            "too many tasks",
            |plan| {
                *plan = sketch::plan("t1 t2 t3 t4 | a.md: t1 t2 t3 t4");
            },
            &[V::TooLarge("4 tasks".into())],
        );
        check(
            "an output too large",
            |plan| plan.tasks[1].output_tokens = 201,
            &[V::TooLarge("the output of t2".into())],
        );
        check(
            "an unknown section",
            |plan| plan.tasks[1].sections = vec![SectionId("d2.1".into())],
            &[V::UnknownSection(key("t2"), "d2.1".into())],
        );
    }
}
