//! The plan that stands in for a missing one: a single task, or one for each group of sections and
//! one that joins them.

use super::inputs::groups;
use super::{Limits, ParentPolicy, Part, Plan, PlannedFile, PlannedTask, Requirement, Scope};
use crate::brief::{Section, SectionId};
use crate::id::TaskKey;

/// Makes a plan without a planner, valid for any brief and any outline.
pub fn fallback(title: &str, brief: &str, scope: &Scope<'_>) -> Plan {
    let sections: Vec<&Section> = scope.outline.sections.iter().collect();
    let total: u64 = sections.iter().map(|section| section.tokens).sum();
    let tasks = if total <= scope.limits.input_tokens {
        let all = sections.iter().map(|section| section.id.clone()).collect();
        vec![whole(all, Vec::new(), brief, &scope.limits)]
    } else {
        let groups = evenly(&sections, total, &scope.limits);
        let output = output_of_group(groups.len(), &scope.limits);
        let mut tasks: Vec<PlannedTask> = groups
            .iter()
            .enumerate()
            .map(|(at, group)| part(at, group, brief, output))
            .collect();
        let parents = tasks.iter().map(|task| task.key.clone()).collect();
        tasks.push(whole(Vec::new(), parents, brief, &scope.limits));
        tasks
    };
    let last = tasks.last().expect("a fallback has a task").key.clone();
    Plan {
        version: 1,
        title: if title.trim().is_empty() {
            "Untitled project".into()
        } else {
            title.trim().into()
        },
        assumptions: vec![
            "No plan could be read from the planner; the brief was taken as a whole.".into(),
        ],
        requirements: vec![Requirement {
            id: "r1".into(),
            text: "The deliverable does what the brief asks, completely.".into(),
        }],
        tasks,
        files: vec![PlannedFile {
            path: "deliverable.md".into(),
            media_type: "text/markdown".into(),
            parts: vec![Part::Task { task: last }],
        }],
    }
}

/// Returns groups of neighbouring sections: as few as fit, and never more than tasks are allowed.
fn evenly(sections: &[&Section], total: u64, limits: &Limits) -> Vec<Vec<SectionId>> {
    let most_groups = u64::from(limits.max_tasks.saturating_sub(1).max(1));
    let mut size = limits.input_tokens.max(total.div_ceil(most_groups)).max(1);
    loop {
        let groups = groups(sections, size, |section| section.tokens);
        if groups.len() as u64 <= most_groups {
            return groups
                .into_iter()
                .map(|group| {
                    group
                        .into_iter()
                        .map(|section| section.id.clone())
                        .collect()
                })
                .collect();
        }
        size += size / 4 + 1;
    }
}

fn output_of_group(groups: usize, limits: &Limits) -> u32 {
    let share = limits.input_tokens / groups.max(1) as u64;
    u32::try_from(share)
        .unwrap_or(u32::MAX)
        .clamp(1, limits.max_output_tokens.clamp(1, 2_000))
}

fn whole(
    sections: Vec<SectionId>,
    parents: Vec<TaskKey>,
    brief: &str,
    limits: &Limits,
) -> PlannedTask {
    let reading = if parents.is_empty() {
        ""
    } else {
        " The results given were made from the attached documents, part by part and in their order; build on them."
    };
    PlannedTask {
        key: TaskKey::new("t1"),
        title: "The whole deliverable".into(),
        instructions: format!(
            "Do what the brief asks, completely, as one document.{reading}\n\nThe brief:\n{brief}"
        ),
        sections,
        parents,
        policy: ParentPolicy::All,
        covers: vec!["r1".into()],
        acceptance: vec!["Everything that the brief asks for is there".into()],
        output_tokens: limits.max_output_tokens.clamp(1, 4_000),
    }
}

fn part(at: usize, sections: &[SectionId], brief: &str, output_tokens: u32) -> PlannedTask {
    let number = at + 1;
    PlannedTask {
        key: TaskKey::new(format!("t1.{number}")),
        title: format!("Part {number} of the documents"),
        instructions: format!(
            "The sections given are one part of longer documents. Do for this part what the brief asks, so that a later task can join all parts into \
             the deliverable; keep every fact, name and term that it will need.\n\nThe brief:\n{brief}"
        ),
        sections: sections.to_vec(),
        parents: Vec::new(),
        policy: ParentPolicy::All,
        covers: vec!["r1".into()],
        acceptance: vec!["Every section given is represented".into()],
        output_tokens,
    }
}
