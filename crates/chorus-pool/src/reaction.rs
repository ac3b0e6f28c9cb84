//! What to do about each kind of failure, as a table.
//!
//! The limiter closes groups by itself when it is told of a refusal; here stands who else is concerned: the
//! breaker, the credential's latch, the retry counters, and whether the call may move to a sibling account.

use chorus_core::limit::FailureClass;
use chorus_core::time::{Millis, Timestamp};

/// Who is kept from calling for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// The bucket that ran out.
    Bucket,
    /// The group's calls in flight are lowered.
    Slots,
    /// The group, until its quota or its money comes back.
    Group,
    /// The provider's route to this model, for everybody.
    Route,
    /// The credential, until a person acts.
    Credential,
    /// The credential, for this model only.
    Model,
    /// Nobody.
    Nobody,
}

/// Which counter of the attempt a failure burns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Burns {
    /// None: a new delivery of the same attempt.
    Nothing,
    /// The retries.
    Retry,
    /// The attempt itself.
    Attempt,
}

/// The reaction to one kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaction {
    /// Who is blocked.
    pub blocks: Blocks,
    /// What is burnt.
    pub burns: Burns,
    /// The first delay when the provider names none; it doubles with each retry.
    pub delay: Millis,
    /// Whether it counts against the breaker of the provider's route.
    pub trips_breaker: bool,
    /// Whether the call may go on with a sibling account of the same owner without a recorded approval.
    pub free_to_move: bool,
}

/// The longest delay that doubling leads to.
const LONGEST: Millis = Millis(60_000);

/// The table.
pub const fn reaction(class: FailureClass) -> Reaction {
    const fn row(
        blocks: Blocks,
        burns: Burns,
        delay_ms: u64,
        trips_breaker: bool,
        free_to_move: bool,
    ) -> Reaction {
        Reaction {
            blocks,
            burns,
            delay: Millis(delay_ms),
            trips_breaker,
            free_to_move,
        }
    }
    match class {
        FailureClass::RateWindow => row(Blocks::Bucket, Burns::Nothing, 1_000, false, false),
        FailureClass::Ramp => row(Blocks::Slots, Burns::Nothing, 1_000, false, false),
        FailureClass::Concurrency => row(Blocks::Slots, Burns::Nothing, 500, false, false),
        FailureClass::Overload => row(Blocks::Route, Burns::Retry, 1_000, true, true),
        FailureClass::QuotaDay | FailureClass::Spend => {
            row(Blocks::Group, Burns::Nothing, 0, false, false)
        }
        FailureClass::Auth => row(Blocks::Credential, Burns::Nothing, 0, false, true),
        FailureClass::Forbidden => row(Blocks::Model, Burns::Nothing, 0, false, true),
        FailureClass::Request => row(Blocks::Nobody, Burns::Attempt, 0, false, false),
        FailureClass::Transient => row(Blocks::Nobody, Burns::Retry, 500, true, true),
        FailureClass::MidStream => row(Blocks::Nobody, Burns::Retry, 500, true, true),
    }
}

/// When the call may be tried again. What the provider asked for is honoured; jitter spreads what comes after
/// it, and all of the delay where nothing was asked. `chance` is a number below a million.
pub fn not_before(
    class: FailureClass,
    retries: u32,
    retry_after: Option<Millis>,
    now: Timestamp,
    chance: u64,
) -> Timestamp {
    let doubled = reaction(class)
        .delay
        .0
        .saturating_mul(1 << retries.min(10))
        .min(LONGEST.0);
    let jitter = Millis(doubled * chance.min(1_000_000) / 1_000_000);
    now + retry_after.unwrap_or(Millis::ZERO) + jitter
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [FailureClass; 11] = [
        FailureClass::RateWindow,
        FailureClass::Ramp,
        FailureClass::Concurrency,
        FailureClass::Overload,
        FailureClass::QuotaDay,
        FailureClass::Spend,
        FailureClass::Auth,
        FailureClass::Forbidden,
        FailureClass::Request,
        FailureClass::Transient,
        FailureClass::MidStream,
    ];

    #[test]
    fn limits_never_open_a_breaker_nor_burn_a_retry_nor_move_to_a_sibling() {
        use FailureClass::{Concurrency, QuotaDay, Ramp, RateWindow, Spend};
        for class in [RateWindow, Ramp, Concurrency, QuotaDay, Spend] {
            let reaction = reaction(class);
            assert!(
                !reaction.trips_breaker
                    && !reaction.free_to_move
                    && reaction.burns == Burns::Nothing,
                "{class:?}"
            );
        }
    }

    #[test]
    fn nobody_comes_back_before_the_provider_said_and_delays_stay_bounded() {
        for class in ALL {
            for (retries, chance) in [(0, 0), (3, 500_000), (40, 1_000_000)] {
                let asked = not_before(class, retries, Some(Millis(7_000)), Timestamp(0), chance);
                assert!((7_000..=67_000).contains(&asked.0), "{class:?}: {asked:?}");
                assert!(not_before(class, retries, None, Timestamp(0), chance).0 <= 60_000);
            }
        }
    }
}
