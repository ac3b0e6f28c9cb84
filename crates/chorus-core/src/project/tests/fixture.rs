//! A shell without ports: keeps the attempts under way, merges by hashing, and checks every decision.
//!
//! After each decision the invariants of a project are checked, and that the arrows which the decision took
//! explain every change of a state.

use std::collections::{BTreeMap, BTreeSet};

use super::recorder::{self, Taken};
use crate::artifact::ArtifactHash;
use crate::attempt::{AttemptDone, AttemptState, FailureCause, Outcome};
use crate::brief::Options;
use crate::id::{AttemptId, EventId, ProjectId, TaskId, TaskKey, Tenant};
use crate::money::MicroUsd;
use crate::plan::{ParentPolicy, Part, Plan, PlannedFile, PlannedTask, Requirement};
use crate::project::decide::rework;
use crate::project::decision_builder::DecisionBuilder;
use crate::project::{
    Command, DecideContext, Decision, Effect, Head, HistoryEvent, Merge, NewHead, PlanEstimate,
    Planned, Project, Queue, Reading, Refusal, Task, TaskState,
};
use crate::task_kind::TaskKind;
use crate::time::Timestamp;
use crate::verdict::Verdict;

pub(super) struct Fixture {
    pub(super) project: Project,
    pub(super) history: Vec<HistoryEvent>,
    pub(super) attempts: BTreeMap<AttemptId, (Queue, AttemptState)>,
    /// Number of rows that the last decision wrote.
    pub(super) touched: usize,
    /// Number of judge tasks of a deliverable.
    pub(super) parts: u32,
    /// True if merging finds conflicts that rules cannot resolve.
    pub(super) conflicts: bool,
    /// Arrows that the decisions took.
    pub(super) taken: Taken,
    /// Budget that the decisions raised last.
    pub(super) budget: Option<MicroUsd>,
    numbers: u128,
}

impl Fixture {
    pub(super) fn new(options: Options) -> Self {
        let head = Head::new(NewHead {
            id: ProjectId::new(1),
            tenant: Tenant::new("home"),
            title: "a project".into(),
            created_at: Timestamp(0),
            brief: ArtifactHash::of(b"brief"),
            options,
        });
        let project = Project {
            head,
            tasks: BTreeMap::new(),
        };
        Self {
            project,
            history: Vec::new(),
            attempts: BTreeMap::new(),
            touched: 0,
            parts: 1,
            conflicts: false,
            taken: Taken::default(),
            budget: None,
            numbers: 1_000,
        }
    }

    /// A submitted project.
    pub(super) fn begun(options: Options) -> Self {
        let mut fixture = Self::new(options);
        fixture.submit();
        fixture
    }

    pub(super) fn submit(&mut self) {
        let outline = ArtifactHash::of(b"outline");
        self.send(Command::Submit { outline })
            .expect("a new project takes its submission");
    }

    pub(super) fn send(&mut self, command: Command) -> Result<(), Refusal> {
        let event = self.event();
        self.send_as(event, command)
    }

    /// Id of the next client command.
    pub(super) const fn event(&mut self) -> EventId {
        self.numbers += 1;
        EventId::new(self.numbers)
    }

    pub(super) fn send_as(&mut self, event: EventId, command: Command) -> Result<(), Refusal> {
        self.touched = 0;
        let mut commands = vec![command];
        while let Some(command) = commands.pop() {
            let numbers = &mut self.numbers;
            let mut number = || {
                *numbers += 1;
                *numbers
            };
            recorder::drain();
            let is_reopening = matches!(command, Command::Reopen(_));
            let decision = self.project.decide(
                command,
                DecideContext {
                    event,
                    now: Timestamp(0),
                    number: &mut number,
                },
            )?;
            assert_eq!(decision.inconsistency, None, "rows agree");
            assert!(!self.project.head.is_terminal() || is_reopening);
            if let Some(merge) = self.carry_out(&decision) {
                commands.push(Command::Merged(merge));
            }
        }
        self.check();
        Ok(())
    }

