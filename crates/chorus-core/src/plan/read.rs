//! Reading of a planner's reply into a plan: the ladder of readings, then the rules that every plan
//! obeys.
//!
//! Faults that can be mended without guessing give a warning; others are refused with a list of
//! errors, so that the planner can be asked again. [`read_leniently`] is for the last reply, after
//! which the planner is not asked again.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, DraftTask};
use super::graph::{self, Parents};
use super::notes::Notes;
use super::{
    Plan, PlannedTask, Reading, Refused, Scope, expand, files, inputs, near, rubric, useful,
};
use crate::brief::SectionId;
use crate::id::TaskKey;
use crate::json::{self, Rung};

/// Maximum length of a chain of tasks, else the planner is asked again.
const DEEPEST: usize = 12;

/// Reads a planner's reply; a refused one should be asked again with the errors.
pub fn read(reply: &str, scope: &Scope<'_>) -> Result<Reading, Refused> {
    reading(reply, scope, Notes::default())
}

/// Reads a planner's reply as well as it can be: cycles are broken at the edge that points
/// backward, shared ids are made distinct, a cut reply is read as far as it goes. A reply that is
/// refused even so calls for [`fallback`](super::fallback()).
pub fn read_leniently(reply: &str, scope: &Scope<'_>) -> Result<Reading, Refused> {
    reading(reply, scope, Notes::lenient())
}

fn reading(reply: &str, scope: &Scope<'_>, mut notes: Notes) -> Result<Reading, Refused> {
    let draft = drafted(reply, &mut notes)?;
    let mut tasks = named(draft.tasks, scope, &mut notes);
    if expand::remember(&mut tasks, scope) {
        notes.fault(
            "no task reads any section of the attached documents: name them in `sections`".into(),
        );
    }
    notes.check()?;
    if tasks.is_empty() {
        return Err(Refused {
            errors: vec!["there is no task with instructions".into()],
        });
    }
    let tasks = expand::expand(tasks, scope, &mut notes);
    let tasks = distinct(inputs::condense(tasks, scope, &mut notes));
    too_many(tasks.len(), scope)?;
    let tasks = connected(tasks, &mut notes);
    notes.check()?;
    let tasks = inputs::narrow(tasks, scope, &mut notes);
    too_many(tasks.len(), scope)?;
    let files = {
        let names = Names::of(&tasks);
        files::planned(
            draft.files,
            &tasks,
            &|name| names.resolve(name).into_iter().map(TaskKey::new).collect(),
            &mut notes,
        )
    };
    let tasks = tasks.into_iter().map(planned).collect();
    let title = if draft.title.is_empty() {
        "Untitled project".into()
    } else {
        draft.title
    };
    let mut plan = Plan {
        version: 1,
        title,
        assumptions: draft.assumptions,
        requirements: draft.requirements,
        tasks,
        files,
    };
    join_repeats(&mut plan, &mut notes);
    useful::keep(&mut plan, &mut notes);
    rubric::complete(&mut plan, &mut notes);
    match plan.check_in(scope).as_slice() {
        [] => Ok(Reading {
            plan,
            warnings: notes.into_warnings(),
        }),
        broken => Err(Refused {
            errors: broken.iter().map(ToString::to_string).collect(),
        }),
    }
}

fn drafted(reply: &str, notes: &mut Notes) -> Result<Draft, Refused> {
    let refuse = |error: String| Refused {
        errors: vec![error],
    };
    let found = json::read(reply, &["tasks", "files", "requirements"]).map_err(refuse)?;
    match found.rung {
        Rung::Strict | Rung::Fenced | Rung::Embedded => {}
        Rung::Repaired => notes.warn("the reply's JSON was mended".into()),
        Rung::Closed => notes.warn("the reply's end was missing; its brackets were closed".into()),
        Rung::Cut => {
            notes.fault("the reply was cut off before its end: write fewer words, or use for_each for tasks that are alike".into());
        }
    }
    let draft = Draft::of(&found.object);
    if draft.tasks.is_empty() {
        return Err(refuse("the object has no task in `tasks`".into()));
    }
    Ok(draft)
}

/// Gives every task an id of its own, a title, instructions and a size that its model can produce.
fn named(tasks: Vec<DraftTask>, scope: &Scope<'_>, notes: &mut Notes) -> Vec<DraftTask> {
    let mut taken = BTreeSet::new();
    let mut named = Vec::new();
    for mut task in tasks {
        task.output_tokens = task
            .output_tokens
            .clamp(1, scope.limits.max_output_tokens.max(1));
        if task.instructions.is_empty() {
            if task.title.is_empty() {
                notes.fault(format!(
                    "task {} has neither title nor instructions",
                    task.key
                ));
                continue;
            }
            task.instructions = task.title.clone();
        }
        if task.title.is_empty() {
            task.title = task
                .instructions
                .split_whitespace()
                .take(8)
                .collect::<Vec<_>>()
                .join(" ");
        }
        if !taken.insert(task.key.clone()) {
            notes.fault(format!("two tasks have the id {}", task.key));
            let free = (2..)
                .map(|number| format!("{}-{number}", task.key))
                .find(|key| !taken.contains(key));
            task.key = free.expect("numbers do not end");
            task.names = vec![task.key.clone()];
            taken.insert(task.key.clone());
        }
        named.push(task);
    }
    named
}

/// Makes keys distinct: a planner's own `t1.2` and the second copy of `t1`.
fn distinct(mut tasks: Vec<DraftTask>) -> Vec<DraftTask> {
    let mut taken = BTreeSet::new();
    for task in &mut tasks {
        let others = (2..).map(|number| format!("{}-{number}", task.key));
        let free = [task.key.clone()]
            .into_iter()
            .chain(others)
            .find(|key| !taken.contains(key))
            .expect("numbers do not end");
        taken.insert(free.clone());
        task.key = free;
    }
    tasks
}

