//! Limits of quota groups, demands on them, leases: the values that cross the
//! [`LimitState`](crate::port::LimitState) port.
//!
//! A limit belongs to an organisation, workspace, project or subscription times a group of models,
//! never to a key. Reservation before a call and charge after it differ from provider to provider, so
//! both are rules of the limit (`reference/limits.md` 1.1). Neighbours: `chorus-limits` holds the ledger
//! that applies them, `chorus-pool` the choice and order of calls.

mod calendar;
mod level;
mod obstacle;
mod resets;
mod restoration;
mod window;
mod zone;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failure::{FailureClass, GroupReaction};
use crate::id::{CredentialId, GroupId, LeaseId};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::time::{Millis, Timestamp};

pub use level::{GroupChange, GroupClosure, GroupLevel, LevelSource, LimitLevel};
pub use obstacle::{Obstacle, ObstacleKind};
pub use resets::{FIRST_MONEY_PAUSE, LONGEST_MONEY_PAUSE, QuotaResets};
pub use restoration::{HeldLease, PastCall, PastUse, Restoration};
pub use zone::{NamedZone, UnknownZone, Zone};

/// Unit that a provider limits: all limits of one group are charged at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaGroup {
    /// Name, shared by every credential that draws on the group.
    pub id: GroupId,
    /// Limits of the group; an empty list means that no limit is known.
    pub limits: Vec<Limit>,
}

/// Limit on one dimension of a quota group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Dimension that is counted.
    pub dimension: Dimension,
    /// Amount in one window; slots for concurrency, micro-dollars for spend.
    pub amount: u64,
    /// Maximum that can be saved up; `amount` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// Window in which the amount comes back.
    pub window: Window,
    /// Rule for the reservation before a call.
    #[serde(default)]
    pub reserve: ReserveRule,
    /// Share of cache reads that counts, in per cent (0 at Anthropic, 100 at OpenAI and xAI).
    #[serde(default)]
    pub cache_read_percent: u8,
    /// Weight of an output token when it is charged (5 at Bedrock, else 1).
    #[serde(default = "one")]
    pub output_weight: u8,
}

const fn one() -> u8 {
    1
}

/// Quantity that a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Calls of any size.
    Requests,
    /// Prompt tokens.
    InputTokens,
    /// Produced tokens.
    OutputTokens,
    /// Prompt and produced tokens together.
    TotalTokens,
    /// Money, in micro-dollars.
    Spend,
    /// Calls in flight.
    Concurrency,
}

/// Way in which a limit's amount comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "window::WindowRow", into = "window::WindowRow")]
pub enum Window {
    /// Continuously, `amount` in each `per_ms`.
    Bucket {
        /// Time in which the whole amount comes back, in milliseconds.
        per_ms: u64,
    },
    /// By age: usage of the last `per_ms` counts.
    Sliding {
        /// Length of the window in milliseconds.
        per_ms: u64,
    },
    /// All at once at the start of a day.
    Day {
        /// Zone in which the provider's day begins.
        zone: Zone,
    },
    /// All at once at 00:00 UTC on the first of the month.
    Month,
    /// At the end of the call; for concurrency.
    Held,
}

/// Rule for the amount of a limit that is reserved before a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReserveRule {
    /// Likely usage, charged at admission: input and output at p90.
    #[default]
    Estimate,
    /// Output at p50: charged while it is produced.
    AsProduced,
    /// Input plus the call's `max_tokens`.
    InputPlusMax,
    /// The greater of `max_tokens` and the estimate of the input.
    MaxOfBoth,
}

/// Likely usage of a call on one credential, in tokens as that provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CallEstimate {
    /// Prompt tokens, p90.
    pub input: u64,
    /// Prompt tokens that nine calls of ten read from a cache; part of `input`.
    #[serde(default)]
    pub cached: u64,
    /// Produced tokens, p50.
    pub output_p50: u64,
    /// Produced tokens, p90.
    pub output_p90: u64,
    /// Value of the call's `max_tokens`.
    pub max_tokens: u64,
    /// Money at p90.
    pub cost: MicroUsd,
}

impl Limit {
    /// Returns the maximum that the limit can hold.
    pub fn capacity(&self) -> u64 {
        self.burst.unwrap_or(self.amount)
    }

