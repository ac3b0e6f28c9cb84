//! The machine of attempts as a table of arrows, and the states that the arrows connect.
//!
//! Each arrow is one guarded statement of a store, which [`step`] looks up. `cargo xtask drawings` prints the
//! table into [`docs/machines.md`]. Neighbour: [`state_machine`](crate::state_machine) has the machines of
//! projects and tasks: their arrows need no owner and no epoch.
//!
//! [`docs/machines.md`]: https://github.com/chorus/chorus/blob/main/docs/machines.md

use serde::{Deserialize, Serialize};

use super::{Outcome, Requeue};
use crate::state_machine::{Arrow, StateKind};

/// State of an attempt's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Waits for admission.
    Queued,
    /// Admitted and published, not yet claimed.
    Dispatched,
    /// Claimed by a worker.
    Running,
    /// Ended with a result.
    Succeeded,
    /// Ended with a question.
    Asked,
    /// Ended without a result.
    Failed,
    /// Ended by the orchestrator.
    Cancelled,
}

/// Service that owns the statement of an arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Owner of `Attempts::dispatch`.
    Dispatcher,
    /// Owner of `Attempts::claim` and `Attempts::finish`.
    Worker,
    /// Owner of `Attempts::reclaim`.
    Reconciler,
    /// Owner of `Projects::commit`.
    Orchestrator,
}

/// Rule by which an arrow compares and changes the [`Epoch`](crate::id::Epoch).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochRule {
    /// The row must have the statement's epoch, and keeps it.
    Kept,
    /// The row must have the statement's epoch, and gets the next one: the last holder is fenced.
    Next,
    /// The row is moved at any epoch, and keeps its epoch.
    Any,
}

/// Counter of the row that an arrow adds to; each has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// No counter grows.
    None,
    /// Deliveries lost with their workers: catches tasks that kill workers.
    WorkerLost,
    /// Deliveries that failed in passing.
    Retries,
    /// Deliveries cut by `max_tokens`.
    Continues,
}

/// Statement that moves an attempt's row. Each arrow has one, and each leads to one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptTrigger {
    /// The dispatcher sends the attempt to a pool.
    Admitted,
    /// The dispatcher finds that the attempt can never run.
    Refused,
    /// A worker claims the dispatched record.
    Claimed,
    /// The reconciler takes back a dispatch that no worker claimed in time.
    Unclaimed,
    /// The call returned a result.
    Result,
    /// The call returned a question.
    Question,
    /// The call failed for good.
    NoResult,
    /// A limit of the provider refused the call.
    RateLimited,
    /// The worker is draining.
    Drained,
    /// The lease was gone before the call began.
    LeaseGone,
    /// The call failed in a way that may pass.
    Retry,
    /// The reply was cut by `max_tokens`.
    Cut,
    /// The reconciler takes back an attempt: its worker sends no heartbeats.
    WorkerLost,
    /// The orchestrator cancels the attempt.
    NotWanted,
}

impl AttemptTrigger {
    /// Every trigger, in the order of the table.
    pub const ALL: [Self; 14] = [
        Self::Admitted,
        Self::Refused,
        Self::Claimed,
        Self::Unclaimed,
        Self::Result,
        Self::Question,
        Self::NoResult,
        Self::RateLimited,
        Self::Drained,
        Self::LeaseGone,
        Self::Retry,
        Self::Cut,
        Self::WorkerLost,
        Self::NotWanted,
    ];

    /// Label of the arrow in `docs/machines.md`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Refused => "refused: no account, kills workers, over budget",
            Self::Claimed => "claimed",
            Self::Unclaimed => "unclaimed",
            Self::Result => "result",
            Self::Question => "question",
            Self::NoResult => "no result",
            Self::RateLimited => "rate-limited",
            Self::Drained => "drained",
            Self::LeaseGone => "lease gone",
            Self::Retry => "failed in passing",
            Self::Cut => "cut by max_tokens",
            Self::WorkerLost => "worker lost",
            Self::NotWanted => "not wanted",
        }
    }
}

impl From<&Outcome> for AttemptTrigger {
    /// The trigger by which `Attempts::finish` records this outcome.
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded { .. } => Self::Result,
            Outcome::Asked { .. } => Self::Question,
            Outcome::Failed { .. } => Self::NoResult,
            Outcome::Requeue { reason, .. } => match reason {
                Requeue::Limited { .. } => Self::RateLimited,
                Requeue::Retry { .. } => Self::Retry,
                Requeue::Drained => Self::Drained,
                Requeue::LeaseGone => Self::LeaseGone,
                Requeue::Continue => Self::Cut,
            },
        }
    }
}

/// One arrow of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptArrow {
    /// State that the row leaves.
    pub from: AttemptState,
    /// State that the row enters.
    pub to: AttemptState,
    /// The statement that carries it out.
    pub trigger: AttemptTrigger,
    /// Owner of the statement.
    pub who: Who,
    /// Rule by which the row's epoch is compared and changed.
    pub epoch: EpochRule,
    /// Counter that grows by one.
    pub counter: Counter,
}

use AttemptState::{Asked, Cancelled, Dispatched, Failed, Queued, Running, Succeeded};

const fn arrow(
    from: AttemptState,
    to: AttemptState,
    trigger: AttemptTrigger,
    who: Who,
    epoch: EpochRule,
) -> AttemptArrow {
    AttemptArrow {
        from,
        to,
        trigger,
        who,
        epoch,
        counter: Counter::None,
    }
}