fn too_many(count: usize, scope: &Scope<'_>) -> Result<(), Refused> {
    let most = scope.limits.max_tasks as usize;
    let error = || {
        format!(
            "the plan has {count} tasks; at most {most} are allowed: let one task take several sections"
        )
    };
    if count > most {
        Err(Refused {
            errors: vec![error()],
        })
    } else {
        Ok(())
    }
}

/// Names by which tasks can be referred to.
struct Names<'a> {
    names: BTreeMap<&'a str, Vec<&'a str>>,
    titles: BTreeMap<String, &'a str>,
}

impl<'a> Names<'a> {
    fn of(tasks: &'a [DraftTask]) -> Self {
        let (mut names, mut titles): (BTreeMap<&str, Vec<&str>>, _) =
            (BTreeMap::new(), BTreeMap::new());
        for task in tasks {
            for name in task
                .names
                .iter()
                .filter(|name| **name != task.key)
                .chain([&task.key])
            {
                names.entry(name.as_str()).or_default().push(&task.key);
            }
            titles
                .entry(task.title.to_lowercase())
                .or_insert(task.key.as_str());
        }
        Self { names, titles }
    }

    /// Returns the tasks of a name: an id, the id of a task that was expanded, else an
    /// exact title.
    fn resolve(&self, name: &str) -> Vec<&'a str> {
        let by_name = self
            .names
            .get(name)
            .or_else(|| self.names.get(super::draft::plain_key(name).as_str()));
        by_name.cloned().unwrap_or_else(|| {
            self.titles
                .get(&name.to_lowercase())
                .map(|key| vec![*key])
                .unwrap_or_default()
        })
    }
}

/// Replaces the names of parents by keys, and orders parents before children.
fn connected(mut tasks: Vec<DraftTask>, notes: &mut Notes) -> Vec<DraftTask> {
    let mut parents = edges(&tasks, notes);
    if let Some(round) = graph::cycle(&parents) {
        let keys: Vec<&str> = round
            .iter()
            .chain(round.first())
            .map(|task| tasks[*task].key.as_str())
            .collect();
        notes.fault(format!(
            "the tasks depend on each other in a circle: {}",
            keys.join(" -> ")
        ));
        for (parent, child) in graph::break_cycles(&mut parents) {
            notes.warn(format!(
                "task {} no longer waits for {}",
                tasks[child].key, tasks[parent].key
            ));
        }
    }
    let depth = graph::depths(&parents).into_iter().max().unwrap_or(0);
    if depth > DEEPEST {
        notes.fault(format!(
            "the longest chain has {depth} tasks; at most {DEEPEST}: let tasks read sections instead of each other's results"
        ));
    }
    let keys: Vec<String> = tasks.iter().map(|task| task.key.clone()).collect();
    for (task, parents) in tasks.iter_mut().zip(&parents) {
        task.parents = parents.iter().map(|parent| keys[*parent].clone()).collect();
    }
    let mut places: Vec<Option<DraftTask>> = tasks.into_iter().map(Some).collect();
    graph::order(&parents)
        .into_iter()
        .filter_map(|at| places[at].take())
        .collect()
}

fn edges(tasks: &[DraftTask], notes: &mut Notes) -> Parents {
    let names = Names::of(tasks);
    let places: BTreeMap<&str, usize> = tasks
        .iter()
        .enumerate()
        .map(|(at, task)| (task.key.as_str(), at))
        .collect();
    let of = |(at, task): (usize, &DraftTask)| {
        let mut parents = BTreeSet::new();
        for name in &task.parents {
            let found = names.resolve(name);
            if found.is_empty() {
                notes.warn(format!(
                    "task {} waits for {name:?}, which does not exist; left out",
                    task.key
                ));
            }
            parents.extend(found.into_iter().map(|key| places[key]));
        }
        if parents.remove(&at) {
            notes.warn(format!("task {} waits for itself; left out", task.key));
        }
        parents.into_iter().collect()
    };
    tasks.iter().enumerate().map(of).collect()
}

fn planned(task: DraftTask) -> PlannedTask {
    let count = u32::try_from(task.parents.len()).unwrap_or(u32::MAX);
    PlannedTask {
        key: TaskKey::new(&task.key),
        policy: task.policy.with_parents(count),
        acceptance: if task.acceptance.is_empty() {
            vec![rubric::acceptance(&task.title)]
        } else {
            task.acceptance
        },
        title: task.title,
        instructions: task.instructions,
        sections: task.sections.into_iter().map(SectionId).collect(),
        parents: task.parents.iter().map(TaskKey::new).collect(),
        covers: task.covers,
        output_tokens: task.output_tokens,
    }
}

fn join_repeats(plan: &mut Plan, notes: &mut Notes) {
    let repeats = near::repeats(&plan.tasks);
    for (later, first) in &repeats {
        notes.warn(format!("task {later} asks for the same as {first}; joined"));
        let dropped = plan.tasks.iter().find(|task| task.key == *later).cloned();
        let kept = plan.tasks.iter_mut().find(|task| task.key == *first);
        if let (Some(dropped), Some(kept)) = (dropped, kept) {
            let covers: Vec<String> = dropped
                .covers
                .into_iter()
                .filter(|id| !kept.covers.contains(id))
                .collect();
            let lines: Vec<String> = dropped
                .acceptance
                .into_iter()
                .filter(|line| !kept.acceptance.contains(line))
                .collect();
            kept.covers.extend(covers);
            kept.acceptance.extend(lines);
        }
    }
    useful::rename(plan, &repeats);
}

#[cfg(test)]
mod tests;
