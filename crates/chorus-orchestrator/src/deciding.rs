//! Deciding on a batch: each record becomes a command, each decision is applied in memory, and what decisions
//! ask for - merges, attempts - is done before the commit.

use chorus_core::attempt::{AttemptDone, DeliveryEnd, NewAttempt, Outcome};
use chorus_core::id::EventId;
use chorus_core::plan::Plan;
use chorus_core::port::bus::Record;
use chorus_core::project::{ClientCommand, Command, DecideContext, Project, TaskState};
use chorus_core::record::{self, Unreadable};

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::gathered::{Gathered, MergeWanted};
use crate::shelf::Missing;
use crate::{merging, opening, order, reading};

/// A batch in the making.
pub(crate) struct Deciding<'a> {
    context: &'a Context,
    aggregate: Aggregate,
    gathered: Gathered,
}

impl<'a> Deciding<'a> {
    pub(crate) fn new(context: &'a Context, aggregate: Aggregate) -> Self {
        Self {
            context,
            aggregate,
            gathered: Gathered::default(),
        }
    }

    /// Folds one record; what it cannot do leaves the project as it is.
    pub(crate) async fn fold(&mut self, record: &Record) {
        if !self.gathered.fold(record.id) {
            return;
        }
        let read = match record.header("chorus-schema") {
            Some(record::DONE) => record::read::<AttemptDone>(record, record::DONE).map(Told::Done),
            _ => record::read::<ClientCommand>(record, record::COMMAND).map(Told::Client),
        };
        match read {
            Ok(Told::Done(done)) => self.finished(record.id, done).await,
            Ok(Told::Client(command)) => self.client(record.id, command).await,
            Err(problem) => self.set_aside(record, &problem),
        }
    }

    /// The project as decided, and the attempts that it queues, with their work orders in the store.
    pub(crate) async fn finish(mut self) -> (Aggregate, Gathered, Vec<NewAttempt>) {
        loop {
            match self.attempts().await {
                Ok(attempts) => return (self.aggregate, self.gathered, attempts),
                Err(missing) => self.lost(&missing).await,
            }
        }
    }

    async fn attempts(&mut self) -> Result<Vec<NewAttempt>, Missing> {
        let mut attempts = Vec::with_capacity(self.gathered.queue.len());
        for queue in &self.gathered.queue {
            attempts.push(order::attempt(self.context, &mut self.aggregate, queue).await?);
        }
        Ok(attempts)
    }

    async fn client(&mut self, event: EventId, command: ClientCommand) {
        let command = match command {
            ClientCommand::Submit { .. } => {
                match opening::outline(self.context, &mut self.aggregate).await {
                    Ok(outline) => Command::Submit { outline },
                    Err(missing) => return self.lost(&missing).await,
                }
            }
            ClientCommand::Approve => {
                match opening::plan(self.context, &mut self.aggregate).await {
                    Ok(Some(plan)) => Command::Approve {
                        plan: Box::new(Plan::clone(&plan)),
                    },
                    Ok(None) => return,
                    Err(missing) => return self.lost(&missing).await,
                }
            }
            ClientCommand::Resume => {
                self.ended_before_the_pause().await;
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
        match reading::of(self.context, &mut self.aggregate, &done).await {
            Ok(reading) => {
                self.decide(event, Command::Finished { done, reading })
                    .await
            }
            Err(missing) => self.lost(&missing).await,
        }
    }

    /// Attempts that ended just before the pause cancelled them count: their results are paid for, and a
    /// second attempt beside one that succeeded must not be. After the pause none of them can be live.
    async fn ended_before_the_pause(&mut self) {
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
            if let Some(DeliveryEnd::Finished { outcome }) = row.end
                && !matches!(outcome, Outcome::Requeue { .. })
            {
                let event = self.context.event_id();
                Box::pin(self.finished(
                    event,
                    AttemptDone {
                        attempt: row.attempt,
                        task: row.task,
                        outcome,
                        call: None,
                    },
                ))
                .await;
            }
        }
    }

    async fn lost(&mut self, missing: &Missing) {
        tracing::error!(project.id = %self.aggregate.project.head.id, artifact.hash = %missing.hash, "{} is gone", missing.what);
        let event = self.context.event_id();
        if let Some(wanted) = self.take(
            event,
            Command::ArtifactMissing {
                what: missing.to_string(),
            },
        ) {
            tracing::error!(
                merge.model = wanted.ask_model,
                "a failed project asks for a merge"
            );
        }
    }

    /// Decides, applies, and merges as long as decisions ask for it.
    async fn decide(&mut self, event: EventId, command: Command) {
        let mut wanted = self.take(event, command);
        while let Some(MergeWanted {
            resolutions,
            ask_model,
        }) = wanted
        {
            wanted = match merging::merge(self.context, &mut self.aggregate, resolutions, ask_model)
                .await
            {
                Ok(merge) => self.take(event, Command::Merged(merge)),
                Err(missing) => return self.lost(&missing).await,
            };
        }
    }

    fn take(&mut self, event: EventId, command: Command) -> Option<MergeWanted> {
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
                self.gathered.add(decision)
            }
            Err(refusal) => {
                tracing::debug!(project.id = %self.aggregate.project.head.id, bus.record = %event, "nothing to decide: {refusal}");
                None
            }
        }
    }

    fn set_aside(&mut self, record: &Record, problem: &Unreadable) {
        tracing::error!(error = %problem, bus.record = %record.id, "a record cannot be read, it goes to the dead letters");
        self.gathered.set_aside(record::dead_letter(
            self.context.event_id(),
            record,
            problem,
        ));
    }
}

/// What a record tells.
enum Told {
    Done(AttemptDone),
    Client(ClientCommand),
}
