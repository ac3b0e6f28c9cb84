//! Projects and tasks: arrows of their machines, one writer, absorbing terminal states, children
//! after their parents, ready tasks with their attempts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::AttemptState;
use chorus_core::id::{AttemptId, EventId, ProjectId, TaskId, Version};
use chorus_core::plan::ParentPolicy;
use chorus_core::project::{PROJECT_MACHINE, Project, State, TASK_MACHINE, Task, TaskState};
use chorus_core::state_machine::{StateKind, StateMachine};
use chorus_store::rows::{ProjectRow, Rows};

use super::{Invariant, RowOperation, Violation};

/// Projects at the last check.
#[derive(Debug, Default)]
pub(super) struct Plans {
    projects: BTreeMap<ProjectId, Snapshot>,
    folded: BTreeSet<EventId>,
}

#[derive(Debug)]
struct Snapshot {
    version: Version,
    decided: Option<ArtifactHash>,
    state: State,
    tasks: BTreeMap<TaskId, TaskState>,
}

impl Plans {
    pub(super) fn check(
        &mut self,
        operation: RowOperation<'_>,
        rows: &Rows,
    ) -> Result<(), Violation> {
        for (id, row) in &rows.projects {
            let Some(before) = self.projects.get(id) else {
                self.projects.insert(*id, Snapshot::of(row));
                continue;
            };
            let changed = before.version != row.version || before.decided != row.decided;
            if changed {
                self.one_writer(operation, *id, row)?;
                self.changes(row)?;
                self.projects.insert(*id, Snapshot::of(row));
            }
            if changed
                || matches!(operation, RowOperation::Committed { project, .. } if project == *id)
            {
                ready_has_attempt(&row.project, rows)?;
            }
        }
        one_live_attempt(rows)
    }

    fn one_writer(
        &mut self,
        operation: RowOperation<'_>,
        id: ProjectId,
        row: &ProjectRow,
    ) -> Result<(), Violation> {
        let before = self.projects.get(&id).map(|snapshot| snapshot.version);
        let RowOperation::Committed {
            project,
            expected,
            folded,
        } = operation
        else {
            return Err(Violation::new(
                Invariant::OneWriter,
                format!("{id} changed without a decision"),
            ));
        };
        if project != id || Some(expected) != before || row.version != Version(expected.0 + 1) {
            let what = format!(
                "a decision on version {} changed {id} from version {before:?} to {}",
                expected.0, row.version.0
            );
            return Err(Violation::new(Invariant::OneWriter, what));
        }
        match folded.iter().find(|event| !self.folded.insert(**event)) {
            Some(event) => Err(Violation::new(
                Invariant::FoldedOnce,
                format!("{event} was folded again"),
            )),
            None => Ok(()),
        }
    }

    fn changes(&self, row: &ProjectRow) -> Result<(), Violation> {
        let project = &row.project;
        let Some(before) = self.projects.get(&project.head.id) else {
            return Ok(());
        };
        if before.state.is_terminal() && before.state != project.head.state {
            let what = format!(
                "{} went from {} to {}",
                project.head.id,
                before.state.as_str(),
                project.head.state.as_str()
            );
            return Err(Violation::new(Invariant::TerminalAbsorbs, what));
        }
        arrows_lead(
            &PROJECT_MACHINE,
            before.state.kind(),
            project.head.state.kind(),
            &project.head.id,
        )?;
        for task in project.tasks.values() {
            let was = before.tasks.get(&task.id);
            let kind = was.map_or(TASK_MACHINE.initial, TaskState::kind);
            if was.is_some_and(|was| was.is_terminal() && *was != task.state) {
                return Err(Violation::new(
                    Invariant::TerminalAbsorbs,
                    format!("task {} went from {was:?} to {:?}", task.key, task.state),
                ));
            }
            arrows_lead(&TASK_MACHINE, kind, task.state.kind(), &task.key)?;
            let begins = matches!(task.state, TaskState::Ready(_))
                && was.is_none_or(|was| matches!(was, TaskState::Pending { .. }));
            if begins && !policy_holds(task, project) {
                return Err(Violation::new(
                    Invariant::ParentPolicy,
                    format!("task {} is ready before its parents allow it", task.key),
                ));
            }
        }
        Ok(())
    }
}

impl Snapshot {
    fn of(row: &ProjectRow) -> Self {
        let tasks = row
            .project
            .tasks
            .iter()
            .map(|(id, task)| (*id, task.state.clone()))
            .collect();
        Self {
            version: row.version,
            decided: row.decided,
            state: row.project.head.state.clone(),
            tasks,
        }
    }
}

/// Checks that arrows of the machine lead from one state to another. A commit may fold several
/// records, so a row may take several arrows at once.
fn arrows_lead<S: StateKind>(
    machine: &StateMachine<S>,
    from: S,
    to: S,
    row: &impl Display,
) -> Result<(), Violation> {
    let mut reached = vec![from];
    let mut next = 0;
    while let Some(state) = reached.get(next).copied() {
        if state == to {
            return Ok(());
        }
        for arrow in machine.arrows.iter().filter(|arrow| arrow.from == state) {
            if !reached.contains(&arrow.to) {
                reached.push(arrow.to);
            }
        }
        next += 1;
    }
    let (name, from, to) = (machine.name, from.as_str(), to.as_str());
    let what = format!("no arrows lead {name} {row} from {from} to {to}");
    Err(Violation::new(Invariant::Arrows, what))
}

fn policy_holds(task: &Task, project: &Project) -> bool {
    let parents = || {
        task.parents
            .iter()
            .filter_map(|parent| project.tasks.get(parent))
    };
    let succeeded = parents()
        .filter(|parent| matches!(parent.state, TaskState::Succeeded { .. }))
        .count();
    let needed = match task.policy {
        ParentPolicy::All => task.parents.len(),
        ParentPolicy::Any => task.parents.len().min(1),
        ParentPolicy::AtLeast(least) => task.parents.len().min(least as usize),
        ParentPolicy::Settled => return parents().all(|parent| parent.state.is_terminal()),
    };
    succeeded >= needed
}

/// Checks that every ready task of a project that is neither paused nor halted has its attempt.
fn ready_has_attempt(project: &Project, rows: &Rows) -> Result<(), Violation> {
    if matches!(project.head.state, State::Paused { .. }) || project.head.halt.is_some() {
        return Ok(());
    }
    let lonely = project.tasks.values().find(|task| {
        task.current_attempt()
            .is_some_and(|doing| !rows.attempts.contains_key(&doing.attempt))
    });
    match lonely {
        Some(task) => Err(Violation::new(
            Invariant::ReadyHasAttempt,
            format!("task {} is ready without its attempt", task.key),
        )),
        None => Ok(()),
    }
}

fn one_live_attempt(rows: &Rows) -> Result<(), Violation> {
    let mut live: BTreeMap<TaskId, AttemptId> = BTreeMap::new();
    let alive = |state| {
        matches!(
            state,
            AttemptState::Queued | AttemptState::Dispatched | AttemptState::Running
        )
    };
    for (id, row) in rows.attempts.iter().filter(|(_, row)| alive(row.state)) {
        if let Some(other) = live.insert(row.attempt.task, *id) {
            return Err(Violation::new(
                Invariant::ReadyHasAttempt,
                format!("{id} and {other} of {} both live", row.attempt.task),
            ));
        }
    }
    Ok(())
}
