//! Checks that each task exists once: none lost, none doubled.

use std::collections::BTreeMap;

use chorus_core::attempt::NewAttempt;
use chorus_core::id::AttemptId;
use chorus_core::project::{Task, TaskState};

use super::Check;
use crate::census::Census;

/// Result of the check, with the number of tasks.
pub(crate) struct Tasks {
    pub(crate) check: Check,
    pub(crate) all: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
}

/// Checks that each task has exactly one result, made by the attempt that it names, or was replaced
/// or cancelled.
pub(crate) fn tasks(census: &Census) -> anyhow::Result<Tasks> {
    let made = results(census)?;
    let mut faults: Vec<String> = Vec::new();
    let (mut lost, mut kept) = (0, 0);
    for (project, task) in &census.tasks {
        let fault = fault(task, &made);
        kept += usize::from(matches!(task.state, TaskState::Succeeded { .. }));
        if let Some(fault) = fault {
            lost += 1;
            faults.push(format!("{} of {project}: {fault}", task.id));
        }
    }
    let twice: Vec<_> = made.iter().filter(|(_, ids)| ids.len() > 1).collect();
    faults.extend(twice.iter().map(|((task, number), ids)| {
        format!("try {number} of {task} succeeded {} times", ids.len())
    }));
    let saw = format!(
        "{} tasks, {kept} with a result, {} results",
        census.tasks.len(),
        made.values().map(Vec::len).sum::<usize>()
    );
    let check = Check::new("each task has one result", saw, faults);
    Ok(Tasks {
        check,
        all: census.tasks.len(),
        lost,
        doubled: twice.len(),
    })
}

/// Successful attempts by task and number of the try.
type Results = BTreeMap<(String, u32), Vec<AttemptId>>;

fn results(census: &Census) -> anyhow::Result<Results> {
    let mut made = Results::new();
    for attempt in census
        .attempts
        .iter()
        .filter(|attempt| attempt.state == "succeeded")
    {
        let spec: NewAttempt = serde_json::from_str(&attempt.spec)?;
        made.entry((attempt.task.clone(), spec.number))
            .or_default()
            .push(spec.id);
    }
    Ok(made)
}

fn fault(task: &Task, made: &Results) -> Option<String> {
    match &task.state {
        TaskState::Succeeded { attempt, .. } if made.values().any(|ids| ids.contains(attempt)) => {
            None
        }
        TaskState::Succeeded { attempt, .. } => {
            Some(format!("its result is by {attempt}, which did not succeed"))
        }
        TaskState::Cancelled | TaskState::Skipped => None,
        TaskState::Pending { .. } | TaskState::Ready(_) | TaskState::Asking { .. }
            if task.superseded_by.is_some() =>
        {
            None
        }
        other => Some(format!("it is left in state {}", other.as_str())),
    }
}