    fn carry_out(&mut self, decision: &Decision) -> Option<Merge> {
        self.check_absorbed(decision);
        self.taken.add(&self.project, decision, &recorder::drain());
        self.project.apply(decision);
        self.history.extend(decision.history.iter().cloned());
        self.touched += decision.tasks.len();
        let mut merge = None;
        for effect in &decision.effects {
            match effect {
                Effect::Queue(queue) => {
                    let before = self
                        .attempts
                        .insert(queue.attempt, (queue.clone(), AttemptState::Queued));
                    assert_eq!(before, None, "an attempt is queued once");
                }
                Effect::Cancel(attempt) => {
                    let row = self.attempts.get_mut(attempt);
                    row.into_iter()
                        .filter(|(_, state)| !state.is_terminal())
                        .for_each(|row| row.1 = AttemptState::Cancelled);
                }
                Effect::Merge { ask_model, .. } => merge = Some(self.conflicts && *ask_model),
                Effect::RaiseBudget(budget) => self.budget = Some(*budget),
            }
        }
        merge.map(|open| {
            if open {
                self.open_merge()
            } else {
                self.merged()
            }
        })
    }

    fn open_merge(&self) -> Merge {
        Merge::Open {
            conflicts: ArtifactHash::of(b"open ledger"),
            found: Vec::new(),
            resolved: Vec::new(),
        }
    }

    fn merged(&self) -> Merge {
        let results: Vec<_> = self
            .results()
            .into_iter()
            .map(|(key, hash)| format!("{key}={hash}"))
            .collect();
        Merge::Whole {
            conflicts: ArtifactHash::of(b"ledger"),
            found: Vec::new(),
            resolved: Vec::new(),
            deliverable: ArtifactHash::of(results.join("\n").as_bytes()),
            files: vec!["all.md".into()],
            missing: Vec::new(),
            check: Verdict::default(),
            parts: self.parts,
        }
    }

    /// Results of the active work tasks, by key.
    pub(super) fn results(&self) -> BTreeMap<TaskKey, ArtifactHash> {
        let work = self
            .project
            .active()
            .filter(|task| task.kind == TaskKind::Work);
        work.filter_map(|task| Some((task.key.clone(), task.result()?)))
            .collect()
    }

    /// Attempts that wait for an answer.
    pub(super) fn live(&self) -> Vec<Queue> {
        self.attempts
            .values()
            .filter(|(_, state)| !state.is_terminal())
            .map(|(queue, _)| queue.clone())
            .collect()
    }

    pub(super) fn task(&self, id: TaskId) -> &Task {
        &self.project.tasks[&id]
    }

    /// Active task of this key.
    pub(super) fn task_of(&self, key: &str) -> &Task {
        self.project
            .active()
            .find(|task| task.key.as_str() == key)
            .expect("a task of this key is active")
    }

    /// Ends a live attempt, as its worker or the dispatcher would, and sends the project its end.
    pub(super) fn end(
        &mut self,
        attempt: AttemptId,
        outcome: Outcome,
        reading: Reading,
    ) -> Result<(), Refusal> {
        let (queue, state) = self
            .attempts
            .get_mut(&attempt)
            .expect("an attempt ends after it was queued");
        assert!(!state.is_terminal(), "an attempt ends once");
        *state = match outcome {
            Outcome::Succeeded { .. } => AttemptState::Succeeded,
            Outcome::Asked { .. } => AttemptState::Asked,
            Outcome::Failed { .. } | Outcome::Requeue { .. } => AttemptState::Failed,
        };
        let done = AttemptDone {
            attempt,
            task: queue.task,
            outcome,
            call: None,
        };
        self.send(Command::Finished { done, reading })
    }

    /// Ends the live attempt of the task of this key with a usable result that no other attempt has.
    pub(super) fn succeed(&mut self, key: &str, reading: Reading) {
        let current = self.task_of(key).current_attempt();
        let attempt = current.expect("the task is ready").attempt;
        self.succeed_with(key, &attempt.to_string(), reading);
    }