const fn kept(
    from: AttemptState,
    to: AttemptState,
    trigger: AttemptTrigger,
    who: Who,
) -> AttemptArrow {
    arrow(from, to, trigger, who, EpochRule::Kept)
}

const fn requeue(
    from: AttemptState,
    trigger: AttemptTrigger,
    who: Who,
    counter: Counter,
) -> AttemptArrow {
    AttemptArrow {
        counter,
        ..arrow(from, Queued, trigger, who, EpochRule::Next)
    }
}

const fn cancel(from: AttemptState) -> AttemptArrow {
    let trigger = AttemptTrigger::NotWanted;
    arrow(from, Cancelled, trigger, Who::Orchestrator, EpochRule::Any)
}

/// Every arrow of an attempt. A store moves a row by [`step`] and in no other way.
pub const ARROWS: [AttemptArrow; 16] = {
    use AttemptTrigger as T;
    [
        kept(Queued, Dispatched, T::Admitted, Who::Dispatcher),
        kept(Queued, Failed, T::Refused, Who::Dispatcher),
        kept(Dispatched, Running, T::Claimed, Who::Worker),
        requeue(Dispatched, T::Unclaimed, Who::Reconciler, Counter::None),
        kept(Running, Succeeded, T::Result, Who::Worker),
        kept(Running, Asked, T::Question, Who::Worker),
        kept(Running, Failed, T::NoResult, Who::Worker),
        requeue(Running, T::RateLimited, Who::Worker, Counter::None),
        requeue(Running, T::Drained, Who::Worker, Counter::None),
        requeue(Running, T::LeaseGone, Who::Worker, Counter::None),
        requeue(Running, T::Retry, Who::Worker, Counter::Retries),
        requeue(Running, T::Cut, Who::Worker, Counter::Continues),
        requeue(Running, T::WorkerLost, Who::Reconciler, Counter::WorkerLost),
        cancel(Queued),
        cancel(Dispatched),
        cancel(Running),
    ]
};

/// The arrow that a trigger follows from this state; none when the table has no such arrow.
pub fn step(from: AttemptState, trigger: AttemptTrigger) -> Option<&'static AttemptArrow> {
    ARROWS
        .iter()
        .find(|arrow| arrow.from == from && arrow.trigger == trigger)
}

/// The arrows between two states, for an observer that sees rows and not statements.
pub fn between(
    from: AttemptState,
    to: AttemptState,
) -> impl Iterator<Item = &'static AttemptArrow> {
    ARROWS
        .iter()
        .filter(move |arrow| arrow.from == from && arrow.to == to)
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Queued, Dispatched, Running, Succeeded, Asked, Failed, Cancelled,
    ];

    /// Text of the state in stores and drawings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Queued => "queued",
            Dispatched => "dispatched",
            Running => "running",
            Succeeded => "succeeded",
            Asked => "asked",
            Failed => "failed",
            Cancelled => "cancelled",
        }
    }

    /// Returns true if the state is final.
    pub const fn is_terminal(self) -> bool {
        match self {
            Queued | Dispatched | Running => false,
            Succeeded | Asked | Failed | Cancelled => true,
        }
    }
}

impl StateKind for AttemptState {
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        self.as_str()
    }

    fn is_terminal(self) -> bool {
        self.is_terminal()
    }
}

impl AttemptArrow {
    /// The arrow without the columns that only attempts have.
    pub const fn arrow(&self) -> Arrow<AttemptState> {
        Arrow::new(self.from, self.to, self.trigger.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_are_over_absorb() {
        assert!(ARROWS.iter().all(|arrow| !arrow.from.is_terminal()));
        for state in AttemptState::ALL
            .into_iter()
            .filter(|state| !state.is_terminal())
        {
            assert!(
                ARROWS
                    .iter()
                    .any(|arrow| arrow.from == state && arrow.to == Cancelled),
                "{state:?} can be cancelled"
            );
        }
    }

    #[test]
    fn a_state_and_a_trigger_name_one_arrow_at_most() {
        for from in AttemptState::ALL {
            for trigger in AttemptTrigger::ALL {
                let arrows = ARROWS
                    .iter()
                    .filter(|arrow| arrow.from == from && arrow.trigger == trigger);
                let found: Vec<_> = arrows.collect();
                assert!(found.len() < 2, "{found:?}");
                assert_eq!(step(from, trigger), found.first().copied());
            }
        }
    }

    #[test]
    fn each_trigger_has_an_arrow_and_leads_to_one_state() {
        for trigger in AttemptTrigger::ALL {
            let mut targets: Vec<_> = ARROWS
                .iter()
                .filter(|arrow| arrow.trigger == trigger)
                .map(|arrow| arrow.to)
                .collect();
            targets.dedup();
            assert_eq!(targets.len(), 1, "{trigger:?} leads to {targets:?}");
        }
    }

    #[test]
    fn queueing_again_always_fences_the_last_holder() {
        for arrow in ARROWS.iter().filter(|arrow| arrow.to == Queued) {
            assert_eq!(arrow.epoch, EpochRule::Next, "{:?}", arrow.trigger);
        }
    }

    #[test]
    fn only_lost_workers_count_towards_the_limit_of_lost_deliveries() {
        let lost: Vec<_> = ARROWS
            .iter()
            .filter(|arrow| arrow.counter == Counter::WorkerLost)
            .map(|arrow| arrow.trigger)
            .collect();
        assert_eq!(lost, [AttemptTrigger::WorkerLost]);
    }
}
