//! Decides on a batch of records: each record becomes a [`Command`], each decision of the project is applied in
//! memory, and the merges and attempts that decisions request are prepared before the commit.
//!
//! [`fold`](crate::fold) commits the result. Nothing changes outside this process but artifacts, which are named
//! by their bytes.

use std::sync::Arc;

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{AttemptDone, DeliveryEnd, DeliveryRow, NewAttempt, Outcome};
use chorus_core::id::EventId;
use chorus_core::plan::Plan;
use chorus_core::port::bus::Record;
use chorus_core::project::{
    ClientCommand, Command, DecideContext, Project, Refusal, State, TaskState,
};
use chorus_core::record::{self, Unreadable};

use crate::aggregate::Aggregate;
use crate::artifact_cache::Missing;
use crate::commit_builder::{CommitBuilder, MergeRequest};
use crate::context::Context;
use crate::{call_builder, inputs, merging, reading};

/// Decisions on one batch.
pub(crate) struct Decider<'a> {
    context: &'a Context,
    aggregate: Aggregate,
    commit: CommitBuilder,
}

impl<'a> Decider<'a> {
    pub(crate) fn new(context: &'a Context, aggregate: Aggregate) -> Self {
        Self {
            context,
            aggregate,
            commit: CommitBuilder::default(),
        }
    }

    /// Folds one record. A record that the project refuses changes nothing; one that cannot be read becomes a
    /// dead letter.
    pub(crate) async fn fold(&mut self, record: &Record) {
        if !self.commit.fold(record.id) {
            return;
        }
        let read = match record.header("chorus-schema") {
            Some(record::DONE) => {
                record::read::<AttemptDone>(record, record::DONE).map(Payload::Done)
            }
            _ => record::read::<ClientCommand>(record, record::COMMAND).map(Payload::Client),
        };
        match read {
            Ok(Payload::Done(done)) => self.finished(record.id, done).await,
            Ok(Payload::Client(command)) => self.client(record.id, command).await,
            Err(problem) => self.dead_letter(record, &problem),
        }
    }

    /// Returns the project as decided, the commit under construction, and the queued attempts with
    /// their work orders in the store.
    pub(crate) async fn finish(mut self) -> (Aggregate, CommitBuilder, Vec<NewAttempt>) {
        loop {
            match self.attempts().await {
                Ok(attempts) => return (self.aggregate, self.commit, attempts),
                Err(missing) => self.artifact_missing(&missing).await,
            }
        }
    }

    async fn attempts(&mut self) -> Result<Vec<NewAttempt>, Missing> {
        let mut attempts = Vec::with_capacity(self.commit.queue.len());
        for queue in &self.commit.queue {
            attempts.push(call_builder::attempt(self.context, &mut self.aggregate, queue).await?);
        }
        Ok(attempts)
    }

    async fn client(&mut self, event: EventId, command: ClientCommand) {
        let given = match self.prepare(command.clone()).await {
            Ok(given) => given,
            Err(missing) => return self.artifact_missing(&missing).await,
        };
        if let Some(refusal) = self.decide(event, given).await {
            self.refused(event, &command, &refusal);
        }
        self.submit_again(&command).await;
    }

    /// Reads the contents of the artifacts that a client's command names.
    async fn prepare(&mut self, command: ClientCommand) -> Result<Command, Missing> {
        Ok(match command {
            ClientCommand::Submit { .. } => Command::Submit {
                outline: inputs::make_outline(self.context, &mut self.aggregate).await?,
            },
            ClientCommand::Approve { plan } => self.approved(plan).await?,
            ClientCommand::Resume { at } => {
                self.fold_ended_before_stop().await;
                Command::Resume { at }
            }
            ClientCommand::Answer {
                answers,
                assume_rest,
                questions,
            } => Command::Answer {
                answers,
                assume_rest,
                questions,
            },
            ClientCommand::Reject { reason, plan } => Command::Reject { reason, plan },
            ClientCommand::Pause { at } => Command::Pause { at },
            ClientCommand::Cancel => Command::Cancel,
            ClientCommand::RaiseBudget { budget } => Command::RaiseBudget { budget },
            ClientCommand::Retry { task } => {
                self.fold_ended_before_stop().await;
                Command::Retry { task }
            }
            ClientCommand::Skip { task } => Command::Skip { task },
            ClientCommand::Reopen(reopening) => Command::Reopen(reopening),
            ClientCommand::Condition { at, wait } => Command::Condition { at, wait },
        })
    }

    /// The approval with the plan that it names. Commands of an earlier release name none; they approve the first
    /// plan only, for a later one may not be the one that the client saw.
    async fn approved(&mut self, named: Option<ArtifactHash>) -> Result<Command, Missing> {
        let head = &self.aggregate.project.head;
        let current = head.plan.map(|plan| plan.hash);
        let offered = head.offer.as_ref().map(|offer| offer.plan);
        let is_first = head.rejections.is_empty() && offered.is_none();
        let hash = named
            .or_else(|| current.filter(|_| is_first))
            .unwrap_or_else(|| ArtifactHash::of(b""));
        let is_known = [current, offered].contains(&Some(hash));
        let plan = if is_known {
            let plan: Arc<Plan> = self
                .aggregate
                .artifacts
                .value(self.context, "the plan", hash)
                .await?;
            Some(Box::new(Plan::clone(&plan)))
        } else {
            None
        };
        Ok(Command::Approve { hash, plan })
    }

