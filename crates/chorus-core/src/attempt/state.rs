//! The attempt machine as a table of arrows, and the states that the arrows connect.
//!
//! Every arrow is one guarded statement of a store. [`docs/machines.md`] is printed from this table.
//!
//! [`docs/machines.md`]: https://github.com/chorus/chorus/blob/main/docs/machines.md

use serde::{Deserialize, Serialize};

use crate::drawing::Arrow;

/// The states of an attempt's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Waits for admission.
    Queued,
    /// Admitted and published, not yet claimed.
    Dispatched,
    /// Claimed by a worker.
    Running,
    /// Has a result.
    Succeeded,
    /// Its result is a question.
    Asked,
    /// Will have no result.
    Failed,
    /// Not wanted any more.
    Cancelled,
}

/// Whose statement an arrow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// `Attempts::dispatch`.
    Dispatcher,
    /// `Attempts::claim` and `Attempts::finish`.
    Worker,
    /// `Attempts::reclaim`.
    Reconciler,
    /// `Projects::commit`.
    Orchestrator,
}

/// What an arrow does to the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochRule {
    /// The row must have the statement's epoch, and keeps it.
    Kept,
    /// The row must have the statement's epoch, and gets the next one: whoever held it is fenced.
    Next,
    /// The row is moved whatever its epoch is, and keeps it.
    Any,
}

/// Which counter of the row an arrow adds to; each has its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// None.
    None,
    /// Deliveries lost with their workers: catches tasks that kill workers.
    WorkerLost,
    /// Deliveries that failed in passing.
    Retries,
    /// Deliveries cut by `max_tokens`.
    Continues,
}

/// One arrow of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptArrow {
    /// The state it leaves.
    pub from: AttemptState,
    /// The state it leads to.
    pub to: AttemptState,
    /// What makes it go.
    pub trigger: &'static str,
    /// Whose statement it is.
    pub who: Who,
    /// What it does to the epoch.
    pub epoch: EpochRule,
    /// Which counter it adds to.
    pub counter: Counter,
}

use AttemptState::{Asked, Cancelled, Dispatched, Failed, Queued, Running, Succeeded};

const fn arrow(
    from: AttemptState,
    to: AttemptState,
    trigger: &'static str,
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

const fn again(trigger: &'static str, counter: Counter) -> AttemptArrow {
    AttemptArrow {
        counter,
        ..arrow(Running, Queued, trigger, Who::Worker, EpochRule::Next)
    }
}

/// Every arrow of an attempt.
pub const ARROWS: [AttemptArrow; 16] = [
    arrow(
        Queued,
        Dispatched,
        "admitted",
        Who::Dispatcher,
        EpochRule::Kept,
    ),
    arrow(
        Queued,
        Failed,
        "refused: no account, kills workers, over budget",
        Who::Dispatcher,
        EpochRule::Kept,
    ),
    arrow(Dispatched, Running, "claimed", Who::Worker, EpochRule::Kept),
    arrow(
        Dispatched,
        Queued,
        "unclaimed",
        Who::Reconciler,
        EpochRule::Next,
    ),
    arrow(Running, Succeeded, "result", Who::Worker, EpochRule::Kept),
    arrow(Running, Asked, "question", Who::Worker, EpochRule::Kept),
    arrow(Running, Failed, "no result", Who::Worker, EpochRule::Kept),
    again("rate-limited", Counter::None),
    again("drained", Counter::None),
    again("lease gone", Counter::None),
    again("failed in passing", Counter::Retries),
    again("cut by max_tokens", Counter::Continues),
    AttemptArrow {
        counter: Counter::WorkerLost,
        ..arrow(
            Running,
            Queued,
            "worker lost",
            Who::Reconciler,
            EpochRule::Next,
        )
    },
    arrow(
        Queued,
        Cancelled,
        "not wanted",
        Who::Orchestrator,
        EpochRule::Any,
    ),
    arrow(
        Dispatched,
        Cancelled,
        "not wanted",
        Who::Orchestrator,
        EpochRule::Any,
    ),
    arrow(
        Running,
        Cancelled,
        "not wanted",
        Who::Orchestrator,
        EpochRule::Any,
    ),
];

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Queued, Dispatched, Running, Succeeded, Asked, Failed, Cancelled,
    ];

    /// The state in one word, as stores and drawings write it.
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

    /// Whether nothing will happen any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Queued | Dispatched | Running => false,
            Succeeded | Asked | Failed | Cancelled => true,
        }
    }
}

/// The table in the form that drawings are printed from.
pub fn drawn() -> Vec<Arrow> {
    ARROWS
        .iter()
        .map(|arrow| Arrow {
            from: arrow.from.as_str(),
            to: arrow.to.as_str(),
            trigger: arrow.trigger,
        })
        .collect()
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
    fn queueing_again_always_fences_the_last_holder() {
        for arrow in ARROWS.iter().filter(|arrow| arrow.to == Queued) {
            assert_eq!(arrow.epoch, EpochRule::Next, "{}", arrow.trigger);
        }
    }

    #[test]
    fn only_lost_workers_count_towards_the_limit_of_lost_deliveries() {
        let lost: Vec<_> = ARROWS
            .iter()
            .filter(|arrow| arrow.counter == Counter::WorkerLost)
            .map(|arrow| arrow.trigger)
            .collect();
        assert_eq!(lost, ["worker lost"]);
    }
}
