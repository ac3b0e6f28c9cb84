//! Decides on a batch of records: each record becomes a [`Command`], each decision of the project is applied in
//! memory, and the merges and attempts that decisions request are prepared before the commit.
//!
//! [`fold`](crate::fold) commits the result. Nothing changes outside this process but artifacts, which are named
//! by their bytes.

use chorus_core::attempt::{AttemptDone, DeliveryEnd, DeliveryRow, NewAttempt, Outcome};
use chorus_core::id::EventId;
use chorus_core::plan::Plan;
use chorus_core::port::bus::Record;
use chorus_core::project::{ClientCommand, Command, DecideContext, Project, TaskState};
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
        let command = match command {
            ClientCommand::Submit { .. } => {
                match inputs::make_outline(self.context, &mut self.aggregate).await {
                    Ok(outline) => Command::Submit { outline },
                    Err(missing) => return self.artifact_missing(&missing).await,
                }
            }
            ClientCommand::Approve => match inputs::plan(self.context, &mut self.aggregate).await {
                Ok(Some(plan)) => Command::Approve {
                    plan: Box::new(Plan::clone(&plan)),
                },
                Ok(None) => return,
                Err(missing) => return self.artifact_missing(&missing).await,
            },
            ClientCommand::Resume => {
                self.fold_ended_before_pause().await;
                Command::Resume
            }
            ClientCommand::Answer {
                answers,
                assume_rest,
            } => Command::Answer {
                answers,
                assume_rest,
            },
            ClientCommand::Reject { reason } => Command::Reject { reason },
            ClientCommand::Pause => Command::Pause,
            ClientCommand::Cancel => Command::Cancel,
        };
        self.decide(event, command).await;
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

    /// Folds attempts that ended just before a pause cancelled them: their results are paid for, and no second
    /// attempt may run beside one that succeeded. None of them can be running after the pause.
    async fn fold_ended_before_pause(&mut self) {
        let Project { head, tasks } = &self.aggregate.project;
        let waiting: Vec<_> = tasks
            .values()
            .filter(|task| matches!(task.state, TaskState::Ready(_)))
            .map(|task| task.id)
            .collect();
        if head.state.as_str() != "paused" || waiting.is_empty() {
            return;
        }
        let project = head.id;
        let rows = self
            .context
            .until_ok("read a project's deliveries", || {
                self.context.deliveries.of_project(project)
            })
            .await;
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
        if let Some(request) = self.apply(
            event,
            Command::ArtifactMissing {
                what: missing.to_string(),
            },
        ) {
            tracing::error!(
                merge.model = request.ask_model,
                "a failed project requested a merge"
            );
        }
    }

    /// Decides and applies, and merges for as long as decisions request it.
    async fn decide(&mut self, event: EventId, command: Command) {
        let mut request = self.apply(event, command);
        while let Some(MergeRequest {
            resolutions,
            ask_model,
        }) = request
        {
            request =
                match merging::merge(self.context, &mut self.aggregate, resolutions, ask_model)
                    .await
                {
                    Ok(merge) => self.apply(event, Command::Merged(merge)),
                    Err(missing) => return self.artifact_missing(&missing).await,
                };
        }
    }

    fn apply(&mut self, event: EventId, command: Command) -> Option<MergeRequest> {
        let clock = &self.context.clock;
        let decision = self.aggregate.project.decide(
            command,
            DecideContext {
                event,
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
                self.commit.add(decision)
            }
            Err(refusal) => {
                tracing::debug!(project.id = %self.aggregate.project.head.id, bus.record = %event, "a command was refused: {refusal}");
                None
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