    /// Submits a project again that a retry or a reopening brought back to its begin.
    async fn submit_again(&mut self, command: &ClientCommand) {
        let is_back = matches!(
            command,
            ClientCommand::Retry { .. } | ClientCommand::Reopen(_)
        ) && self.aggregate.project.head.state == State::Submitted;
        if !is_back {
            return;
        }
        let event = self.context.event_id();
        match inputs::make_outline(self.context, &mut self.aggregate).await {
            Ok(outline) => {
                self.decide(event, Command::Submit { outline }).await;
            }
            Err(missing) => self.artifact_missing(&missing).await,
        }
    }

    /// Shows clients that a command had no effect. Repetitions were shown before, and conditions are no
    /// client's.
    fn refused(&mut self, event: EventId, command: &ClientCommand, refusal: &Refusal) {
        let is_silent =
            *refusal == Refusal::Repeated || matches!(command, ClientCommand::Condition { .. });
        if !is_silent {
            let decision = self.aggregate.project.refuse(command, event, refusal);
            self.commit.add(decision);
        }
    }

    async fn finished(&mut self, event: EventId, done: AttemptDone) {
        match reading::read_outcome(self.context, &mut self.aggregate, &done).await {
            Ok(reading) => {
                self.decide(event, Command::Finished { done, reading })
                    .await;
            }
            Err(missing) => self.artifact_missing(&missing).await,
        }
    }

    /// Folds attempts that ended just before a pause or a halt cancelled them: their results are paid for, and no
    /// second attempt may run beside one that succeeded. None of them can be running after the stop.
    async fn fold_ended_before_stop(&mut self) {
        let Project { head, tasks } = &self.aggregate.project;
        let waiting: Vec<_> = tasks
            .values()
            .filter(|task| matches!(task.state, TaskState::Ready(_)))
            .map(|task| task.id)
            .collect();
        let is_stopped = matches!(head.state, State::Paused { .. }) || head.halt.is_some();
        if !is_stopped || waiting.is_empty() {
            return;
        }
        let project = head.id;
        let rows = self
            .context
            .until_answered("read a project's deliveries", || {
                self.context.deliveries.of_project(project)
            })
            .await
            .unwrap_or_else(|error| {
                tracing::error!(project.id = %project, error = %error, "failed to read a project's deliveries: results just before the stop are made again");
                Vec::new()
            });
        for row in rows.into_iter().filter(|row| waiting.contains(&row.task)) {
            if let Some(done) = ended_attempt(row) {
                let event = self.context.event_id();
                Box::pin(self.finished(event, done)).await;
            }
        }
    }

    async fn artifact_missing(&mut self, missing: &Missing) {
        tracing::error!(project.id = %self.aggregate.project.head.id, artifact.hash = %missing.hash, "{} is missing", missing.what);
        let event = self.context.event_id();
        let what = missing.to_string();
        if let Ok(Some(request)) = self.apply(event, Command::ArtifactMissing { what }) {
            tracing::error!(
                merge.model = request.ask_model,
                "a halted project requested a merge"
            );
        }
    }

    /// Decides and applies, and merges for as long as decisions request it. Returns the refusal of the command.
    async fn decide(&mut self, event: EventId, command: Command) -> Option<Refusal> {
        let mut request = match self.apply(event, command) {
            Ok(request) => request,
            Err(refusal) => return Some(refusal),
        };
        while let Some(MergeRequest {
            resolutions,
            ask_model,
        }) = request
        {
            request =
                match merging::merge(self.context, &mut self.aggregate, resolutions, ask_model)
                    .await
                {
                    Ok(merge) => self.apply(event, Command::Merged(merge)).ok().flatten(),
                    Err(missing) => {
                        self.artifact_missing(&missing).await;
                        None
                    }
                };
        }
        None
    }

    fn apply(&mut self, event: EventId, command: Command) -> Result<Option<MergeRequest>, Refusal> {
        let clock = &self.context.clock;
        let decision = self.aggregate.project.decide(
            command,
            DecideContext {
                event,
                now: clock.now(),
                number: &mut || clock.random_u128(),
            },
        );
        match decision {
            Ok(decision) => {
                if let Some(inconsistency) = &decision.inconsistency {
                    tracing::error!(
                        project.id = %self.aggregate.project.head.id,
                        bus.record = %event,
                        error.code = inconsistency.code(),
                        "the rows of a project contradict each other, it is stopped: {inconsistency}"
                    );
                }
                self.aggregate.project.apply(&decision);
                Ok(self.commit.add(decision))
            }
            Err(refusal) => {
                tracing::debug!(project.id = %self.aggregate.project.head.id, bus.record = %event, "a command was refused: {refusal}");
                Err(refusal)
            }
        }
    }

    fn dead_letter(&mut self, record: &Record, problem: &Unreadable) {
        tracing::error!(error = %problem, bus.record = %record.id, "failed to read a record, it becomes a dead letter");
        self.commit.add_dead_letter(record::dead_letter(
            self.context.event_id(),
            record,
            problem,
        ));
    }
}

/// The end of a delivery as a worker would have reported it; none if its attempt goes on.
fn ended_attempt(row: DeliveryRow) -> Option<AttemptDone> {
    let Some(DeliveryEnd::Finished { outcome }) = row.end else {
        return None;
    };
    let is_over = !matches!(outcome, Outcome::Requeue { .. });
    is_over.then_some(AttemptDone {
        attempt: row.attempt,
        task: row.task,
        outcome,
        call: None,
    })
}

/// Payload of a record.
enum Payload {
    Done(AttemptDone),
    Client(ClientCommand),
}