    /// Ends the live attempt of the task of this key with this text.
    pub(super) fn succeed_with(&mut self, key: &str, text: &str, reading: Reading) {
        let current = self.task_of(key).current_attempt();
        let attempt = current.expect("the task is ready").attempt;
        let result = ArtifactHash::of(text.as_bytes());
        self.end(attempt, Outcome::Succeeded { result }, reading)
            .expect("its task waits for it");
    }

    /// Sends the end of an attempt that a pause cancelled a moment after it had succeeded.
    pub(super) fn succeeded_before_pause(&mut self, key: &str, reading: Reading) {
        let task = self.task_of(key);
        let current = task.current_attempt().expect("the task is ready");
        let done = AttemptDone {
            attempt: current.attempt,
            task: task.id,
            outcome: Outcome::Succeeded {
                result: ArtifactHash::of(key.as_bytes()),
            },
            call: None,
        };
        self.send(Command::Finished { done, reading })
            .expect("its task waits for it");
    }

    /// Ends the live attempt of the task of this key without a result.
    pub(super) fn fail(&mut self, key: &str, cause: FailureCause, reading: Reading) {
        let current = self.task_of(key).current_attempt();
        let attempt = current.expect("the task is ready").attempt;
        self.end(attempt, Outcome::Failed { cause }, reading)
            .expect("its task waits for it");
    }

    /// Ends the live attempt of the task of this key with a question.
    pub(super) fn question(&mut self, key: &str, text: &str) {
        let attempt = self
            .task_of(key)
            .current_attempt()
            .expect("the task is ready")
            .attempt;
        let question = ArtifactHash::of(text.as_bytes());
        self.end(
            attempt,
            Outcome::Asked { question },
            Reading::Question(text.to_owned()),
        )
        .expect("its task waits for it");
    }

    /// Has tasks done again while others are still under way.
    pub(super) fn rework(&mut self, key: &str) {
        let numbers = &mut self.numbers;
        let mut number = || {
            *numbers += 1;
            *numbers
        };
        recorder::drain();
        let mut builder = DecisionBuilder::new(
            &self.project,
            DecideContext {
                event: EventId::new(0),
                now: Timestamp(0),
                number: &mut number,
            },
        );
        let redo = BTreeMap::from([(TaskKey::new(key), "longer".to_owned())]);
        let begun = rework::redo_tasks(&mut builder, &redo).expect("rows agree");
        assert!(begun, "the task exists");
        let decision = builder.finish();
        self.carry_out(&decision);
        self.check();
    }

    /// Asserts that a task in a final state stays as it is, except that another may replace it.
    fn check_absorbed(&self, decision: &Decision) {
        for task in &decision.tasks {
            if let Some(before) = self
                .project
                .tasks
                .get(&task.id)
                .filter(|before| before.state.is_terminal())
            {
                assert_eq!(before.state, task.state, "task {} had ended", task.key);
            }
        }
    }

    fn check(&self) {
        let Project { head, tasks } = &self.project;
        let count = |wanted: &dyn Fn(&Task) -> bool| {
            u32::try_from(tasks.values().filter(|task| wanted(task)).count()).unwrap_or(u32::MAX)
        };
        assert_eq!(
            head.unfinished,
            count(&|task| task.kind == TaskKind::Work && !task.state.is_terminal()),
            "unfinished tasks"
        );
        assert_eq!(
            head.ready,
            count(&|task| task.current_attempt().is_some()),
            "ready tasks"
        );
        assert_eq!(
            head.held,
            count(&|task| matches!(task.state, TaskState::Held { .. })),
            "held tasks"
        );
        assert!(
            head.held == 0 || head.state.attention().is_some(),
            "a held task is shown"
        );
        assert!(head.round <= head.last_round, "rounds of rework");
        tasks.values().for_each(|task| self.check_task(task));
        self.check_attempts();
        if head.is_terminal() {
            assert!(
                tasks.values().all(|task| task.state.is_terminal()),
                "nothing is live in a project that has ended"
            );
        }
    }