    /// Returns the amount that is reserved before a call with this estimate.
    pub fn reserved_for(&self, estimate: &CallEstimate) -> u64 {
        let output = match self.reserve {
            ReserveRule::Estimate => estimate.output_p90,
            ReserveRule::AsProduced => estimate.output_p50,
            ReserveRule::InputPlusMax | ReserveRule::MaxOfBoth => estimate.max_tokens,
        };
        match self.dimension {
            Dimension::Requests | Dimension::Concurrency => 1,
            Dimension::InputTokens if self.reserve == ReserveRule::InputPlusMax => {
                estimate.input + estimate.max_tokens
            }
            Dimension::InputTokens => self.counted_input(estimate),
            Dimension::OutputTokens => output,
            Dimension::TotalTokens if self.reserve == ReserveRule::MaxOfBoth => {
                estimate.input.max(estimate.max_tokens)
            }
            Dimension::TotalTokens => self.counted_input(estimate) + output,
            Dimension::Spend => u64::try_from(estimate.cost.0).unwrap_or(0),
        }
    }

    /// Returns the prompt tokens that count before the call: those of the cache by their share, and all of them
    /// where the whole prompt is reserved first.
    pub fn counted_input(&self, estimate: &CallEstimate) -> u64 {
        if self.reserve == ReserveRule::InputPlusMax {
            return estimate.input;
        }
        let free = 100_u64.saturating_sub(u64::from(self.cache_read_percent));
        let free = u128::from(estimate.cached.min(estimate.input)) * u128::from(free) / 100;
        estimate.input - u64::try_from(free).unwrap_or(estimate.input)
    }

    /// Returns the amount that a call with this usage and cost finally counts.
    pub fn charged_for(&self, usage: &Usage, cost: MicroUsd) -> u64 {
        let cached = u128::from(usage.cache_read) * u128::from(self.cache_read_percent) / 100;
        let input = usage
            .input
            .saturating_add(usage.cache_write)
            .saturating_add(u64::try_from(cached).unwrap_or(u64::MAX));
        let output = usage.output.saturating_mul(u64::from(self.output_weight));
        match self.dimension {
            Dimension::Requests | Dimension::Concurrency => 1,
            Dimension::InputTokens => input,
            Dimension::OutputTokens => output,
            Dimension::TotalTokens => input.saturating_add(output),
            Dimension::Spend => u64::try_from(cost.0).unwrap_or(0),
        }
    }
}

/// Demand for one call on one of several credentials.
#[derive(Debug, Clone)]
pub struct Demand {
    /// Id of the lease; a repeated demand with the same id gets the same answer.
    pub lease: LeaseId,
    /// True if a person waits for the call, so that tasks step aside.
    pub interactive: bool,
    /// Time until which the call must have been sent.
    pub not_after: Timestamp,
    /// Credentials on which the call could run.
    pub candidates: Vec<Candidate>,
    /// True if a demand that waits books its amounts where it fits soonest: later demands may take what is
    /// above the booking, or what comes back before its instant.
    pub books: bool,
}

/// Credential on which a call could run.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Credential of the call.
    pub credential: CredentialId,
    /// Groups that the credential draws on for the call's model.
    pub groups: Vec<Arc<QuotaGroup>>,
    /// Likely usage of the call on this credential.
    pub estimate: CallEstimate,
    /// Rank, lower is better; among equals the one with most headroom is taken.
    pub rank: u32,
    /// Parts per thousand of each limit that this call must leave free.
    pub floor_permille: u16,
}

/// Answer to a demand.
#[derive(Debug, Clone, PartialEq)]
pub enum Reserved {
    /// The amounts are reserved.
    Granted(Lease),
    /// No candidate has room now.
    Wait {
        /// Time at which the first one has room, if nothing else changes; none when only a freed slot
        /// helps.
        at: Option<Timestamp>,
        /// Reason of the wait; none where the limiter does not know it.
        obstacle: Option<Obstacle>,
    },
    /// No candidate will ever have room: the call is larger than every limit.
    Never(String),
}

