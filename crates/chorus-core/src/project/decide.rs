//! Decisions: the rows, events and effects that follow from a command.
//!
//! [`Project::decide`] hands each [`Command`] to the module of its topic. Topics change rows through the
//! [`DecisionBuilder`]; each of them calls only topics that do not call it back.

mod answers;
mod clarify;
mod ending;
mod finished;
mod judge;
mod merge;
mod open_questions;
mod pause;
mod plan;
pub(super) mod rework;
mod steering;
mod work;
mod worker_question;

use super::decision::{DecideContext, Decision, Inconsistency, Interrupt, Refusal};
use super::decision_builder::DecisionBuilder;
use super::{Command, Project, State, WaitingOn};

/// Client commands remembered for deduplication; older ones are known to the store alone.
const REMEMBERED: usize = 256;

impl Project {
    /// Decides a command. Rows that contradict each other are no error here: the decision then stops this
    /// project, and [`Decision::inconsistency`] holds the reason.
    pub fn decide<'a>(
        &'a self,
        command: Command,
        context: DecideContext<'a>,
    ) -> Result<Decision, Refusal> {
        if self.head.is_terminal() {
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
        } => answers::fold(builder, &answers, assume_rest)?,
        Command::Approve { plan } => plan::approve(builder, &plan)?,
        Command::Reject { reason } => plan::reject(builder, reason)?,
        Command::Pause => pause::pause(builder)?,
        Command::Resume => pause::resume(builder)?,
        Command::Cancel => ending::cancel(builder)?,
        Command::Finished { done, reading } => finished::fold(builder, done, reading)?,
        Command::Merged(merge) => merge::merged(builder, merge)?,
        Command::ArtifactMissing { what } => {
            ending::fail(builder, format!("{what} is gone from the artifact store"))?;
        }
    }
    if !builder.head.is_terminal() {
        advance(builder)?;
    }
    Ok(())
}

const fn is_of_client(command: &Command) -> bool {
    match command {
        Command::Submit { .. }
        | Command::Answer { .. }
        | Command::Approve { .. }
        | Command::Reject { .. }
        | Command::Pause
        | Command::Resume
        | Command::Cancel => true,
        Command::Finished { .. } | Command::Merged(_) | Command::ArtifactMissing { .. } => false,
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
        | State::Merging { .. }
        | State::Evaluating { .. }
        | State::Done { .. }
        | State::Partial { .. }
        | State::Failed { .. }
        | State::Cancelled => Ok(()),
    }
}
