//! Decisions: the rows, events and effects that follow from a command.
//!
//! [`Project::decide`] hands each [`Command`] to the module of its topic. Topics change rows through the
//! [`DecisionBuilder`]; each of them calls only topics that do not call it back.

mod answers;
mod attention;
mod clarify;
mod conditions;
pub(super) mod ending;
mod finished;
mod judge;
mod kept_result;
mod merge;
mod open_questions;
mod pause;
mod plan;
mod reopen;
mod retry;
pub(super) mod rework;
mod skip;
mod steering;
mod work;
mod worker_question;

use super::decision::{DecideContext, Decision, Inconsistency, Interrupt, Refusal};
use super::decision_builder::DecisionBuilder;
use super::{ClientCommand, Command, HistoryEvent, Project, State, WaitingOn};
use crate::id::EventId;

/// Client commands remembered for deduplication; older ones are known to the store alone.
const REMEMBERED: usize = 256;

impl Project {
    /// Makes the decision that shows clients that a command of theirs was refused.
    pub fn refuse(&self, command: &ClientCommand, id: EventId, refusal: &Refusal) -> Decision {
        Decision {
            head: self.head.clone(),
            tasks: Vec::new(),
            history: vec![HistoryEvent::CommandRefused {
                command: command.name().to_owned(),
                id,
                code: refusal.code().to_owned(),
                why: refusal.to_string(),
            }],
            effects: Vec::new(),
            inconsistency: None,
        }
    }

    /// Decides a command. Rows that contradict each other are no error here: the decision then stops this
    /// project, and [`Decision::inconsistency`] holds the reason.
    pub fn decide<'a>(
        &'a self,
        command: Command,
        context: DecideContext<'a>,
    ) -> Result<Decision, Refusal> {
        if self.head.is_terminal() && !matches!(command, Command::Reopen(_)) {
            return Err(Refusal::Ended(self.head.state.as_str()));
        }
        let mut builder = DecisionBuilder::new(self, context);
        match fold(&mut builder, command) {
            Ok(()) => Ok(builder.finish()),
            Err(Interrupt::Refused(refusal)) => Err(refusal),
            Err(Interrupt::Inconsistent(inconsistency)) => {
                Ok(ending::stop_inconsistent(self, inconsistency))
            }
        }
    }
}

fn fold(builder: &mut DecisionBuilder<'_>, command: Command) -> Result<(), Interrupt> {
    if is_of_client(&command) {
        remember(builder)?;
    }
    match command {
        Command::Submit { outline } => clarify::submit(builder, outline)?,
        Command::Answer {
            answers,
            assume_rest,
            questions,
        } => answers::fold(
            builder,
            &answers,
            &answers::Assumed::of(assume_rest, questions),
        )?,
        Command::Approve { hash, plan } => plan::approve(builder, hash, plan)?,
        Command::Reject { reason, plan } => plan::reject(builder, reason, plan)?,
        Command::Pause { at } => pause::pause(builder, at)?,
        Command::Resume { at } => pause::resume(builder, at)?,
        Command::Cancel => ending::cancel(builder)?,
        Command::RaiseBudget { budget } => conditions::raise_budget(builder, budget)?,
        Command::Retry { task } => retry::retry(builder, task.as_deref())?,
        Command::Skip { task } => skip::skip(builder, task.as_deref())?,
        Command::Reopen(reopening) => reopen::reopen(builder, reopening)?,
        Command::Condition { at, wait } => conditions::found(builder, at, wait)?,
        Command::Finished { done, reading } => finished::fold(builder, done, reading)?,
        Command::Merged(merge) => merge::merged(builder, merge)?,
        Command::ArtifactMissing { what } => {
            conditions::halt(builder, what);
        }
    }
    if !builder.head.is_terminal() {
        advance(builder)?;
    }
    if !builder.head.is_terminal() {
        attention::update(builder)?;
    }
    Ok(())
}

const fn is_of_client(command: &Command) -> bool {
    match command {
        Command::Submit { .. }
        | Command::Answer { .. }
        | Command::Approve { .. }
        | Command::Reject { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Cancel
        | Command::RaiseBudget { .. }
        | Command::Retry { .. }
        | Command::Skip { .. }
        | Command::Reopen(_) => true,
        Command::Condition { .. }
        | Command::Finished { .. }
        | Command::Merged(_)
        | Command::ArtifactMissing { .. } => false,
    }
}

/// Remembers a client command, so that it is folded once, also without an effect.
fn remember(builder: &mut DecisionBuilder<'_>) -> Result<(), Refusal> {
    let event = builder.event();
    if !builder.head.folded.insert(event) {
        return Err(Refusal::Repeated);
    }
    while builder.head.folded.len() > REMEMBERED {
        builder.head.folded.pop_first();
    }
    Ok(())
}

/// Takes the steps that follow from the counters once a command is folded.
fn advance(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    if builder.head.halt.is_some() {
        return Ok(());
    }
    match builder.state() {
        State::WaitingClient {
            waits: WaitingOn::Tasks,
        } if builder.head.unfinished == 0 || builder.head.ready > 0 => {
            builder.enter(State::Running)?;
            advance(builder)
        }
        State::Running if builder.head.unfinished == 0 => merge::begin(builder),
        State::Running if builder.head.ready == 0 && !builder.head.open.is_empty() => {
            builder.enter(State::WaitingClient {
                waits: WaitingOn::Tasks,
            })?;
            Ok(())
        }
        State::Submitted
        | State::Clarifying { .. }
        | State::WaitingClient { .. }
        | State::Planning { .. }
        | State::WaitingApproval
        | State::Running
        | State::Paused { .. }
        | State::NeedsAttention { .. }
        | State::Merging { .. }
        | State::Evaluating { .. }
        | State::Done { .. }
        | State::Partial { .. }
        | State::Failed { .. }
        | State::Cancelled => Ok(()),
    }
}