impl Reserved {
    /// Returns the time that a [`Reserved::Wait`] names; none for every other answer.
    pub const fn asks_again_at(&self) -> Option<Option<Timestamp>> {
        match self {
            Self::Wait { at, .. } => Some(*at),
            Self::Granted(_) | Self::Never(_) => None,
        }
    }
}

/// Permission to make one call on one credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Id of the lease.
    pub id: LeaseId,
    /// Credential of the call.
    pub credential: CredentialId,
    /// Amounts reserved, one for each limit.
    pub charges: Vec<Charge>,
    /// Time of the grant by the limiter's clock.
    pub granted_at: Timestamp,
    /// Time until which the lease may be sent; then it expires and everything is given back.
    pub not_after: Timestamp,
}

/// Amount reserved on one limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// Group of the limit.
    pub group: GroupId,
    /// Dimension of the limit in the group.
    pub dimension: Dimension,
    /// Amount reserved, in the unit of the dimension.
    pub amount: u64,
}

/// Answer to `send`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The call may be made; the lease lives until the deadline.
    Sent,
    /// The lease is gone: no call may be made on it.
    Gone,
}

/// End of a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// No call was made; acts on reserved leases only and gives everything back.
    Unused,
    /// The call ran to its end. A later `Used` corrects the charge of an expired lease, never the slot.
    Used {
        /// Tokens used.
        usage: Usage,
        /// Money spent, in micro-dollars.
        cost: MicroUsd,
    },
    /// The call was cut on our side: the provider may still be generating, so slot and charge stay for
    /// `grace`.
    Aborted {
        /// Tokens known to be used; none when no reply was received.
        usage: Option<Usage>,
        /// Time for which the provider may go on (`abort_grace` of the catalogue).
        grace: Millis,
    },
    /// The holder of the lease is gone: a reserved lease gives everything back, a sent one keeps slot and
    /// charge for `grace`, and never longer than its deadline.
    Lost {
        /// Time for which the call may go on.
        grace: Millis,
    },
    /// The provider refused the call.
    Refused {
        /// True if the refused call counts as a request at the provider.
        counts_request: bool,
    },
}

/// Signals of one reply or refusal about the limits of the groups that its lease draws on.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitSignals {
    /// Time at which the request of the reply was sent.
    pub sent_at: Timestamp,
    /// Class of the refusal; none for a reply.
    pub failure: Option<FailureClass>,
    /// Wait that the provider asked for.
    pub retry_after: Option<Millis>,
    /// Limits as the headers showed them.
    pub levels: Vec<ObservedLevel>,
}

impl LimitSignals {
    /// Returns true if there is nothing to learn.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.failure.is_none()
    }

    /// Returns the reaction of every group that the lease draws on, by the failure table.
    pub fn reaction(&self) -> GroupReaction {
        self.failure
            .map_or(GroupReaction::Nothing, |class| class.rule().group)
    }
}

