//! Fitting the inputs of tasks to their model: many sections are split over several tasks, many
//! results pass through joining tasks.

use super::draft::DraftTask;
use super::expand::Sections;
use super::notes::Notes;
use super::{ParentPolicy, Scope};
use crate::brief::SectionId;

/// Splits tasks with too many sections for one call into tasks for neighbouring sections.
pub(super) fn split(tasks: Vec<DraftTask>, scope: &Scope<'_>, notes: &mut Notes) -> Vec<DraftTask> {
    let sections = Sections::of(scope);
    let mut fitting = Vec::new();
    for task in tasks {
        let most = if task.parents.is_empty() {
            scope.limits.input_tokens
        } else {
            scope.limits.input_tokens / 2
        };
        let groups = groups(&task.sections, most, |id| {
            sections.tokens(&[SectionId(id.clone())])
        });
        if groups.len() <= 1 {
            fitting.push(task);
            continue;
        }
        notes.warn(format!(
            "task {} reads more than {most} tokens; split into {} tasks",
            task.key,
            groups.len()
        ));
        let output = (task.output_tokens / u32::try_from(groups.len()).unwrap_or(1))
            .max(200)
            .min(task.output_tokens);
        for (at, group) in groups.iter().enumerate() {
            let key = format!("{}.{}", task.key, at + 1);
            let names = task.names.iter().cloned().chain([key.clone()]).collect();
            let title = format!("{} ({} of {})", task.title, at + 1, groups.len());
            fitting.push(DraftTask {
                key,
                names,
                title,
                sections: group.to_vec(),
                output_tokens: output,
                ..task.clone()
            });
        }
    }
    fitting
}

/// Puts joining tasks before tasks that read more results than fit one call. Parents stand before
/// children, before and after.
pub(super) fn narrow(
    tasks: Vec<DraftTask>,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Vec<DraftTask> {
    let sections = Sections::of(scope);
    let limit = scope.limits.input_tokens.max(1);
    let mut narrow: Vec<DraftTask> = Vec::new();
    for mut task in tasks {
        let own: Vec<SectionId> = task.sections.iter().cloned().map(SectionId).collect();
        let room = limit.saturating_sub(sections.tokens(&own)).max(limit / 4);
        let output = |key: &String| {
            narrow
                .iter()
                .find(|other| other.key == *key)
                .map_or(0, |other| u64::from(other.output_tokens))
        };
        let total: u64 = task.parents.iter().map(output).sum();
        if total > room && task.parents.len() > 1 {
            let groups = groups(&task.parents, limit, output);
            notes.warn(format!(
                "task {} reads results of {total} tokens; {} joining tasks were put before it",
                task.key,
                groups.len()
            ));
            let each = (room / groups.len() as u64)
                .clamp(1, u64::from(scope.limits.max_output_tokens.max(1)));
            let joining: Vec<DraftTask> = groups
                .iter()
                .enumerate()
                .map(|(at, group)| joining(&task, at + 1, group, each))
                .collect();
            task.parents = joining.iter().map(|joining| joining.key.clone()).collect();
            task.policy = if task.policy == ParentPolicy::All {
                ParentPolicy::All
            } else {
                ParentPolicy::Any
            };
            narrow.extend(joining);
        }
        narrow.push(task);
    }
    narrow
}

fn joining(task: &DraftTask, number: usize, parents: &[String], tokens: u64) -> DraftTask {
    let key = format!("{}.in{number}", task.key);
    DraftTask {
        names: vec![key.clone()],
        key,
        title: format!("Condense results for: {} ({number})", task.title),
        instructions: format!(
            "Condense the results given to about {tokens} tokens for a task that cannot read them in full. Keep, result by result and in their order, every fact, \
             name, number, term and quotation which that task needs. That task is called {:?}; its instructions are: {}",
            task.title, task.instructions
        ),
        parents: parents.to_vec(),
        policy: if task.policy == ParentPolicy::All {
            ParentPolicy::All
        } else {
            ParentPolicy::Settled
        },
        covers: task.covers.clone(),
        acceptance: vec!["Each of the results given is represented, in the order given".into()],
        output_tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        sections: Vec::new(),
        for_each: false,
    }
}

/// Packs neighbours into groups that weigh at most `most`; one alone may weigh more.
pub(super) fn groups<T: Clone>(items: &[T], most: u64, weight: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut filled = 0;
    for item in items {
        let weight = weight(item);
        match groups.last_mut() {
            Some(group) if filled + weight <= most => group.push(item.clone()),
            _ => {
                groups.push(vec![item.clone()]);
                filled = 0;
            }
        }
        filled += weight;
    }
    groups
}