    fn check_task(&self, task: &Task) {
        assert!(
            task.superseded_by.is_none() || task.state.is_terminal(),
            "a replaced task has ended"
        );
        for parent in &task.parents {
            let known =
                self.task(*parent).children.contains(&task.id) || task.superseded_by.is_some();
            assert!(
                known,
                "{} knows its reader {}",
                self.task(*parent).key,
                task.key
            );
        }
        if let TaskState::Pending { succeeded, ended } = task.state {
            let count = |wanted: fn(&TaskState) -> bool| {
                task.parents
                    .iter()
                    .filter(|parent| wanted(&self.task(**parent).state))
                    .count()
            };
            let counted = (
                count(|state| matches!(state, TaskState::Succeeded { .. })),
                count(TaskState::is_terminal),
            );
            assert_eq!(
                (succeeded as usize, ended as usize),
                counted,
                "parents of {}",
                task.key
            );
        }
        if matches!(task.state, TaskState::Ready(_) | TaskState::Asking { .. }) {
            assert!(
                self.policy_holds(task),
                "task {} began before its parents allowed it",
                task.key
            );
        }
    }

    fn policy_holds(&self, task: &Task) -> bool {
        let states: Vec<_> = task
            .parents
            .iter()
            .map(|parent| &self.task(*parent).state)
            .collect();
        let succeeded = states
            .iter()
            .filter(|state| matches!(state, TaskState::Succeeded { .. }))
            .count();
        match task.policy {
            ParentPolicy::All => succeeded == states.len(),
            ParentPolicy::Any => succeeded >= 1 || states.is_empty(),
            ParentPolicy::AtLeast(least) => succeeded >= states.len().min(least as usize),
            ParentPolicy::Settled => states.iter().all(|state| state.is_terminal()),
        }
    }

    /// At most one attempt of a task succeeded; while the project is not paused, the attempts under way are
    /// those of the ready tasks.
    fn check_attempts(&self) {
        let mut succeeded = BTreeSet::new();
        for (queue, state) in self.attempts.values() {
            assert!(
                *state != AttemptState::Succeeded || succeeded.insert(queue.task),
                "two attempts of one task succeeded"
            );
        }
        let live: BTreeSet<_> = self.live().into_iter().map(|queue| queue.attempt).collect();
        let wanted: BTreeSet<_> = self
            .project
            .tasks
            .values()
            .filter_map(|task| task.current_attempt())
            .map(|current| current.attempt)
            .collect();
        let head = &self.project.head;
        if head.state.as_str() == "paused" || head.halt.is_some() {
            assert!(live.is_empty(), "nothing is under way in a paused project");
        } else {
            assert_eq!(live, wanted, "attempts under way");
        }
    }
}

/// A task of a plan: its key, its parents, its policy.
pub(in crate::project) fn planned_task(
    key: &str,
    parents: &[&str],
    policy: ParentPolicy,
) -> PlannedTask {
    PlannedTask {
        key: TaskKey::new(key),
        title: format!("part {key}"),
        instructions: "write it".into(),
        sections: Vec::new(),
        parents: parents.iter().map(TaskKey::new).collect(),
        policy,
        covers: vec!["r1".into()],
        acceptance: vec!["it is there".into()],
        output_tokens: 100,
    }
}

pub(in crate::project) fn plan_of(tasks: Vec<PlannedTask>) -> Planned {
    let parts = tasks
        .iter()
        .map(|task| Part::Task {
            task: task.key.clone(),
        })
        .collect();
    let plan = Plan {
        version: 1,
        title: "a plan".into(),
        assumptions: Vec::new(),
        requirements: vec![Requirement {
            id: "r1".into(),
            text: "all is there".into(),
        }],
        tasks,
        files: vec![PlannedFile {
            path: "all.md".into(),
            media_type: "text/markdown".into(),
            parts,
        }],
    };
    Planned {
        plan: Box::new(plan),
        hash: ArtifactHash::of(b"plan"),
        warnings: Vec::new(),
        estimate: PlanEstimate::default(),
    }
}