/// Limit as a reply's headers showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedLevel {
    /// Dimension of the limit.
    pub dimension: Dimension,
    /// Amount in one window, if the headers show it.
    pub limit: Option<u64>,
    /// Amount left after that request, if the headers show it.
    pub remaining: Option<u64>,
    /// Time at which the limit will be full again, if the headers show it.
    pub full_at: Option<Timestamp>,
    /// Unit to which the provider rounds `remaining`; 1 for exact figures.
    pub rounded_to: u64,
    /// Length of the limit's window; none where the provider does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Millis>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIMENSIONS: [Dimension; 6] = [
        Dimension::Requests,
        Dimension::InputTokens,
        Dimension::OutputTokens,
        Dimension::TotalTokens,
        Dimension::Spend,
        Dimension::Concurrency,
    ];

    fn limit(dimension: Dimension, reserve: ReserveRule) -> Limit {
        Limit {
            dimension,
            amount: 1_000,
            burst: None,
            window: Window::Held,
            reserve,
            cache_read_percent: 10,
            output_weight: 5,
        }
    }

    /// Checks the reservations of all six dimensions, in order, under one rule.
    fn check(reserve: ReserveRule, expected: [u64; 6]) {
        let estimate = CallEstimate {
            input: 100,
            cached: 0,
            output_p50: 20,
            output_p90: 30,
            max_tokens: 400,
            cost: MicroUsd(7),
        };
        let reserved =
            DIMENSIONS.map(|dimension| limit(dimension, reserve).reserved_for(&estimate));
        assert_eq!(reserved, expected, "{reserve:?}");
    }

    #[test]
    fn each_rule_reserves_its_own_amount() {
        check(ReserveRule::Estimate, [1, 100, 30, 130, 7, 1]);
        check(ReserveRule::AsProduced, [1, 100, 20, 120, 7, 1]);
        check(ReserveRule::InputPlusMax, [1, 500, 400, 500, 7, 1]);
        check(ReserveRule::MaxOfBoth, [1, 100, 400, 400, 7, 1]);
    }

    #[test]
    fn cached_prompts_are_reserved_by_the_share_that_the_provider_counts() {
        let estimate = CallEstimate {
            input: 1_000,
            cached: 800,
            max_tokens: 50,
            ..CallEstimate::default()
        };
        let reserved = |rule, cache_read_percent| {
            let limit = Limit {
                cache_read_percent,
                ..limit(Dimension::InputTokens, rule)
            };
            limit.reserved_for(&estimate)
        };
        assert_eq!(reserved(ReserveRule::Estimate, 0), 200);
        assert_eq!(reserved(ReserveRule::Estimate, 10), 280);
        assert_eq!(reserved(ReserveRule::Estimate, 100), 1_000);
        assert_eq!(
            reserved(ReserveRule::InputPlusMax, 0),
            1_050,
            "released later"
        );
    }

    #[test]
    fn a_charge_weighs_cache_reads_and_output_as_the_provider_does() {
        let usage = Usage {
            input: 100,
            cache_read: 1_000,
            cache_write: 10,
            output: 20,
            reasoning: 5,
            is_estimated: false,
        };
        let charged = DIMENSIONS.map(|dimension| {
            limit(dimension, ReserveRule::Estimate).charged_for(&usage, MicroUsd(7))
        });
        assert_eq!(charged, [1, 210, 100, 310, 7, 1]);
        let refund =
            limit(Dimension::Spend, ReserveRule::Estimate).charged_for(&usage, MicroUsd(-1));
        assert_eq!(refund, 0, "a negative price charges nothing");
    }

    #[test]
    fn a_limit_without_a_burst_holds_one_window() {
        let mut limit = limit(Dimension::Requests, ReserveRule::Estimate);
        assert_eq!(limit.capacity(), 1_000);
        limit.burst = Some(5);
        assert_eq!(limit.capacity(), 5);
    }

    #[test]
    fn a_limit_in_a_table_needs_three_fields_and_takes_no_unknown_one() {
        let row = r#"{"dimension": "requests", "amount": 50, "window": {"kind": "bucket", "per_ms": 60000}}"#;
        let limit: Limit = serde_json::from_str(row).expect("three fields are enough");
        assert_eq!(
            (
                limit.reserve,
                limit.cache_read_percent,
                limit.output_weight,
                limit.burst
            ),
            (ReserveRule::Estimate, 0, 1, None)
        );
        for wrong in [
            row.replace("amount", "amounts"),
            row.replace("per_ms", "per_s"),
            row.replace("requests", "calls"),
            row.replace("\"amount\": 50", "\"amount\": 50, \"colour\": 1"),
        ] {
            assert!(serde_json::from_str::<Limit>(&wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_counts_of_a_provider_can_be_charged(counts in prop::array::uniform5(any::<u64>()), percent in any::<u8>(), weight in any::<u8>()) {
            let [input, cache_read, cache_write, output, reasoning] = counts;
            let usage = Usage { input, cache_read, cache_write, output, reasoning, is_estimated: false };
            for dimension in DIMENSIONS {
                let limit = Limit { cache_read_percent: percent, output_weight: weight, ..limit(dimension, ReserveRule::Estimate) };
                let charged = limit.charged_for(&usage, MicroUsd(i64::MAX));
                let least = match dimension {
                    Dimension::InputTokens => input.max(cache_write),
                    Dimension::OutputTokens if weight > 0 => output,
                    _ => 0,
                };
                prop_assert!(charged >= least);
            }
            prop_assert!(usage.total() >= usage.prompt() && usage.prompt() >= input);
            let twice = usage + usage;
            prop_assert!(twice.output >= output);
        }
    }
}
